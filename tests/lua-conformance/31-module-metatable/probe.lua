local a = require "a"
local meta = getmetatable(a)
return function(stage)
  assert(a() == (stage == 0 and "old" or "new"))
  assert(getmetatable(a) == meta)
end
