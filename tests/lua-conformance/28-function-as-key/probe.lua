local a = require "a"
local names = { [a.f] = "f" }
return function()
  assert(names[a.f] == "f")
  local n = 0
  for _ in pairs(names) do n = n + 1 end
  assert(n == 1)
end
