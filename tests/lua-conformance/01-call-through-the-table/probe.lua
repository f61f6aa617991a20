local a = require "a"
return function(stage)
  assert(a.f() == (stage == 0 and "old" or "new"))
end
