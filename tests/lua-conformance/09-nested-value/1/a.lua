return { config = { inner = { depth = 8, width = 2 } } }
