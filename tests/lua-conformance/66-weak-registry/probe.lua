local a = require "a"
local kept = {}
return function(stage)
  if stage == 0 then
    a.add(kept)
    a.add {}
    return
  end
  collectgarbage() collectgarbage()
  local n, new = a.count()
  assert(n == 1 and new)
end
