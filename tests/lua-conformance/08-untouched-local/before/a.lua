local SPEED = 5
return { f = function() return SPEED end }
