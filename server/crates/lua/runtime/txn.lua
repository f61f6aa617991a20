--- One transaction: everything new or everything old (specification, 5.1, steps 5 and 7 to 14).
---
--- compile → begin → dispose → run → validate → merge → redirect → hooks → commit, each a function that returns a
--- failure or nothing. Whatever fails after `begin` is rolled back. Cost follows the units of the update.

local capture = use "capture"
local cells = use "cells"
local guard = use "guard"
local hooks = use "hooks"
local host = use "host"
local hot = use "hot"
local journal = use "journal"
local lang = use "lang"
local marks = use "marks"
local merge = use "merge"
local output = use "output"
local redirect = use "redirect"
local report = use "report"
local staging = use "staging"
local trace = use "trace"
local units = use "units"
local clock, next, rawget, rawset, type = host.clock, next, rawget, rawset, type
local find, format, match = string.find, string.format, string.match
local globals, package = _G, package
local loaded = package.loaded

local txn = {
  deadline_ms = 1000,
  last = 0,
  unswept = nil, ---@type table? old → new functions of the last commit, not looked for everywhere yet
}

local function new(message)
  local tx = {
    id = message.tx,
    gen = message.gen or 0,
    dry = message.dry,
    steps = {},
    staged = {},
    ran = {},
    running = {}, -- names of units whose text is running
    n_ran = 0,
    map = {}, -- new table → live table
    roots = {},
    claimed = {}, -- live tables that have their partner
    redirect = {}, -- old function → new function
    inverse = {},
    cells = {}, -- upvalue id → functions that share the cell
    joined = {},
    taken_cells = {},
    notes = lang.list(),
    problems = lang.list(),
    edges = lang.list(),
    ms = { compile = 0, journal = 0, run = 0, merge = 0, walk = 0, hooks = 0, total = 0 },
  }
  for _, unit in next, message.units or {} do
    local step = staging.step(unit)
    tx.steps[#tx.steps + 1] = step
    tx.staged[step.name] = step
  end
  return tx
end

--- A failure of a stage as the runtime passes it on.
local function refuse(tx, stage, failure, outcome, reason)
  local problem = failure.message and failure or report.problem(failure, stage)
  local step = problem.unit and tx.staged[problem.unit]
  if type(failure.value) == "string" then
    if failure.value == tx.cycle then
      problem.code = "lua/require-cycle"
    elseif guard.refused and find(failure.value, guard.refused, 1, true) then
      problem.code = "lua/blocked-call"
    end
  end
  if step and step.act == "rerun" and problem.code == "lua/load-error" then
    problem.code = "lua/dependent-failed"
  end
  for _, frame in next, problem.frames do
    local unit = units.by_chunk[frame.chunk]
    frame.gen = unit and unit.gen
  end
  tx.problems[#tx.problems + 1] = problem
  return { outcome = outcome or "rolledBack", stage = stage, reason = reason }
end

--- Step 5: every text compiles before anything is touched.
local function compile(tx)
  local failed
  for _, step in next, tx.steps do
    if step.act ~= "remove" then
      local main, message = lang.compile(step.text, step.chunk)
      step.main = main
      if not main then
        local _, line, rest = report.split(message)
        local problem = report.state("lua/syntax", 1, "compile", step, rest)
        problem.line = line or 1
        tx.problems[#tx.problems + 1] = problem
        failed = { outcome = "rejected", stage = "compile" }
      end
    end
  end
  return failed
end

--- Step 7: the journal. Units with hooks or with the `package.loaded` idiom write to what is live, so it holds them too.
local function begin(tx, message)
  local log = journal.new()
  tx.journal, tx.globals = log, lang.copy(globals)
  if message.journal == "all" then
    for _, unit in next, units.by_name do
      journal.unit(log, unit)
    end
    tx.touched = units.by_name
  else
    tx.touched = {}
    for _, name in next, message.journal or {} do
      local unit = units.by_name[name]
      if unit then
        tx.touched[name] = unit
        journal.unit(log, unit)
      end
    end
  end
  for _, class in next, hot.classes do
    journal.table(log, class)
  end
  local saved, paths = {}, {}
  for _, step in next, tx.steps do
    step.own_entry = lang.mentions(step.text, "package.loaded")
    if step.own_entry and not log.tables[loaded] then
      journal.table(log, loaded)
    end
    if step.old and (step.own_entry or hooks.any(step.old)) then
      journal.unit(log, step.old)
    end
    if hot.data[step.name] then
      journal.owned(log, step.name, { hot.data[step.name] })
    end
    for _, path in next, step.old and step.policy.state or {} do
      paths[#paths + 1] = path
    end
    if #paths > 0 then
      saved[#saved + 1] = capture.save(step.old, paths)
      paths = {}
    end
  end
  tx.state = saved
  for _, step in next, tx.steps do
    journal.entry(log, step.name)
  end
end

--- Step 8: old code goes, dependents first. Reruns that may yet be skipped are told when their turn comes.
local function dispose(tx)
  for idx = #tx.steps, 1, -1 do
    local step = tx.steps[idx]
    if step.old and not step.when and step.act ~= "load" then
      step.disposed = true
      hooks.dispose(step.old, tx.problems)
      if guard.expired then
        return { outcome = "rolledBack", stage = "hooks" }
      end
    end
  end
end

--- Step 9: the texts run in order; removals are gone before.
local function run(tx)
  local n_given = #tx.steps
  tx.started = true
  for idx = 1, n_given do
    rawset(loaded, tx.steps[idx].name, nil)
  end
  for idx = 1, n_given do
    local step = tx.steps[idx]
    local failure = step.failure
    if step.state == "waiting" then
      failure = staging.turn(tx, step)
    end
    failure = failure or guard.expired
    if failure then
      return refuse(tx, "run", failure)
    end
  end
end

--- Step 10: the same kind of value, the delegates, the author's checks.
local function validate(tx)
  for _, step in next, tx.ran do
    local old = step.old
    if old and old.valued and not step.valued then
      return refuse(tx, "validate", report.state("lua/missing-return", 1, "validate", step, "the module returned a value before and returns none now"))
    end
    if old and old.valued and type(old.value) ~= type(step.value) then
      local text = format("the module's value was a %s and is now a %s", type(old.value), type(step.value))
      return refuse(tx, "validate", report.state("lua/kind-changed", 1, "validate", step, text), "needsRestart", "kind")
    end
    for _, name in next, step.policy.delegates or {} do
      local fn = type(step.value) == "table" and rawget(step.value, name)
      local meta = lang.getmetatable(fn)
      if type(fn) ~= "function" and not (type(meta) == "table" and rawget(meta, "__call")) then
        return refuse(tx, "validate", report.state("lua/missing-delegate", 1, "validate", step, "delegation target '" .. name .. "' is missing or cannot be called"))
      end
    end
    for _, check in next, step.hot.check do
      guard.unit = step
      local failure, verdict = guard.call(function()
        return check(step.value)
      end)
      guard.unit = nil
      if failure or not verdict then
        failure = failure or { value = "hot.check refused this version", frames = lang.list() }
        failure.code, failure.unit, failure.chunk = failure.code or "lua/check-failed", step.name, step.chunk
        return refuse(tx, "validate", failure)
      end
    end
  end
end

local function merge_all(tx)
  local failure = merge.all(tx)
  if failure then
    return refuse(tx, "merge", failure)
  end
  cells.settle(tx)
  for _, step in next, tx.ran do
    local old = step.old
    step.unit = {
      name = step.name,
      chunk = step.chunk,
      hash = step.hash,
      sum = step.sum or old and old.sum,
      size = step.size or old and old.size,
      value = step.final,
      valued = step.valued,
      fns = step.fns,
      policy = step.policy,
      gen = tx.gen,
      order = old and old.order,
      hot = step.hot,
      globals = old and old.globals,
    }
    rawset(loaded, step.name, step.final)
  end
end

local function redirect_all(tx)
  redirect.owned(tx)
  if not redirect.leaks(tx) then
    return
  end
  local hooked = false
  for _, step in next, tx.ran do
    hooked = hooked or hooks.any(step.unit)
  end
  if hooked then
    redirect.sweep(tx.redirect, function(it, key, value)
      journal.set(tx.journal, it, key, value)
    end, function(fn, idx, value)
      journal.set_upvalue(tx.journal, fn, idx, value)
    end)
  else
    tx.sweep_later = not tx.dry
  end
end

--- Step 13, dependencies first.
local function call_hooks(tx)
  for _, step in next, tx.ran do
    if step.old then
      local info = { generation = tx.gen, module = step.name, kept = step.kept, taken = step.taken, conflicts = step.conflicts }
      local problem = hooks.reload(step.unit, info, tx.problems)
      if problem then
        return refuse(tx, "hooks", problem)
      end
    end
  end
end

local function release(claims, kept)
  for key, claim in next, claims do
    if not (kept and kept[key]) and claim.release then
      guard.call(function()
        claim.release(claim.value)
      end)
    end
  end
end

--- Step 14.
local function commit(tx)
  cells.commit(tx)
  for _, step in next, tx.ran do
    local unit = step.unit
    if step.globals then
      local fields = lang.copy(unit.globals and unit.globals.fields or {})
      local assigned = marks.record(step.globals, nil, function(value)
        return type(value) == "table" and tx.map[value] or value
      end)
      for key, base in next, assigned.fields do
        fields[key] = base
      end
      unit.globals = { fields = fields }
    end
    units.put(unit)
    units.set_edges(step.name, step.edges)
    if step.old and step.old.hot then
      release(step.old.hot.claims, step.hot.claims)
    end
  end
  for _, step in next, tx.steps do
    if step.state == "removed" then
      units.remove(step.name)
      if step.old and step.old.hot then
        release(step.old.hot.claims)
      end
    elseif step.state == "skipped" and step.old then
      step.old.gen = step.old.gen
    end
  end
  for _, saved in next, tx.state do
    capture.write_back(tx.journal, saved)
  end
  if tx.sweep_later then
    txn.unswept = tx.redirect
  end
end

local function roll_back(tx)
  for _, step in next, tx.ran do
    local own = {}
    for key, claim in next, step.hot.claims do
      own[key] = not claim.inherited and claim or nil
    end
    release(own)
  end
  journal.roll_back(tx.journal)
  for _, saved in next, tx.state do
    capture.write_back(tx.journal, saved)
  end
end

--- State that a new process could not make again: everything that differs from its base.
local function dirty(tx)
  local all = {}
  local function refresh(unit)
    local slots = capture.changed(unit)
    for _, slot in next, slots do
      slot.path = unit.name .. ":" .. slot.path
    end
    txn.dirty[unit.name] = next(slots) and slots or nil
  end
  for _, step in next, tx.steps do
    local unit = units.by_name[step.name]
    if unit then
      refresh(unit)
    else
      txn.dirty[step.name] = nil
    end
  end
  for name, unit in next, tx.touched or {} do
    if not tx.staged[name] then
      refresh(unit)
    end
  end
  for _, slots in next, txn.dirty do
    for _, slot in next, slots do
      all[#all + 1] = slot
    end
  end
  for _, slot in next, capture.globals() do
    slot.path = ":" .. slot.path
    all[#all + 1] = slot
  end
  return (capture.encode(all))
end

--- Finishes what the last commit left for later. Must come before any project code.
---@return table? swept the message's fields
function txn.sweep()
  local map = txn.unswept
  if not map then
    return nil
  end
  txn.unswept = nil
  local started = clock()
  local redirected = redirect.sweep_committed(map)
  return { redirected = redirected, stale = 0, frames = 0, ms = lang.ms(clock() - started) }
end

local function outcome_of(tx, failure)
  return {
    t = "done",
    tx = tx.id,
    gen = tx.gen,
    outcome = failure and failure.outcome or "applied",
    stage = failure and failure.stage,
    reason = failure and failure.reason,
    units = lang.list(),
    problems = tx.problems,
    notes = tx.notes,
    holders = lang.list(),
    old = lang.list(),
    edges = tx.edges,
    sweep = tx.sweep_later and not failure and "running" or "done",
    ms = tx.ms,
  }
end

local function describe(tx, done, failure)
  for _, step in next, tx.steps do
    local ran = step.state == "done"
    done.units[#done.units + 1] = {
      name = step.name,
      act = step.act,
      ran = ran,
      kept = step.kept,
      taken = step.taken,
      conflicts = step.conflicts,
      redirected = step.redirected,
      grafted = 0,
      stale = 0,
      ms = lang.ms(step.seconds),
      chunk = step.found and step.chunk or nil,
      sum = step.sum,
      size = step.size,
    }
    for _, edge in next, step.edges do
      done.edges[#done.edges + 1] = edge
    end
  end
  if failure then
    hot.last_error = tx.problems[1] and tx.problems[1].message or failure.outcome
  else
    hot.last_error = nil
    hot.generation = tx.gen
  end
end

--- Runs stages one after the other; the time each took is the transaction's.
local function stages(tx, list)
  for _, stage in next, list do
    local started = clock()
    local failure = stage[2](tx)
    tx.ms[stage[1]] = tx.ms[stage[1]] + lang.ms(clock() - started)
    if failure then
      return failure
    end
  end
end

local STAGES = {
  { "hooks", dispose },
  { "run", run },
  { "run", validate },
  { "merge", merge_all },
  { "walk", redirect_all },
  { "hooks", call_hooks },
}

--- One `update`; sends `begin` and answers with `done`.
---@param message table
---@param send fun(message: table)
---@return table done
function txn.update(message, send)
  local started = clock()
  local tx = new(message)
  txn.last = tx.id
  local failure = compile(tx)
  tx.ms.compile = lang.ms(clock() - started)
  if failure then
    local done = outcome_of(tx, failure)
    describe(tx, done, failure)
    tx.ms.total = lang.ms(clock() - started)
    return done
  end

  local journaling = clock()
  begin(tx, message)
  tx.ms.journal = lang.ms(clock() - journaling)
  local captured = message.capture and #message.capture > 0 and txn.captured(message.capture) or nil
  send { t = "begin", tx = tx.id, captured = captured }

  function trace.staged(name, from, optional)
    return staging.require(tx, name, from, optional)
  end
  function trace.is_staged(name)
    return tx.staged[name] ~= nil
  end
  function hot.step_of(name)
    local step = tx.staged[name]
    return step and (step.state == "running" or step.state == "done") and step or nil
  end
  guard.start((message.deadlineMs or txn.deadline_ms) + 20 * math.max(0, #tx.steps - 10))
  failure = stages(tx, STAGES)
  if not failure and guard.expired then
    failure = refuse(tx, "hooks", guard.expired)
  end
  if failure or tx.dry then
    guard.rearm()
    roll_back(tx)
  else
    commit(tx)
  end
  for _, step in next, failure and tx.steps or {} do
    for _, fn in next, step.old and step.old.hot and step.old.hot.failed or {} do
      guard.call(function()
        fn(tx.problems[1] and tx.problems[1].message)
      end)
    end
  end
  guard.stop()
  trace.staged, trace.is_staged, hot.step_of, guard.unit = nil, nil, nil, nil
  output.flush()

  local done = outcome_of(tx, failure)
  describe(tx, done, failure)
  if not failure and not tx.dry then
    done.dirty = dirty(tx)
  end
  tx.ms.total = lang.ms(clock() - started)
  return done
end

txn.dirty = {}

--- Declared or asked-for state as `Content`.
---@param paths string[] units, or paths with their unit
---@return table content
---@return integer n_entries
---@return table[] dropped
function txn.captured(paths)
  local slots = {}
  for _, path in next, paths do
    local unit, rest = capture.split(path, nil)
    if unit then
      local kind, _, _, value = capture.slot(unit, rest)
      if kind then
        slots[#slots + 1] = { path = path, value = value }
      end
    elseif units.by_name[path] then
      for _, slot in next, capture.changed(units.by_name[path]) do
        slots[#slots + 1] = { path = path .. ":" .. slot.path, value = slot.value }
      end
    end
  end
  return capture.encode(slots)
end

--- One `restore`: writes state into the live program, all or nothing.
---@param message table
---@param send fun(message: table)
---@return table done
function txn.restore(message, send)
  local started = clock()
  local tx = new(message)
  txn.last = tx.id
  tx.journal = journal.new()
  tx.touched = units.by_name
  send { t = "begin", tx = tx.id }
  local lost = capture.restore(tx.journal, message.content or {})
  for _, path in next, lost do
    local name = match(path, "^([^:]*):") or path
    tx.problems[#tx.problems + 1] = report.state("lua/state-dropped", 2, "merge", units.by_name[name] or { name = name, chunk = "?" }, "'" .. path .. "' has no place any more")
  end
  local done = outcome_of(tx)
  done.dirty = dirty(tx)
  tx.ms.total = lang.ms(clock() - started)
  return done
end

return txn
