local M = {}
package.loaded["a"] = M
local b = require "b"
function M.name() return "a1" end
function M.other() return b.name() end
return M
