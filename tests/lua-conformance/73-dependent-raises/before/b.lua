local a = require "a"
return { twice = a.speed * 2 }
