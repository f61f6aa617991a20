local Base = require "base"
local Sub = setmetatable({}, { __index = Base })
Sub.__index = Sub
for name, method in pairs(Base) do
  if name ~= "__index" then Sub["copied_" .. name] = method end
end
return { new = function() return setmetatable({}, Sub) end }
