local it = require("sub").new()
return function(stage)
  local expected = stage == 0 and "old" or "new"
  assert(it:hello() == expected and it:copied_hello() == expected)
end
