local n = 0
local M = {}
function M.inc() n = n + 1 end
return M
