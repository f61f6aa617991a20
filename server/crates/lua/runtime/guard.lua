--- Limits on the project's code inside a transaction: time, memory, calls that would end the process.
---
--- The count hook exists only while project code runs inside a transaction, as it costs speed. After the deadline a hook
--- at every instruction raises in project code, so no `pcall` survives it; the runtime's own functions pass.

local host = use "host"
local lang = use "lang"
local report = use "report"
local getinfo, sethook, gethook = lang.getinfo, lang.sethook, lang.gethook
local find = string.find
local clock, collectgarbage, error, next, rawequal, xpcall = host.clock, collectgarbage, error, next, rawequal, xpcall
local running = coroutine.running
local limit_memory = host.limit_memory or function() end

local guard = {
  active = false,
  expired = nil, ---@type table? the failure that ended the time or the memory
}

local INSTRUCTIONS = 10000
--- The first ticks come more often: Lua does not say where it ran out of memory, the last tick does, and a few
--- instructions can ask for all there is.
local EARLY_TICKS, EARLY_INSTRUCTIONS = 100, 100
local ROLL_BACK_SECONDS = 0.1
local STOP = "stopped by hotsave"

local deadline, memory_kb, budget_ms
local threads = setmetatable({}, { __mode = "k" })
local jit = type(jit) == "table" and jit or nil
local compiling
local previous -- The project's own hook on the main thread, put back afterwards.
local checked_kb = 0
local n_ticks = 0
local last_source, last_line -- Where the last tick came.
local depth = 0 -- Calls of project code that are inside one another: a staged `require` runs inside a top level.
local inner -- The failure last seen by a handler, so that a rethrown error keeps its frames.

--- Raises in whatever project code runs next, on every thread.
local function strike(_, _, level)
  local info = getinfo(level or 2, "S")
  if info and info.source ~= lang.source then
    error(STOP, 0)
  end
end

local function expire(code, text)
  guard.expired = { value = text, code = code, frames = report.frames(3) }
  for thread in next, threads do
    sethook(thread, strike, "", 1)
  end
  sethook(strike, "", 1)
  if getinfo(3, "S").source ~= lang.source then
    error(STOP, 0)
  end
end

local tick
function tick()
  if not guard.active then
    return
  elseif guard.expired then -- On another thread: this one must not go on either.
    sethook(strike, "", 1)
    strike(nil, nil, 3)
    return
  end
  n_ticks = n_ticks + 1
  if n_ticks == EARLY_TICKS then
    sethook(tick, "", INSTRUCTIONS)
  end
  local info = getinfo(2, "Sl")
  if info and info.source ~= lang.source then
    last_source, last_line = info.source, info.currentline
  end
  if clock() > deadline then
    -- No tail call: the levels of the stack are counted.
    expire("lua/timeout", "still running after " .. budget_ms .. " ms")
  elseif memory_kb and collectgarbage("count") > memory_kb and collectgarbage("count") > checked_kb then
    collectgarbage()
    checked_kb = collectgarbage("count") * 1.05
    if collectgarbage("count") > memory_kb then
      expire("lua/memory", "not enough memory: more than the configured limit is in use")
    end
  end
end

--- Puts the limits in force.
---@param limit_ms number time for everything until `stop`
function guard.start(limit_ms)
  budget_ms, deadline = limit_ms, clock() + limit_ms / 1000
  memory_kb = host.memory_bytes and host.memory_bytes > 0 and host.memory_bytes / 1024 * 0.9 or nil
  checked_kb = 0
  guard.active, guard.expired, guard.refused, inner, depth = true, nil, nil, nil, 0
  previous = { gethook() }
  compiling = jit and jit.status()
  if compiling then
    jit.off() -- Hooks do not fire in compiled traces.
  end
  n_ticks, last_source, last_line = 0, nil, nil
  sethook()
end

--- Gives what still has to be called while rolling back a little time of its own.
function guard.rearm()
  if guard.expired then
    guard.expired, deadline = nil, clock() + ROLL_BACK_SECONDS
    for thread in next, threads do
      sethook(thread, tick, "", INSTRUCTIONS)
    end
  end
end

--- Ends the limits and leaves every thread's hook as the program had it.
function guard.stop()
  guard.active = false
  if compiling then
    jit.on()
  end
  for thread in next, threads do
    sethook(thread)
    threads[thread] = nil
  end
  if previous and previous[1] and previous[1] ~= "external hook" then
    sethook(previous[1], previous[2], previous[3])
  else
    sethook()
  end
end

--- Gives a coroutine the hook of this transaction.
function guard.watch(thread)
  if guard.active and not threads[thread] then
    threads[thread] = true
    if guard.expired then
      sethook(thread, strike, "", 1)
    else
      sethook(thread, tick, "", INSTRUCTIONS)
    end
  end
end

--- The unit whose text is running, set by the transaction.
guard.unit = nil

local function handler(value)
  if inner and rawequal(inner.value, value) then
    return inner
  end
  inner = { value = value, frames = report.frames(2), unit = guard.unit and guard.unit.name, chunk = guard.unit and guard.unit.chunk }
  return inner
end

--- Calls project code under the limits. Never raises.
---@param fn function takes no arguments
---@return table? failure
---@return any ... results, if there is no failure
function guard.call(fn)
  local bytes = host.memory_bytes
  local is_outermost = guard.active and depth == 0
  if is_outermost then
    if bytes then
      limit_memory(bytes)
    end
    sethook(tick, "", n_ticks < EARLY_TICKS and EARLY_INSTRUCTIONS or INSTRUCTIONS)
  end
  depth = depth + 1
  local ok, first, second = xpcall(fn, handler)
  depth = depth - 1
  if is_outermost then
    -- From here on the runtime works on its own; a hook would only cost it time.
    sethook()
    if bytes then
      limit_memory(0)
    end
  end
  local expired = guard.expired
  if expired then
    expired.unit = expired.unit or guard.unit and guard.unit.name
    expired.chunk = expired.chunk or guard.unit and guard.unit.chunk
    return expired
  end
  if ok then
    return nil, first, second
  end
  if type(first) ~= "table" or not rawequal(first, inner) then
    -- Out of memory, or an error in the handler: Lua had no room to call it.
    local unit, frames = guard.unit, lang.list()
    if last_line and last_line > 0 and unit and last_source == unit.chunk then
      frames[1] = { chunk = last_source, line = last_line }
    end
    first = { value = first, frames = frames, unit = unit and unit.name, chunk = unit and unit.chunk }
  end
  return first
end

--- A stand-in for a function that must not run inside a transaction, or never.
---@param name string
---@param original function? what runs outside a transaction; none if it is always refused
function guard.blocked(name, original)
  return function(...)
    if original and not guard.active then
      return original(...)
    end
    guard.refused = name .. " is blocked while hotsave loads modules"
    error(guard.refused, 2)
  end
end

--- Bytecode can break out of Lua: nothing loads it any more.
local function text_only()
  local raw_load, raw_loadfile = load, loadfile
  function load(chunk, name, _, ...)
    return raw_load(chunk, name, "t", ...)
  end
  function loadfile(name, _, ...)
    return raw_loadfile(name, "t", ...)
  end
  function dofile(name)
    local main, message = raw_loadfile(name, "t")
    if not main then
      error(message, 0)
    end
    return main()
  end
end

--- Files are written below the project's folder and the temporary one only.
local function confine_writes()
  local open, output, remove, rename = io.open, io.output, os.remove, os.rename
  local function check(name, path)
    if type(path) == "string" and not host.may_write(path) then
      guard.refused = name .. " may not write " .. path .. ", which is outside the project"
      error(guard.refused, 3)
    end
  end
  function io.open(path, mode, ...)
    if type(mode) == "string" and find(mode, "[wa+]") then
      check("io.open", path)
    end
    return open(path, mode, ...)
  end
  function io.output(path, ...)
    check("io.output", path)
    if path == nil then
      return output()
    end
    return output(path, ...)
  end
  function os.remove(path, ...)
    check("os.remove", path)
    return remove(path, ...)
  end
  function os.rename(from, to, ...)
    check("os.rename", from)
    check("os.rename", to)
    return rename(from, to, ...)
  end
end

--- Installs what must be in place before any project code runs. On PUC Lua a hook belongs to one coroutine, so new
--- ones are given theirs when they are made.
---@param confined boolean is the project kept from starting processes?
function guard.install(confined)
  local coroutine, os, io = coroutine, os, io
  local create, wrap = coroutine.create, coroutine.wrap
  if type(os) == "table" and os.exit then
    os.exit = guard.blocked("os.exit", not confined and os.exit or nil)
  end
  if confined then
    if not host.allow_process then
      os.execute, io.popen = guard.blocked("os.execute"), guard.blocked("io.popen")
    end
    if not host.allow_write then
      confine_writes()
    end
    text_only()
  end
  if not lang.jit then
    function coroutine.create(fn)
      local thread = create(fn)
      guard.watch(thread)
      return thread
    end
    function coroutine.wrap(fn)
      if not guard.active or type(fn) ~= "function" then
        return wrap(fn)
      end
      return wrap(function(...)
        guard.watch((running()))
        return fn(...)
      end)
    end
  end
end

return guard
