local a = require "a"
return function()
  assert(a.n == 1 and rawget(_G, "Ghost") == nil)
end
