return { w = 30 }
