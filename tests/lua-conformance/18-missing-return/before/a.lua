local M = { f = function() return 1 end }
return M
