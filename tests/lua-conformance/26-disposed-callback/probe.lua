require "a"
local bus = require "bus"
return function(stage)
  assert(#bus.list == 1)
  assert(bus.list[1]() == (stage == 0 and "old" or "new"))
end
