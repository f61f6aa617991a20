local n = 0
local function step() return 100 end
return { inc = function() n = n + step() return n end }
