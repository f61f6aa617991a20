local K <const> = 1
return { f = function() return K end }
