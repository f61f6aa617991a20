local other = require "other"
other.set(50)
other.items[3] = 3
other.extra = true
setmetatable(other, { __index = { ghost = 1 } })
local nothing = nil
nothing.field = 1
