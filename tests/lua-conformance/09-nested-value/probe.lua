local a = require "a"
local inner = a.config.inner
return function(stage)
  assert(inner.depth == (stage == 0 and 1 or 8) and inner.width == 2)
  assert(a.config.inner == inner)
end
