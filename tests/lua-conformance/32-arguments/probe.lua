local a = require "a"
local with_file = package.searchers ~= nil
return function(stage)
  assert(a.name == "a" and a.n == (with_file and 2 or 1))
  assert((a.file ~= nil) == with_file)
  assert(not a.file or a.file:match "a%.lua$")
  assert(a.new == (stage > 0 or nil))
end
