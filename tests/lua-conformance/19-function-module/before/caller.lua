local a = require "a"
return { call = function() return a() end }
