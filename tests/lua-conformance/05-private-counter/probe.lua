local a = require "a"
return function(stage)
  if stage == 0 then
    a.inc() a.inc()
  else
    assert(a.inc() == 12)
  end
end
