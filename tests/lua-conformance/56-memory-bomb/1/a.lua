local bomb = {}
for n = 1, math.huge do bomb[n] = { n } end
