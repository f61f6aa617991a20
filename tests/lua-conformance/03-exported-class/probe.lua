local a = require "a"
local point = a.Point.new(3)
return function(stage)
  if stage == 0 then
    assert(point:get() == 3 and point.twice == nil)
  else
    assert(point:get() == 30 and point:twice() == 6)
    assert(getmetatable(point) == a.Point)
  end
end
