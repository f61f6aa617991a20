return { old = function() end, f = function() return 1 end }
