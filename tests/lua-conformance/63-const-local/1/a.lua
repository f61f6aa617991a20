local K <const> = 2
return { f = function() return K end }
