local caller = require "caller"
local f = require("a").f
return function(stage)
  local expected = stage == 0 and "old" or "new"
  assert(caller.call() == expected)
  assert(f() == expected)
end
