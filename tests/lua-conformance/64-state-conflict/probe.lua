local a = require "a"
return function(stage)
  if stage == 0 then
    a.hp = 37
  end
  assert(a.hp == 37)
end
