return { f = function() return "old" end }
