local a = require "a"
return function(stage)
  assert(a.left() == (stage == 0 and 1 or 3))
  assert(a.right() == (stage == 0 and 101 or 103))
end
