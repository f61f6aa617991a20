return { levels = { 1, 7 } }
