local SPEED = 9
return { f = function() return SPEED end }
