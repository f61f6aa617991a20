local bus = require "bus"
local function callback() return "old" end
bus.on(callback)
return { __dispose = function() bus.off(callback) end }
