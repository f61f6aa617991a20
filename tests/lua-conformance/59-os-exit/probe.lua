local a = require "a"
return function()
  assert(a.n == 1)
end
