local a = require "a"
return function(stage)
  assert(a.n == stage + 1)
end
