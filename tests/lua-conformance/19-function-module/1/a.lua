return function() return "new" end
