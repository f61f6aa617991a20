local M = { count = 0 }
function M.hit() M.count = M.count + 100 end
return M
