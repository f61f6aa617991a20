require "a"
return function()
  assert(Score == 1 and rawget(_G, "Fresh") == nil and table.insert)
end
