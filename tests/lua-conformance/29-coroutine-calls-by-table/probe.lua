local a = require "a"
local co = coroutine.wrap(function()
  while true do coroutine.yield(a.f()) end
end)
return function(stage)
  assert(co() == (stage == 0 and "old" or "new"))
end
