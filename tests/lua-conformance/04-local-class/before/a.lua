local Point = {}
Point.__index = Point
function Point:get() return self.x end
return { new = function(x) return setmetatable({ x = x }, Point) end }
