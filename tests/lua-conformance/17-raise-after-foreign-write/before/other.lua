local level = 1
local M = { items = { 1, 2 } }
function M.set(value) level = value end
function M.get() return level end
return M
