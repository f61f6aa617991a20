local log = require "log"
log[#log + 1] = "b"
local M = {}
package.loaded["b"] = M
M.next = require "c"
return M
