return { config = { inner = { depth = 1, width = 2 } } }
