return setmetatable({}, { __call = function() return "old" end })
