local a = require "a"
local expected = { [0] = 1, 11, 111 }
return function(stage)
  assert(a.inc() == expected[stage])
end
