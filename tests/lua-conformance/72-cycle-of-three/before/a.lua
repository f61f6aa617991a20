local log = require "log"
log[#log + 1] = "a"
local M = { n = 1 }
package.loaded["a"] = M
M.next = require "b"
return M
