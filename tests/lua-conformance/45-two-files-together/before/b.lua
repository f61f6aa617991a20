local a = require "a"
return { value = a.api() }
