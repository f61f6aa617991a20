return { w = 1 }
