local n = 0
return { inc = function() n = n + 5 end, get = function() return n + 0 end }
