return { w = 10 }
