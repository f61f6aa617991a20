local Point = {}
Point.__index = Point
function Point.new(x) return setmetatable({ x = x }, Point) end
function Point:get() return self.x * 10 end
function Point:twice() return self.x * 2 end
return { Point = Point }
