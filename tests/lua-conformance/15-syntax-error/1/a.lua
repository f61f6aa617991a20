local n = 0
return { inc = function( n = n + 2 return n end }
