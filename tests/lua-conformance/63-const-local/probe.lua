local a = require "a"
return function(stage)
  assert(a.f() == stage + 1)
end
