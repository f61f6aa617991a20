local n = 0
local M = {}
function M.inc() n = n + 10 return n end
return M
