local a, b = require "a", require "b"
return function()
  assert(a.speed == 1 and b.twice == 2)
end
