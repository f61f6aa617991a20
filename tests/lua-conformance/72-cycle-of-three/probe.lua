local log = require "log"
local a = require "a"
local b, c = a.next, a.next.next
return function(stage)
  assert(a.n == stage + 1)
  assert(a.next == b and b.next == c and c.next == a)
  if stage > 0 then
    assert(table.concat(log, " ") == "a b c", table.concat(log, " "))
  end
  while log[1] do table.remove(log) end
end
