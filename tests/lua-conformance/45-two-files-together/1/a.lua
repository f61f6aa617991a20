return { renamed = function() return 2 end }
