local a = require "a"
local co = coroutine.wrap(function()
  local f = a.f
  while true do coroutine.yield(f()) end
end)
return function(stage)
  assert(co() == (stage == 0 and "old" or "new"))
end
