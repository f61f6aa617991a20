local M = {}
do
  local n = 0
  function M.left() n = n + 2 return n end
end
do
  local n = 100
  function M.right() n = n + 2 return n end
end
return M
