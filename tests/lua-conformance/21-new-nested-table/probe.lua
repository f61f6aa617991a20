local a = require "a"
local old = a.old
return function(stage)
  if stage == 0 then
    old.n = 5
  else
    assert(a.old == old and old.n == 5)
    assert(#a.fresh.list == 2 and a.fresh.owner == a)
  end
end
