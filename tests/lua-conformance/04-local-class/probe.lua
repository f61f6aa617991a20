local a = require "a"
local point = a.new(3)
return function(stage)
  if stage == 0 then
    assert(point:get() == 3)
  else
    assert(point:get() == 30 and point:twice() == 6)
    assert(getmetatable(a.new(1)) == getmetatable(point))
  end
end
