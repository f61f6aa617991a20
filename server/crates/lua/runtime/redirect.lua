--- Redirecting: whoever holds an old function gets the new one.
---
--- `owned` covers the affected units and those that required one of them; `sweep` covers everything reachable and runs
--- only when a changed function may have leaked, in the worker after `done`, as no project code runs before it ends.

local journal = use "journal"
local lang = use "lang"
local units = use "units"
local walk = use "walk"
local getinfo, getlocal, setlocal = lang.getinfo, lang.getlocal, lang.setlocal
local getupvalue, setupvalue, getmetatable = lang.getupvalue, lang.setupvalue, lang.getmetatable
local next, rawget, rawset, type = next, rawget, rawset, type
local running = coroutine.running

local redirect = {}

--- Replaces inside one table; keys keep their values.
local function fields_of(it, map, set)
  local changed
  for key, value in next, it do
    local new = map[value]
    if new then
      set(it, key, new)
    end
    if map[key] then
      changed = changed or {}
      changed[#changed + 1] = key
    end
  end
  for _, key in next, changed or {} do
    local value = rawget(it, key)
    set(it, key, nil)
    set(it, map[key], value)
  end
end

local function upvalues_of(fn, map, set_upvalue)
  local idx = 1
  while true do
    local name, value = getupvalue(fn, idx)
    if not name then
      return idx > 1
    end
    local new = type(value) == "function" and map[value]
    if new then
      set_upvalue(fn, idx, new)
    end
    idx = idx + 1
  end
end

--- Redirects in all slots that the affected units and their requirers own. Undoable.
---@param tx table
function redirect.owned(tx)
  local map = tx.redirect
  if next(map) == nil then
    return
  end
  local log = tx.journal
  local function set(it, key, value)
    journal.set(log, it, key, value)
  end
  local function set_upvalue(fn, idx, value)
    journal.set_upvalue(log, fn, idx, value)
  end
  local seen, scanned = {}, {}
  local function scan(name, value, globals)
    if scanned[name] then
      return
    end
    scanned[name] = true
    local roots = {}
    if type(value) == "table" or type(value) == "function" then
      roots[1] = map[value] or value
    end
    for key in next, globals or {} do
      local global = rawget(_G, key)
      if map[global] then
        set(_G, key, map[global])
        global = map[global]
      end
      if type(global) == "table" or type(global) == "function" then
        roots[#roots + 1] = global
      end
    end
    walk.owned(roots, name, seen, false, function(it)
      fields_of(it, map, set)
    end, function(fn)
      return upvalues_of(fn, map, set_upvalue)
    end)
  end

  for _, step in next, tx.steps do
    local unit = step.unit or step.old
    if unit then
      scan(unit.name, step.final or unit.value, unit.globals and unit.globals.fields)
    end
  end
  for _, step in next, tx.ran do
    if step.redirected > 0 then
      for name in next, units.dependents(step.name) do
        local unit = units.by_name[name]
        if unit then
          scan(name, unit.value, unit.globals and unit.globals.fields)
          local value = rawget(package.loaded, name)
          if value ~= nil and map[value] then
            set(package.loaded, name, map[value])
          end
        end
      end
    end
  end
end

--- May an old function of this transaction be held where `owned` does not look?
---@param tx table
---@return boolean
function redirect.leaks(tx)
  if next(tx.redirect) == nil then
    return false
  end
  for _, step in next, tx.ran do
    if step.act == "replace" and step.redirected > 0 then
      if next(step.fns) == nil then
        return true -- No index: nothing is known about its functions.
      end
      local old = step.old and step.old.fns or {}
      for id, fn in next, step.fns do
        if fn.leak and not (old[id] and old[id].h == fn.h) then
          return true
        end
      end
    end
  end
  return false
end

--- Redirects everywhere: registry, globals, keys, metatables, upvalues, locals of suspended coroutines.
---@param map table<function, function> old → new
---@param set fun(it: table, key: any, value: any)
---@param set_upvalue fun(fn: function, idx: integer, value: any)
---@return integer n_redirected
function redirect.sweep(map, set, set_upvalue)
  local n_redirected = 0
  local seen, stack, n = { [map] = true }, {}, 0
  local function counted(it, key, value)
    if value ~= nil then
      n_redirected = n_redirected + 1
    end
    set(it, key, value)
  end
  local function counted_upvalue(fn, idx, value)
    n_redirected = n_redirected + 1
    set_upvalue(fn, idx, value)
  end
  local enters = { table = true, ["function"] = true, thread = true, userdata = true }
  local function push(value)
    if enters[type(value)] and not seen[value] then
      seen[value] = true
      n = n + 1
      stack[n] = value
    end
  end

  local function thread_of(thread)
    if thread == running() then
      return
    end
    local level = 0
    while true do
      local info = getinfo(thread, level, "f")
      if not info then
        return
      end
      push(info.func)
      local idx = 1
      while true do
        local name, value = getlocal(thread, level, idx)
        if not name then
          break
        end
        if type(value) == "function" and map[value] then
          setlocal(thread, level, idx, map[value])
          n_redirected = n_redirected + 1
          value = map[value]
        end
        push(value)
        idx = idx + 1
      end
      level = level + 1
    end
  end

  push(lang.getregistry())
  push(_G)
  push(getmetatable(""))
  while n > 0 do
    local value = stack[n]
    stack[n] = nil
    n = n - 1
    local kind = type(value)
    if kind == "table" then
      fields_of(value, map, counted)
      for key, inner in next, value do
        push(key)
        push(inner)
      end
      push(getmetatable(value))
    elseif kind == "function" then
      local source = getinfo(value, "S").source
      if source ~= lang.source then
        if source ~= "=[C]" then
          upvalues_of(value, map, counted_upvalue)
        end
        -- C functions too: the thread of a `coroutine.wrap` is an upvalue.
        local idx = 1
        while true do
          local name, inner = getupvalue(value, idx)
          if not name then
            break
          end
          push(inner)
          idx = idx + 1
        end
      end
    elseif kind == "thread" then
      thread_of(value)
    else
      push(getmetatable(value))
    end
  end
  return n_redirected
end

--- The same after commit, when there is nothing left to undo.
---@return integer n_redirected
function redirect.sweep_committed(map)
  return redirect.sweep(map, rawset, setupvalue)
end

return redirect
