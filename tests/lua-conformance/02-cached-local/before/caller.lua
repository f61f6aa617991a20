local f = require("a").f
return { call = function() return f() end }
