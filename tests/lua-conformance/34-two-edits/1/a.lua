local n = 0
return { inc = function() n = n + 10 return n end }
