local a = require "a"
return function(stage)
  if stage == 0 then
    a.add "one" a.add "two"
    a.items.key = "value"
  else
    a.add "three"
    assert(#a.items == 3 and a.items[1] == "one" and a.items[3] == "three!" and a.items.key == "value")
  end
end
