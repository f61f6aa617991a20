local log = require "log"
log[#log + 1] = "base"
return { value = 2 }
