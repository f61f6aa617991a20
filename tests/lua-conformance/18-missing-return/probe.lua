local a = require "a"
return function()
  assert(a.f() == 1 and require "a" == a)
end
