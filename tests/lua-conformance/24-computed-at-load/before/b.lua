local a = require "a"
return { double = a.w * 2 }
