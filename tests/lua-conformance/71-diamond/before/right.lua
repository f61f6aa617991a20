local log = require "log"
log[#log + 1] = "right"
return { value = require("base").value + 10 }
