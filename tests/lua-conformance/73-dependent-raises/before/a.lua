return { speed = 1 }
