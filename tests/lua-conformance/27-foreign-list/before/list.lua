local M = { items = {} }
return M
