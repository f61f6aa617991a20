local a, b = require "a", require "b"
return function(stage)
  local n = stage + 1
  assert(a.name() == "a" .. n and a.other() == "b" .. n and b.other() == "a" .. n)
  assert(require "a" == a and require "b" == b)
end
