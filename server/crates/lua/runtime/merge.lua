--- The state merge: base, live and new value of every slot decide what the running program keeps and what it takes.
---
--- Tables stay the objects they are, functions become the new ones and are joined to the old cells. Raw access only;
--- every write to something live goes through the journal's log.

local NIL = use("cells").NIL
local guard = use "guard"
local journal = use "journal"
local lang = use "lang"
local marks = use "marks"
local report = use "report"
local getupvalue, setupvalue, upvalueid, upvaluejoin = lang.getupvalue, lang.setupvalue, lang.upvalueid, lang.upvaluejoin
local getmetatable = lang.getmetatable
local format = string.format
local next, rawequal, rawget, rawset, tostring, type = next, rawequal, rawget, rawset, tostring, type
local same, of, is = lang.same, marks.of, marks.is

local merge = {}

local MAX_NOTES = 200
local META = "<metatable>"

local merge_table, pair -- Slots, tables and functions recurse into one another.

local function path_of(path, key)
  if type(key) == "string" then
    return path == "" and key or path .. "." .. key
  end
  return path .. "[" .. (type(key) == "number" and tostring(key) or type(key)) .. "]"
end

local function note(ctx, rule, path, key, l, n, b)
  local notes = ctx.tx.notes
  if #notes < MAX_NOTES then
    notes[#notes + 1] = {
      unit = ctx.step.name,
      path = path_of(path, key),
      rule = rule,
      base = b ~= nil and (type(b) == "table" and b.type or report.show(b)) or nil,
      live = l ~= nil and report.show(l) or nil,
      source = n ~= nil and report.show(n) or nil,
    }
  end
end

local function problem(ctx, code, severity, path, key, text)
  local problems = ctx.tx.problems
  if #problems < MAX_NOTES then
    problems[#problems + 1] = report.state(code, severity, "merge", ctx.step, format("'%s' %s", path_of(path, key), text))
  end
end

local function conflict(ctx, path, key, l, n, b, why)
  ctx.step.conflicts = ctx.step.conflicts + 1
  note(ctx, "conflict", path, key, l, n, b)
  problem(ctx, "lua/state-conflict", 4, path, key, why or format("keeps %s, the source now says %s", report.show(l), report.show(n)))
end

--- Does the new value say what the last load said? Functions always do: code is replaced, not compared.
local function alike(ctx, n, b, seen)
  local kind = type(n)
  if kind == "table" then
    local snap = ctx.step.snaps[n]
    if not snap then
      return is(ctx.tx.map[n] or n, b)
    end
    if marks.type(b) ~= "table" or not b.base then
      return false
    end
    seen = seen or {}
    if seen[n] then
      return true
    end
    seen[n] = true
    local fields = b.base.fields
    for key, value in next, snap.fields do
      if fields[ctx.tx.map[key] or key] == nil or not alike(ctx, value, fields[ctx.tx.map[key] or key], seen) then
        return false
      end
    end
    for key in next, fields do
      if type(key) ~= "table" and type(key) ~= "function" and snap.fields[key] == nil then
        return false
      end
    end
    return true
  elseif kind == "function" and ctx.step.functions[n] then
    return marks.type(b) == "function"
  end
  return is(n, b)
end

--- A function that the program put around the one of the last load: pairs what is inside.
local function pair_wrapped(ctx, fn, n, b, depth)
  for idx = 1, 255 do
    local name, value = getupvalue(fn, idx)
    if not name then
      return
    end
    if type(value) == "function" then
      if of[value] == b then
        return pair(ctx, value, n)
      elseif depth > 0 then
        pair_wrapped(ctx, value, n, b, depth - 1)
      end
    end
  end
end

--- Decides one slot and returns what it must hold.
---@param ctx table
---@param l any live
---@param n any new
---@param b any base, nil if the load did not make the slot
---@param known boolean is there a base for the table or function at all?
local function slot(ctx, l, n, b, known, path, key)
  local tx, step = ctx.tx, ctx.step
  local resolved = n
  if type(n) == "table" then
    resolved = tx.map[n] or n
  end
  if ctx.declared then
    local full = path_of(path, key)
    if ctx.reset[full] then
      step.taken = step.taken + 1
      note(ctx, "reset", path, key, l, n, b)
      if type(l) == "function" and type(n) == "function" then
        pair(ctx, l, n)
      end
      return resolved
    elseif ctx.keep[full] then
      step.kept = step.kept + 1
      note(ctx, "keep", path, key, l, n, b)
      return l
    elseif ctx.migrate[full] and not same(l, resolved) then
      local failure, value = guard.call(function()
        return ctx.migrate[full](l, resolved)
      end)
      if failure then
        ctx.failure = ctx.failure or failure
        return l
      end
      note(ctx, "migrate", path, key, l, n, b)
      step.taken = step.taken + 1
      return value
    end
  end
  if same(l, resolved) then
    return l
  end

  local l_type, n_type = type(l), type(n)
  if l_type == "table" and n_type == "table" and step.snaps[n] and not tx.map[n] and not tx.claimed[l] then
    local mark = of[l]
    if not mark or not mark.unit or mark.unit == step.name then
      merge_table(ctx, l, n, marks.type(b) == "table" and type(b) == "table" and b.base or mark and mark.base, path_of(path, key))
      return l
    end
  end
  if l_type == "function" and n_type == "function" then
    if (b ~= nil and of[l] == b) or (b == nil and not known) then
      if step.functions[n] then
        pair(ctx, l, n)
      end
      return n
    elseif b ~= nil then
      pair_wrapped(ctx, l, n, b, 2)
      conflict(ctx, path, key, l, n, b, "was replaced at run time")
      return l
    end
  end

  if b == nil then
    if l == nil then
      step.taken = step.taken + 1
      note(ctx, "add", path, key, l, n, b)
      return resolved
    elseif known then
      conflict(ctx, path, key, l, n, b)
    else
      note(ctx, "unknown", path, key, l, n, b)
    end
    return l
  elseif n_type ~= marks.type(b) then
    step.taken = step.taken + 1
    note(ctx, "retype", path, key, l, n, b)
    if not is(l, b) then
      problem(ctx, "lua/state-type-changed", 2, path, key, format("was %s and is now %s", report.show(l), report.show(n)))
    end
    return resolved
  elseif is(l, b) then
    step.taken = step.taken + 1
    note(ctx, "take", path, key, l, n, b)
    return resolved
  elseif alike(ctx, n, b) then
    step.kept = step.kept + 1
    note(ctx, "keep", path, key, l, n, b)
    return l
  end
  conflict(ctx, path, key, l, n, b)
  return l
end

--- The key under which the live table holds what the new one holds under `key`.
local function live_key(tx, key)
  if type(key) == "table" then
    return tx.map[key] or key
  elseif type(key) == "function" then
    return tx.inverse[key] or key
  end
  return key
end

local function put(tx, live, key, value)
  if not rawequal(rawget(live, key), value) then
    journal.set(tx.journal, live, key, value)
  end
end

--- A sequence of the source: index by index if the program left it alone, else one value.
local function merge_array(ctx, live, fields, snap, base, path)
  local tx, step = ctx.tx, ctx.step
  local n_new = lang.count(snap.fields)
  local untouched = fields[base.n + 1] == nil
  for idx = 1, base.n do
    untouched = untouched and is(fields[idx], base.fields[idx])
  end
  if untouched then
    for idx = 1, n_new do
      put(tx, live, idx, slot(ctx, fields[idx], snap.fields[idx], base.fields[idx], true, path, idx))
    end
    for idx = n_new + 1, base.n do
      step.taken = step.taken + 1
      put(tx, live, idx, nil)
    end
    return
  end

  local equal = n_new == base.n
  local new_of = {}
  for idx = 1, n_new do
    local b = base.fields[idx]
    equal = equal and alike(ctx, snap.fields[idx], b)
    if type(b) == "table" then
      new_of[b] = snap.fields[idx]
    end
  end
  for idx = 1, lang.count(fields) do
    local mark = of[fields[idx]]
    if mark and new_of[mark] ~= nil then
      put(tx, live, idx, slot(ctx, fields[idx], new_of[mark], mark, true, path, idx))
    elseif rawequal(live, ctx.self_merged) then
      put(tx, live, idx, fields[idx])
    end
  end
  if equal then
    step.kept = step.kept + 1
    note(ctx, "keep", path, "*", live, nil, nil)
  else
    conflict(ctx, path, "*", live, nil, nil, "was changed by the program and by the source; the program's elements stay")
  end
end

--- One slot of another name that looks like where an orphan went.
local function successor(snap, base, b)
  local found
  if type(b) == "table" then
    return nil
  end
  for key, n in next, snap.fields do
    if base.fields[key] == nil and is(n, b) then
      if found ~= nil then
        return nil
      end
      found = key
    end
  end
  return found
end

local function drop(ctx, live, key, l, b, snap, base, path)
  local tx, step = ctx.tx, ctx.step
  if l == nil then
    return
  end
  local own = type(l) == "function" and of[l] and of[l].unit == step.name
  if own or (is(l, b) and (type(l) ~= "table" or marks.untouched(l, b))) then
    step.taken = step.taken + 1
    note(ctx, "drop", path, key, l, nil, b)
    put(tx, live, key, nil)
    return
  end
  step.kept = step.kept + 1
  local name = successor(snap, base, b)
  if name ~= nil then
    note(ctx, "renamed", path, key, l, nil, b)
    problem(ctx, "lua/state-renamed", 3, path, key, format("holds %s and seems to be '%s' now", report.show(l), path_of(path, name)))
  else
    note(ctx, "orphan", path, key, l, nil, b)
    problem(ctx, "lua/state-dropped", 2, path, key, format("is gone from the source and still holds %s", report.show(l)))
  end
end

--- What other top levels did to the new table after its own run: additions are applied, the rest live state has.
local function effects(tx, live, new, snap)
  for key, value in next, new do
    if snap.fields[key] == nil then
      local resolved = type(value) == "table" and tx.map[value] or value
      if type(key) ~= "number" then
        local at = live_key(tx, key)
        if rawget(live, at) == nil then
          journal.set(tx.journal, live, at, resolved)
        end
      else
        local n, contained = lang.count(live), false
        for idx = 1, n do
          local element = rawget(live, idx)
          contained = contained or rawequal(element, resolved) or tx.redirect[element] == value or merge.equal_records(tx, element, value)
        end
        if not contained then
          journal.set(tx.journal, live, n + 1, resolved)
        end
      end
    end
  end
end

--- Do two records hold the same fields, after pairing?
function merge.equal_records(tx, a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return false
  end
  for key, value in next, b do
    local l = rawget(a, key)
    if not (same(l, value) or tx.map[value] ~= nil and rawequal(tx.map[value], l) or l ~= nil and rawequal(tx.redirect[l], value)) then
      return false
    end
  end
  for key in next, a do
    if rawget(b, key) == nil then
      return false
    end
  end
  return true
end

function merge_table(ctx, live, new, base, path)
  local tx, step = ctx.tx, ctx.step
  tx.map[new], tx.claimed[live] = live, true
  local snap = step.snaps[new]
  local fields = live
  if rawequal(live, new) then
    fields, ctx.self_merged = journal.before(tx.journal, live), live
    if fields == live then
      return
    end
  end
  local b_fields = base and base.fields or {}
  local seen, later = {}, nil

  local snap_is_array = lang.count(snap.fields)
  for key in next, snap.fields do
    if type(key) ~= "number" or key > snap_is_array then
      snap_is_array = nil
      break
    end
  end
  if base and base.array and snap_is_array and (base.n > 0 or snap_is_array > 0) then
    merge_array(ctx, live, fields, snap, base, path)
  else
    local function field(key, n)
      local at = live_key(tx, key)
      seen[at] = true
      put(tx, live, at, slot(ctx, rawget(fields, at), n, b_fields[at], base ~= nil, path, key))
    end
    for key, n in next, snap.fields do
      local kind = type(key)
      if kind == "table" or kind == "function" then
        later = later or {}
        later[key] = n
      else
        field(key, n)
      end
    end
    for key, n in next, later or {} do
      field(key, n)
    end
    for key, b in next, b_fields do
      if not seen[key] then
        drop(ctx, live, key, rawget(fields, key), b, snap, base, path)
      end
    end
  end

  local before = rawequal(live, new) and tx.journal.tables[live]
  local meta
  if before then
    meta = before.meta
  else
    meta = getmetatable(live)
  end
  local value = meta
  if snap.meta ~= nil then
    value = slot(ctx, meta, snap.meta, base and base.meta, base ~= nil, path, META)
  elseif base and base.meta ~= nil and is(meta, base.meta) then
    value = nil -- The source dropped it; one that the program set itself stays.
  end
  if not rawequal(value, getmetatable(live)) then
    journal.set_meta(tx.journal, live, value)
  end
  if tx.n_ran > 1 and not rawequal(live, new) then
    effects(tx, live, new, snap)
  end
end

--- Decides one upvalue: the old cell survives, with the value that the rules give, and all new closures join it.
local function join(ctx, old, j, new, i, name, base)
  local tx, step = ctx.tx, ctx.step
  local ups = step.functions[new]
  local _, l = getupvalue(old, j)
  local n = ups[name]
  if rawequal(n, NIL) then
    n = nil
  end
  local b = base and base[name]
  if not upvaluejoin then
    local value = slot(ctx, l, n, b, base ~= nil, "", "~" .. name)
    setupvalue(new, i, value)
    return
  end
  local new_id, old_id = upvalueid(new, i), upvalueid(old, j)
  if new_id == old_id or tx.joined[new_id] then
    return
  end
  tx.joined[new_id] = old_id
  local cell = tx.cells[new_id]
  if tx.taken_cells[old_id] then
    setupvalue(new, i, l)
    return
  end
  tx.taken_cells[old_id] = true
  local value = slot(ctx, l, n, b, base ~= nil, "", "~" .. name)
  if not rawequal(value, l) then
    journal.set_upvalue(tx.journal, old, j, value)
  end
  for idx = 1, #cell, 2 do
    upvaluejoin(cell[idx], cell[idx + 1], old, j)
  end
end

function pair(ctx, old, new)
  local tx, step = ctx.tx, ctx.step
  if tx.redirect[old] or tx.inverse[new] or rawequal(old, new) or not step.functions[new] then
    return
  end
  local mark = of[old]
  local unit = mark and mark.unit
  if unit ~= step.name and lang.getinfo(old, "S").source ~= step.chunk then
    return -- Someone else's function, or C: it is not what this text defines.
  end
  tx.redirect[old], tx.inverse[new] = new, old
  step.redirected = step.redirected + 1
  if next(step.functions[new]) == nil then
    return -- Nothing to join.
  end
  local base = mark and mark.ups
  local at = {}
  for j = 1, 255 do
    local name = getupvalue(old, j)
    if not name then
      break
    end
    at[name] = at[name] or j
  end
  for i = 1, 255 do
    local name = getupvalue(new, i)
    if not name then
      break
    end
    if name ~= "_ENV" and name ~= "" and at[name] then
      join(ctx, old, at[name], new, i, name, base)
    end
  end
end

local function set_of(...)
  local set, any = {}, false
  for idx = 1, select("#", ...) do
    for _, path in next, select(idx, ...) or {} do
      set[path], any = true, true
    end
  end
  return set, any
end

local function context(tx, step)
  local keep, any_keep = set_of(step.policy.keep, step.hot.keep)
  local reset, any_reset = set_of(step.policy.reset, step.hot.reset)
  return {
    tx = tx,
    step = step,
    keep = keep,
    reset = reset,
    migrate = step.hot.migrate,
    declared = any_keep or any_reset or next(step.hot.migrate) ~= nil,
  }
end

--- Merges the globals that a top level assigned, as slots of the unit.
local function merge_globals(ctx, globals)
  local tx, step = ctx.tx, ctx.step
  local base = step.old and step.old.globals
  for key, n in next, step.globals or {} do
    local b = base and base.fields[key]
    -- A global that this unit did not make before is simply assigned, as Lua does.
    local value = b ~= nil and slot(ctx, step.globals_before[key], n, b, true, "_G", key) or nil
    if b == nil then
      value = type(n) == "table" and tx.map[n] or n
    end
    if rawequal(rawget(globals, key), n) then
      put(tx, globals, key, value)
    end
  end
  for key, b in next, base and base.fields or {} do
    if (step.globals or {})[key] == nil and type(key) == "string" and not lang.mentions(step.text, key) then
      drop(ctx, globals, key, rawget(globals, key), b, { fields = step.globals or {} }, base, "_G")
    end
  end
end

--- Merges every unit that ran; `step.final` is what `package.loaded` will hold.
---@param tx table
---@return table? failure of a `migrate` function
function merge.all(tx)
  for _, step in next, tx.ran do
    local l = step.old and step.old.value
    if type(l) == "table" and type(step.value) == "table" and step.snaps[step.value] and not rawequal(l, step.value) then
      tx.roots[step.value] = l
    end
  end
  -- Roots are known before any slot is looked at, so that a cycle of modules finds its live tables.
  for new, live in next, tx.roots do
    tx.map[new], tx.claimed[live] = live, true
  end
  for _, step in next, tx.ran do
    local ctx = context(tx, step)
    local n, old = step.value, step.old
    step.final = n
    if old and old.valued and step.valued then
      local l = old.value
      if type(n) == "table" and type(l) == "table" and step.snaps[n] then
        merge_table(ctx, l, n, of[l] and of[l].base, "")
        step.final = l
      elseif type(n) == "function" and type(l) == "function" then
        pair(ctx, l, n)
      elseif type(n) == "table" then
        step.final = tx.map[n] or n
      end
    end
    merge_globals(ctx, _G)
    if ctx.failure then
      ctx.failure.unit, ctx.failure.chunk = step.name, ctx.failure.chunk or step.chunk
      return ctx.failure
    end
  end
end

return merge
