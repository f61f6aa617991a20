local M = {}
package.loaded["b"] = M
local a = require "a"
function M.name() return "b2" end
function M.other() return a.name() end
return M
