Runs = (Runs or 0) + 1
Config = { speed = 9 }
function Config.get() return "new" end
