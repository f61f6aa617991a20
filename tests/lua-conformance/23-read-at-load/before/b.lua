local a = require "a"
local f = a.f
local M = { direct = a.f }
function M.call() return f() end
return M
