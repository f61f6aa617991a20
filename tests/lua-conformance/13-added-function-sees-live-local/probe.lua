local a = require "a"
return function(stage)
  a.inc()
  if stage > 0 then
    assert(a.get() == 2)
  end
end
