local a = require "a"
return function(stage)
  assert(type(a.size) == (stage == 0 and "table" or "number"))
end
