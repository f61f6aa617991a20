local a = require "a"
return function(stage)
  assert(a.inc() == stage + 1)
end
