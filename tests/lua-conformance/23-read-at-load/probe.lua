local b = require "b"
return function(stage)
  local expected = stage == 0 and "old" or "new"
  assert(b.call() == expected and b.direct() == expected)
end
