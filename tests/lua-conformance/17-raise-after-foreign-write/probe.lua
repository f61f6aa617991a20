require "a"
local other = require "other"
return function()
  assert(other.get() == 1 and #other.items == 2 and other.extra == nil and other.ghost == nil)
end
