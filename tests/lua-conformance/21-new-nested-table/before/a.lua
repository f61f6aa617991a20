return { old = { n = 1 } }
