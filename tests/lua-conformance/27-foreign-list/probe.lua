local a, list = require "a", require "list"
return function(stage)
  if stage == 0 then
    list.items[1] = a.f
  end
  assert(list.items[1]() == (stage == 0 and "old" or "new"))
end
