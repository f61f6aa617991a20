local a = require "a"
return function(stage)
  assert(a.f() == (stage == 0 and 5 or 9))
end
