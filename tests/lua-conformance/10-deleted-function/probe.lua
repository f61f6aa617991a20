local a = require "a"
return function(stage)
  assert((a.old == nil) == (stage > 0))
  assert(a.f() == stage + 1)
end
