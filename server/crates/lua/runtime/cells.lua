--- What a run has just made: its tables with their fields, its functions with their upvalues and shared cells.
---
--- Taken right after the unit's own run, before another top level can change it (N of the merge rules); what survives
--- the merge becomes the next base.

local journal = use "journal"
local lang = use "lang"
local marks = use "marks"
local walk = use "walk"
local getupvalue, setupvalue, upvalueid = lang.getupvalue, lang.setupvalue, lang.upvalueid
local getmetatable, setmetatable = lang.getmetatable, lang.setmetatable
local next, rawequal, rawget, rawset, type = next, rawequal, rawget, rawset, type
local copy = lang.copy
local of = marks.of

local NIL = {} -- Stands for nil among recorded upvalues.
local NONE = {} -- The upvalues of the many functions that have none.
local WEAK_KEYS = { __mode = "k" }
local cells = { NIL = NIL }

--- Records what one step's run made and marks it as the unit's.
---@param tx table
---@param step table
function cells.snapshot(tx, step)
  local unit, snaps, functions = step.name, {}, {}
  step.snaps, step.functions = snaps, functions
  local roots, paths = {}, {}
  local function root(value, path)
    local mark = of[value]
    if not (mark and mark.unit) or (mark.unit == unit and rawequal(value, step.value)) then
      roots[#roots + 1], paths[#paths + 1] = value, path
    end
  end
  local kind = type(step.value)
  if kind == "table" or kind == "function" then
    root(step.value, "")
  end
  for key, value in next, step.globals or {} do
    if type(value) == "table" or type(value) == "function" then
      root(value, "_G." .. tostring(key))
    end
  end
  if #roots == 0 then
    return
  end
  -- In a cycle the value of a module that is still running can be reached: it is that module's, not ours.
  for name in next, tx.running do
    local early = rawget(package.loaded, name)
    if type(early) == "table" or type(early) == "function" then
      local mark = marks.mark(early)
      mark.unit, mark.path = mark.unit or name, mark.path or ""
    end
  end

  walk.owned(roots, unit, {}, true, function(it, path)
    snaps[it] = { fields = copy(it), meta = getmetatable(it) }
    marks.own(it, unit, path)
  end, function(fn, path)
    local ups = NONE
    local idx = 1
    while true do
      local name, value = getupvalue(fn, idx)
      if not name then
        break
      end
      if name ~= "_ENV" then
        if ups == NONE then
          ups = {}
        end
        if ups[name] == nil then
          if value == nil then
            value = NIL
          end
          ups[name] = value
        end
        local id = upvalueid and upvalueid(fn, idx)
        if id then
          local cell = tx.cells[id]
          if not cell then
            cell = {}
            tx.cells[id] = cell
          end
          cell[#cell + 1] = fn
          cell[#cell + 1] = idx
        end
      end
      idx = idx + 1
    end
    functions[fn] = ups
    marks.own(fn, unit, path)
    return ups ~= NONE
  end, paths)
end

--- Lets everything that the runs made, and every slot that they changed elsewhere, refer to live tables.
---@param tx table
function cells.settle(tx)
  local map = tx.map
  if next(map) == nil then
    return
  end
  for _, step in next, tx.steps do
    for fn, ups in next, step.functions or {} do
      local idx = 1
      while ups ~= NONE do
        local name, value = getupvalue(fn, idx)
        if not name then
          break
        end
        local live = type(value) == "table" and map[value]
        if live and live ~= value and name ~= "_ENV" then
          setupvalue(fn, idx, live)
        end
        idx = idx + 1
      end
    end
    for it in next, step.snaps or {} do
      if not map[it] then
        cells.adopt(it, map)
      end
    end
  end
  for it, saved in next, tx.journal.tables do
    local changed = journal.changes(it, saved.fields)
    for key, value in next, changed or {} do
      local live = type(value) == "table" and map[value]
      if live and live ~= value then
        journal.set(tx.journal, it, key, live)
      end
    end
  end
end

--- Replaces what was merged away inside a table that the live program takes over as it is.
function cells.adopt(it, map)
  local moved
  for key, value in next, it do
    local live = type(value) == "table" and map[value]
    if live then
      rawset(it, key, live)
    end
    if type(key) == "table" and map[key] then
      moved = moved or {}
      moved[#moved + 1] = key
    end
  end
  for _, key in next, moved or {} do
    local value = rawget(it, key)
    rawset(it, key, nil)
    rawset(it, map[key], value)
  end
  local meta = getmetatable(it)
  if type(meta) == "table" and map[meta] then
    setmetatable(it, map[meta])
  end
end

--- Makes what the runs gave the base of the next merge. Marks pass to the functions that replaced theirs.
---@param tx table
function cells.commit(tx)
  local map = tx.map
  for old, new in next, tx.redirect do
    local mark = of[old]
    if mark then
      of[new] = mark
    end
  end
  local function final(value)
    if type(value) == "table" then
      return map[value] or value
    end
    return value
  end
  for _, step in next, tx.steps do
    for it, snap in next, step.snaps or {} do
      local mark = marks.mark(map[it] or it)
      mark.unit = step.name
      mark.base = marks.record(snap.fields, snap.meta, final)
    end
    local functions = step.functions or {}
    for fn, ups in next, functions do
      local mark = marks.mark(fn)
      local recorded = ups
      if ups ~= NONE then
        recorded = {}
        for name, value in next, ups do
          if not rawequal(value, NIL) then
            recorded[name] = marks.base_of(final(value))
          end
        end
      end
      mark.unit, mark.ups = step.name, recorded
      functions[fn] = true -- What the upvalues held is not kept alive.
    end
    if step.unit then
      step.unit.functions = setmetatable(functions, WEAK_KEYS)
    end
  end
end

return cells
