local log = require "log"
local top = require "top"
return function(stage)
  if stage == 0 then
    assert(top.sum == 13)
    while log[1] do table.remove(log) end
  else
    assert(top.sum == 15)
    assert(table.concat(log, " ") == "base left right top", table.concat(log, " "))
  end
end
