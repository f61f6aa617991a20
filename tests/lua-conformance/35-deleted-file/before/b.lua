local a = require "a"
return { f = function() return a.f() end }
