local Base = {}
Base.__index = Base
function Base:hello() return "old" end
return Base
