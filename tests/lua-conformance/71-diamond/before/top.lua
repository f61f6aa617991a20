local log = require "log"
log[#log + 1] = "top"
return { sum = require("left").value + require("right").value }
