local a = require "a"
return function(stage)
  assert(a.self == a)
  local self, new = a.f()
  assert(self == a and new == (stage > 0 or nil))
end
