return { p = function() return "own" end }
