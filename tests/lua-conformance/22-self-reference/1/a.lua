local M = {}
M.self = M
function M.f() return M.self, true end
return M
