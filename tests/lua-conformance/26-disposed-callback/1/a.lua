local bus = require "bus"
local function callback() return "new" end
bus.on(callback)
return { __dispose = function() bus.off(callback) end }
