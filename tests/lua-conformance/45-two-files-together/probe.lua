local a, b = require "a", require "b"
return function(stage)
  assert(b.value == stage + 1)
  assert((a.api == nil) == (stage > 0))
end
