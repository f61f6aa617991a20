require "a"
local config, runs = Config, nil
return function(stage)
  assert(Config == config)
  assert(Config.get() == (stage == 0 and "old" or "new"))
  assert(Config.speed == (stage == 0 and 5 or 9))
  runs = Runs
  require "a"
  assert(Runs == runs)
end
