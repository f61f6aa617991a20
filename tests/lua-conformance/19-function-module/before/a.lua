return function() return "old" end
