local a = require "a"
return { K = 7, seen = a.w }
