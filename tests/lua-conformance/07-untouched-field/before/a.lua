return { speed = 5 }
