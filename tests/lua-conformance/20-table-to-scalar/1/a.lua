return { size = 12 }
