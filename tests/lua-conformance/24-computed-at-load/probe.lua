local b = require "b"
return function(stage)
  assert(b.double == (stage == 0 and 20 or 60))
end
