return { size = { w = 1 } }
