local Base = {}
Base.__index = Base
function Base:hello() return "new" end
return Base
