coroutine.yield()
return { n = 2 }
