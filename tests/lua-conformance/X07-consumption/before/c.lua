local b = require "b"
return { K = b.K }
