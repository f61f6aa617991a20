local n = 0
local M = {}
function M.inc() n = n + 1 return n end
return M
