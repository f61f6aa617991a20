local a = require "a"
collectgarbage() collectgarbage()
local before = collectgarbage "count"
return function(stage)
  collectgarbage() collectgarbage()
  assert(collectgarbage "count" <= before * 1.05, collectgarbage "count" .. " KiB, before " .. before)
  assert(a.n == 1)
end
