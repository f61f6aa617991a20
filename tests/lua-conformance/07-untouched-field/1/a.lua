return { speed = 9 }
