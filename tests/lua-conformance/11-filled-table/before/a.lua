local M = { items = {} }
function M.add(it) M.items[#M.items + 1] = it end
return M
