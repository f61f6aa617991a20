local function inner() return "new" end
return { f = function() return inner() end }
