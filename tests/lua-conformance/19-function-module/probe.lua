local a = require "a"
local caller = require "caller"
return function(stage)
  local expected = stage == 0 and "old" or "new"
  assert(a() == expected and caller.call() == expected and require("a")() == expected)
end
