local M = { n = 1 }
local proxy = setmetatable({}, {
  __index = function(_, key) Fired = Fired + 1 return M[key] end,
  __newindex = function() error "read-only" end,
  __pairs = function() error "no iteration" end,
  __len = function() error "no length" end,
  __eq = function() error "no comparison" end,
  __metatable = "locked",
})
M.proxy = proxy
return M
