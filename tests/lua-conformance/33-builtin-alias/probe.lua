local a = require "a"
return function(stage)
  assert(a.p(1) == (stage == 0 and "1" or "own"))
  assert(tostring(1) == "1")
end
