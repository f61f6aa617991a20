local log = require "log"
log[#log + 1] = "left"
return { value = require("base").value + 1 }
