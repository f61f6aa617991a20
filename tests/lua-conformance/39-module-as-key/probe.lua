local a = require "a"
local seen = { [a] = "yes" }
return function(stage)
  assert(seen[require "a"] == "yes" and require "a" == a and a.n == stage + 1)
end
