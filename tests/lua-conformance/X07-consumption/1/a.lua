return { w = 2 }
