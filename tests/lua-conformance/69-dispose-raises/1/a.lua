return { n = 2 }
