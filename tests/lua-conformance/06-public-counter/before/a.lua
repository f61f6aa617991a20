local M = { count = 0 }
function M.hit() M.count = M.count + 1 end
return M
