local M = {}
function M.f() return "old" end
return M
