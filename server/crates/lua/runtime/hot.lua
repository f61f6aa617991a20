--- The author's side: what `require "hot"` gives. Nothing needs it; every call only declares or asks.

local capture = use "capture"
local guard = use "guard"
local hooks = use "hooks"
local journal = use "journal"
local lang = use "lang"
local trace = use "trace"
local units = use "units"
local next, rawget, rawset, select, type = next, rawget, rawset, select, type

local state = {
  generation = 0,
  last_error = nil, ---@type string?
  data = {}, -- unit → the table that survives everything
  classes = {}, -- name → class table
  asks = {}, -- queued `ask` messages, sent after the transaction
  registers = {},
  step_of = nil, ---@type fun(name: string): table?
}

local api = {}

--- The unit whose code called, and the declarations of its current run.
---@return string name
---@return table declared
local function caller()
  local chunk = trace.caller(3)
  local unit = chunk and units.by_chunk[chunk]
  local name = unit and unit.name
  if guard.unit and (not name or guard.unit.chunk == chunk) then
    name = guard.unit.name
  end
  local step = name and state.step_of and state.step_of(name)
  local declared = step and step.hot or unit and unit.hot
  if not declared then
    declared = hooks.declared()
    if unit then
      unit.hot = declared
    end
  end
  return name or "", declared
end

local function append(list, items)
  for _, item in next, items do
    list[#list + 1] = item
  end
end

function api.keep(paths)
  local _, declared = caller()
  append(declared.keep, paths)
end

function api.reset(paths)
  local _, declared = caller()
  append(declared.reset, paths)
end

function api.migrate(key, fn)
  local _, declared = caller()
  declared.migrate[key] = fn
end

function api.check(fn)
  local _, declared = caller()
  append(declared.check, { fn })
end

function api.dispose(fn)
  local _, declared = caller()
  append(declared.dispose, { fn })
end

function api.on_reload(fn, options)
  local _, declared = caller()
  append(declared.reload, { { fn = fn, best_effort = type(options) == "table" and options.best_effort or false } })
end

function api.on_error(fn)
  local _, declared = caller()
  append(declared.failed, { fn })
end

--- The resource of that key: made once, handed on from version to version, released when no version asks for it.
function api.own(key, make, release)
  local name, declared = caller()
  local claim = declared.claims[key]
  if not claim then
    local unit = units.by_name[name]
    local old = unit and unit.hot and unit.hot.claims[key]
    claim = old and { value = old.value, release = release, inherited = true } or { value = make(), release = release }
    declared.claims[key] = claim
  end
  return claim.value
end

function api.pin()
  local _, declared = caller()
  declared.pinned = true
end

--- A class table whose identity survives reloads and file moves.
function api.class(name)
  local class = state.classes[name]
  if not class then
    class = {}
    class.__index = class
    state.classes[name] = class
  end
  return class
end

local function ask(op, names, done)
  if guard.active then
    if done then
      done(false, "a reload is running")
    end
    return
  end
  state.asks[#state.asks + 1] = { op = op, names = names, done = done }
end

function api.reload(name, done)
  ask("reload", { name }, done)
end

function api.reload_all(done)
  ask("reloadAll", nil, done)
end

function api.rollback(done)
  ask("rollback", nil, done)
end

function api.capture(paths)
  local name = caller()
  local unit = units.by_name[name]
  return unit and capture.save(unit, paths) or {}
end

function api.restore(saved)
  local log = journal.new()
  capture.write_back(log, saved)
end

function api.register(entry)
  state.registers[#state.registers + 1] = entry
end

--- Wrappers that look the function up in the module at each call.
function api.delegate(object, module, names)
  local require = trace.require
  for _, name in next, names do
    rawset(object, name, function(...)
      return require(module)[name](...)
    end)
  end
end

function api.is_error()
  return state.last_error ~= nil
end

function api.enabled()
  return true
end

function api.tick() end

function api.guard(fn, ...)
  local arguments, n = { ... }, select("#", ...)
  local unpack = table.unpack or unpack
  local failure, first = guard.call(function()
    return fn(unpack(arguments, 1, n))
  end)
  return failure == nil, failure and failure.value or first
end

setmetatable(api, {
  __index = function(_, key)
    if key == "data" then
      local name = caller()
      state.data[name] = state.data[name] or {}
      return state.data[name]
    elseif key == "last_error" or key == "generation" then
      return rawget(state, key)
    end
  end,
})

package.preload.hot = function()
  return api
end

state.api = api
return state
