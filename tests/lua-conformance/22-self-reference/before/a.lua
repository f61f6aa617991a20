local M = {}
M.self = M
function M.f() return M.self end
return M
