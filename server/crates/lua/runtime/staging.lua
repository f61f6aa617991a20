--- Staging: the new texts run beside the live program, each in its turn or when one of them requires it.
---
--- A step is one unit of an update. Nothing here decides about success: a failure goes back to the transaction.

local cells = use "cells"
local guard = use "guard"
local hooks = use "hooks"
local host = use "host"
local journal = use "journal"
local lang = use "lang"
local marks = use "marks"
local report = use "report"
local trace = use "trace"
local units = use "units"
local clock, error, next, rawget, rawset, type = host.clock, error, next, rawget, rawset, type
local byte, gmatch, sub = string.byte, string.gmatch, string.sub
local globals = _G
local loaded = package.loaded

local staging = {}

local PLAIN = {} -- A policy that says nothing, a list with nothing in it.

--- Of the function index only what redirecting asks for: id → token hash and leak.
local function index_of(fns)
  local index = {}
  for _, fn in next, fns or PLAIN do
    index[fn.id] = { h = fn.h, leak = fn.leak }
  end
  return index
end

--- A step as it stands before its turn.
---@param message table a Unit of the wire
function staging.step(message)
  return {
    name = message.name,
    chunk = message.chunk or "@" .. message.name,
    act = message.act,
    text = message.text or message.text64 and host.from64(message.text64) or "",
    hash = message.hash,
    fns = index_of(message.fns),
    policy = message.policy or PLAIN,
    when = message.when,
    old = units.by_name[message.name],
    hot = hooks.declared(),
    state = "waiting",
    edges = {},
    kept = 0,
    taken = 0,
    conflicts = 0,
    redirected = 0,
    seconds = 0,
  }
end

local UNKNOWN = {}

--- Did a field that a dependent read get another value from the source? Code and tables never count.
local function reads_another(step, path)
  local base, new = step.old and marks.of[step.old.value], step.value
  local live = step.old and step.old.value
  for name in gmatch(path, "[^.]+") do
    if base ~= UNKNOWN then
      base = type(base) == "table" and base.base and base.base.fields[name]
      if base == nil then
        base = UNKNOWN
      end
    end
    local snap = type(new) == "table" and step.snaps[new]
    new = snap and snap.fields[name] or type(new) == "table" and rawget(new, name) or nil
    live = type(live) == "table" and rawget(live, name) or nil
  end
  if base == UNKNOWN then
    base = marks.base_of(live)
  end
  local kind = type(new)
  if kind ~= marks.type(base) then
    return true
  end
  return kind ~= "table" and kind ~= "function" and not marks.is(new, base)
end

--- Must a dependent run again (consumption, 4.3)?
local function needed(tx, step)
  if step.act ~= "rerun" or not step.when then
    return true
  end
  for name, use in next, step.when do
    local dependency = tx.staged[name]
    if dependency and (dependency.act == "remove" or dependency.state == "waiting") then
      return true
    elseif dependency and (dependency.state == "done" or dependency.state == "running") then
      if use.whole or use.calls or dependency.state == "running" then
        return true
      end
      for _, path in next, use.reads or {} do
        if reads_another(dependency, path) then
          return true
        end
      end
    end
  end
  return false
end

--- What a module is given as `...`.
local function arguments(step)
  if lang.file_argument then
    return step.name, step.file or sub(step.chunk, 2)
  end
  return step.name
end

--- Gives a unit the globals that changed since the last time anyone was asked.
local function assign_globals(tx, step)
  local last = tx.globals
  for key, new in next, journal.changes(globals, last) or PLAIN do
    step.globals, step.globals_before = step.globals or {}, step.globals_before or {}
    if step.globals[key] == nil then
      step.globals_before[key] = last[key]
    end
    step.globals[key], last[key] = new, new
  end
end

--- Runs one text and records what it made.
local function run_text(tx, step)
  local before = guard.unit
  if before and before.state == "running" then
    assign_globals(tx, before) -- What the requirer did so far is its own.
  end
  guard.unit, step.state, tx.running[step.name] = step, "running", true
  -- A module that looks for itself in `package.loaded` finds the live one; any other must not be found while it runs.
  rawset(loaded, step.name, step.own_entry and step.old and step.old.value or nil)
  local started, inside = clock(), tx.inside or 0
  tx.inside = 0
  local failure, returned = guard.call(function()
    return step.main(arguments(step))
  end)
  tx.running[step.name] = nil
  local elapsed = clock() - started
  step.seconds = elapsed - tx.inside
  tx.inside = inside + elapsed
  guard.unit = before
  if failure then
    step.state, step.failure = "failed", failure
    return failure
  end
  if returned ~= nil then
    rawset(loaded, step.name, returned)
  end
  local value = rawget(loaded, step.name)
  if value == nil or (returned == nil and step.own_entry and not lang.mentions(step.text, "package.loaded[")) then
    value = true
    rawset(loaded, step.name, true)
  end
  step.value, step.valued = value, not (value == true and returned == nil)
  step.state = "done"
  assign_globals(tx, step)
  cells.snapshot(tx, step)
  tx.ran[#tx.ran + 1] = step
  tx.n_ran = tx.n_ran + 1
end

--- A step's turn: run it, or leave it as it is.
function staging.turn(tx, step)
  if step.act == "remove" then
    step.state = "removed"
    return
  end
  step.state = "running"
  if not needed(tx, step) then
    step.state, step.value = "skipped", step.old and step.old.value
    rawset(loaded, step.name, step.value)
    return
  end
  if step.old and step.when and not step.disposed then
    step.disposed = true
    hooks.dispose(step.old, tx.problems)
  end
  return run_text(tx, step)
end

--- A module that is not of this update and not loaded: loaded as `require` does, and staged too.
local function load_other(tx, name)
  local failure, loader, extra = guard.call(function()
    return trace.find(name)
  end)
  if failure then
    return nil, failure
  end
  local info = lang.getinfo(loader, "S")
  if info.what ~= "main" then
    -- A preload function or a loader of the project's own: its value is nobody's unit.
    journal.entry(tx.journal, name)
    local failed, value = guard.call(function()
      return loader(name, extra)
    end)
    if failed then
      return nil, failed
    end
    if value ~= nil then
      rawset(loaded, name, value)
    elseif rawget(loaded, name) == nil then
      rawset(loaded, name, true)
    end
    return { value = rawget(loaded, name), file = extra, state = "done" }
  end
  local step = staging.step { name = name, chunk = info.source, act = "load" }
  step.main = loader
  step.file = type(extra) == "string" and extra or sub(info.source, 2)
  local file = io and io.open and io.open(step.file, "rb")
  if file then
    step.text = file:read("*a") or ""
    step.size, step.sum = #step.text, lang.sum(step.text)
    file:close()
  end
  if byte(step.text) == 27 then
    return nil, { value = "attempt to load a precompiled chunk", frames = report.frames(1), unit = name, chunk = step.chunk }
  end
  step.own_entry = lang.mentions(step.text, "package.loaded")
  step.found = true
  journal.entry(tx.journal, name)
  tx.steps[#tx.steps + 1] = step
  tx.staged[name] = step
  local failed = run_text(tx, step)
  if failed then
    tx.staged[name], tx.steps[#tx.steps] = nil, nil
    rawset(loaded, name, nil)
    return nil, failed
  end
  return step
end

local function remember_edge(tx, name, from, optional, file)
  local requirer = from and tx.staged[from.name] or not from and guard.unit or nil
  local running = requirer and requirer.state == "running"
  local kind = optional and "optional" or running and "load" or "late"
  local from_name = requirer and requirer.name or from and from.name
  if not from_name then
    return
  end
  local edge = trace.edge(from_name, name, kind, file)
  if running then
    requirer.edges[name] = edge
  else
    tx.edges[#tx.edges + 1] = edge
  end
end

--- `require` inside a transaction.
function staging.require(tx, name, from, optional)
  local step = tx.staged[name]
  if step and (step.state == "removed" or not tx.started) then
    step = nil -- Dispose hooks still see what is live.
  end
  if not step then
    local value = rawget(loaded, name)
    if value then
      remember_edge(tx, name, from, optional, nil)
      return value
    end
    local found, failure = load_other(tx, name)
    remember_edge(tx, name, from, optional, found and found.file)
    if failure then
      error(failure.value, 0)
    end
    return found.value, found.file
  end
  local first = step.state == "waiting"
  if first then
    local failure = staging.turn(tx, step)
    if failure then
      remember_edge(tx, name, from, optional, nil)
      error(failure.value, 0)
    end
  end
  remember_edge(tx, name, from, optional, sub(step.chunk, 2))
  if step.state == "running" then
    local value = rawget(loaded, name)
    if value == nil then
      tx.cycle = "module '" .. name .. "' is still loading: the modules require one another in a cycle"
      error(tx.cycle, 0)
    end
    return value
  elseif step.state == "failed" then
    error(step.failure.value, 0)
  end
  if first and lang.file_argument then
    return step.value, sub(step.chunk, 2)
  end
  return step.value
end

return staging
