error(setmetatable({}, { __tostring = function() error "never" end }))
