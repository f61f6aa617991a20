local function inner() return "old" end
return { f = function() return inner() end }
