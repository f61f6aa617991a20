local M = { old = { n = 1 } }
M.fresh = { list = { 1, 2 }, owner = M }
return M
