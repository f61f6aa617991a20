return { api = function() return 1 end }
