return setmetatable({}, { __call = function() return "new" end })
