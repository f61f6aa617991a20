local b = require "b"
return function()
  assert(b.f() == 1 and require("a").f() == 1)
end
