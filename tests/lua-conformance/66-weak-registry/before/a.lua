local registry = setmetatable({}, { __mode = "k" })
local M = {}
function M.add(it) registry[it] = true end
function M.count()
  local n = 0
  for _ in pairs(registry) do n = n + 1 end
  return n
end
return M
