local b, c = require "b", require "c"
return function(stage)
  assert(b.seen == stage + 1 and c.K == 7)
end
