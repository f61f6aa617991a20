return { f = function() return 2 end }
