Runs = (Runs or 0) + 1
Config = { speed = 5 }
function Config.get() return "old" end
