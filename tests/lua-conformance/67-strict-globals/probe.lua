Fired = 0
setmetatable(_G, {
  __newindex = function(_, name) error("undeclared global " .. name) end,
  __index = function(_, name) error("undeclared global " .. name) end,
})
local a = require "a"
local proxy = a.proxy
return function(stage)
  assert(Fired == 0)
  assert(a.proxy == nil or rawequal(a.proxy, proxy))
  assert(proxy.n == stage + 1)
  Fired = 0
end
