local levels = require("a").levels
return function(stage)
  assert(#levels == (stage == 0 and 4 or 2))
  assert(levels[2] == (stage == 0 and 2 or 7) and levels[5] == nil)
end
