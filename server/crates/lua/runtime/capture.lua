--- State as data: slots named by paths, deep copies, and `Content` for the wire.
---
--- A path is `field.inner[3]`, `~name` for an upvalue of the function before it or, first, of any function of the
--- unit, and `_G.name`; a unit in front of a colon says whose. Raw access only.

local host = use "host"
local journal = use "journal"
local lang = use "lang"
local marks = use "marks"
local units = use "units"
local walk = use "walk"
local getupvalue, getmetatable, upvalueid = lang.getupvalue, lang.getmetatable, lang.upvalueid
local concat, floor, huge = table.concat, math.floor, math.huge
local find, format, gmatch, match, sub = string.find, string.format, string.gmatch, string.match, string.sub
local next, rawequal, rawget, tonumber, tostring, type = next, rawequal, rawget, tonumber, tostring, type
local math_type, of = math.type, marks.of

local capture = {}

local MAX_ENTRIES = 50000
local standard = lang.copy(_G)

local function upvalue_named(fn, name)
  for idx = 1, 255 do
    local found, value = getupvalue(fn, idx)
    if not found then
      return
    elseif found == name then
      return idx, value
    end
  end
end

--- Finds the slot behind a path.
---@param unit Unit
---@param path string
---@return "field"|"upvalue"|"meta"|nil kind
---@return any holder table or function
---@return any key field or index
---@return any value
function capture.slot(unit, path)
  local kind, holder, key
  local value = unit.value
  local segments = {}
  for part in gmatch(path, "[^.]+") do
    local name, indices = match(part, "^([^%[]*)(.*)$")
    if name ~= "" then
      segments[#segments + 1] = name
    end
    for idx in gmatch(indices, "%[(%-?%d+)%]") do
      segments[#segments + 1] = tonumber(idx)
    end
  end
  for idx = 1, #segments do
    local segment = segments[idx]
    if idx == 1 and segment == "_G" then
      kind, holder, key, value = nil, nil, nil, _G
    elseif segment == "<metatable>" then
      kind, holder, key, value = "meta", value, nil, getmetatable(value)
    elseif type(segment) == "string" and sub(segment, 1, 1) == "~" then
      local name = sub(segment, 2)
      local fn = value
      local at, inner
      if type(fn) == "function" then
        at, inner = upvalue_named(fn, name)
      elseif idx == 1 then
        walk.owned({ unit.value }, unit.name, {}, false, function() end, function(it)
          if not at then
            at, inner = upvalue_named(it, name)
            fn = it
          end
        end)
      end
      if not at then
        return nil
      end
      kind, holder, key, value = "upvalue", fn, at, inner
    elseif type(value) == "table" then
      kind, holder, key, value = "field", value, segment, rawget(value, segment)
    else
      return nil
    end
  end
  return kind, holder, key, value
end

--- Splits `unit:path`; without a unit the path belongs to `unit`.
---@return Unit?
---@return string path
function capture.split(path, unit)
  local name, rest = match(path, "^([^:]+):(.*)$")
  if name then
    return units.by_name[name], rest
  end
  return unit, path
end

local function write(log, kind, holder, key, value)
  if kind == "field" then
    if not rawequal(rawget(holder, key), value) then
      journal.set(log, holder, key, value)
    end
  elseif kind == "upvalue" then
    journal.set_upvalue(log, holder, key, value)
  elseif kind == "meta" then
    journal.set_meta(log, holder, value)
  end
end

--- A deep copy: cycles, sharing, keys; metatables by reference; what is not a table stays the same object.
function capture.copy(value, memo)
  if type(value) ~= "table" then
    return value
  end
  memo = memo or {}
  if memo[value] then
    return memo[value]
  end
  local copy = {}
  memo[value] = copy
  for key, inner in next, value do
    copy[capture.copy(key, memo)] = capture.copy(inner, memo)
  end
  return lang.setmetatable(copy, getmetatable(value))
end

--- Writes a copy back in place: tables that are there stay the objects they are.
local function write_back(log, live, copy, memo)
  if type(copy) ~= "table" or type(live) ~= "table" then
    return copy
  end
  if memo[copy] then
    return memo[copy]
  end
  memo[copy] = live
  for key in next, live do
    if rawget(copy, key) == nil then
      journal.set(log, live, key, nil)
    end
  end
  for key, value in next, copy do
    local now = rawget(live, key)
    local new = write_back(log, now, value, memo)
    if not rawequal(now, new) then
      journal.set(log, live, key, new)
    end
  end
  return live
end

--- Copies declared state.
---@param unit Unit
---@param paths string[]
---@return table[] saved
function capture.save(unit, paths)
  local saved, memo = {}, {}
  for _, path in next, paths do
    local of_unit, rest = capture.split(path, unit)
    local kind, _, _, value = nil, nil, nil, nil
    if of_unit then
      kind, _, _, value = capture.slot(of_unit, rest)
    end
    if kind then
      saved[#saved + 1] = { unit = of_unit.name, path = rest, live = value, value = capture.copy(value, memo) }
    end
  end
  return saved
end

--- Writes declared state back, into the same tables where they still exist.
---@param log table journal
---@param saved table[]
function capture.write_back(log, saved)
  local memo = {}
  for _, it in next, saved do
    local unit = units.by_name[it.unit]
    if unit then
      local kind, holder, key = capture.slot(unit, it.path)
      if kind then
        write(log, kind, holder, key, write_back(log, it.live, it.value, memo))
      end
    end
  end
end

--- The slots of a unit whose live value is not what its load made.
---@param unit Unit
---@return table[] slots path and value
function capture.changed(unit)
  local slots, cells = {}, {}
  local function compare(path, value, base)
    local untouched
    if type(value) == "function" and base == of[value] and base then
      return
    elseif type(value) == "table" and marks.type(base) == "table" then
      untouched = marks.untouched(value, base)
    else
      untouched = marks.is(value, base) or type(value) == "function" and marks.type(base) == "function"
    end
    if not untouched then
      slots[#slots + 1] = { path = path, value = value }
    end
  end
  local value = unit.value
  local root = of[value]
  if type(value) == "table" and root and root.unit == unit.name and root.base then
    local fields = root.base.fields
    for key, inner in next, value do
      if type(key) == "string" then
        compare(key, inner, fields[key])
      elseif type(key) == "number" then
        compare("[" .. key .. "]", inner, fields[key])
      end
    end
    for key in next, fields do
      if type(key) == "string" and rawget(value, key) == nil then
        slots[#slots + 1] = { path = key, value = nil }
      end
    end
  end
  for key, base in next, unit.globals and unit.globals.fields or {} do
    if type(key) == "string" then
      compare("_G." .. key, rawget(_G, key), base)
    end
  end
  for fn in next, unit.functions do
    local mark = of[fn]
    for idx = 1, mark and mark.ups and mark.path and 255 or 0 do
      local name, inner = getupvalue(fn, idx)
      if not name then
        break
      end
      local id = upvalueid and upvalueid(fn, idx)
      if name ~= "_ENV" and not (id and cells[id]) and not rawequal(inner, value) then
        if id then
          cells[id] = true
        end
        compare((mark.path == "" and "" or mark.path .. ".") .. "~" .. name, inner, mark.ups[name])
      end
    end
  end
  return slots
end

--- Globals that no top level assigned: made by running code.
---@return table[] slots
function capture.globals()
  local slots = {}
  for key, value in next, _G do
    if type(key) == "string" and standard[key] == nil and not units.owns_global(key) and type(value) ~= "function" then
      slots[#slots + 1] = { path = "_G." .. key, value = value }
    end
  end
  return slots
end

--- Is the text valid UTF-8, as far as JSON cares?
local function is_utf8(text)
  if not find(text, "[\128-\255]") then
    return true
  end
  if utf8 and utf8.len then
    return utf8.len(text) ~= nil
  end
  return false
end

--- Writes slots as `Content`; what cannot travel is listed.
---@param slots table[] `{path, value}`, paths with their unit
---@return table content
---@return integer n_entries
---@return table[] dropped
function capture.encode(slots)
  local tables, ids, dropped, n_entries = lang.list(), {}, lang.list(), 0
  local value_of

  local function name_of(object)
    local mark = of[object]
    if mark and mark.unit and mark.unit ~= marks.BUILTIN and mark.path then
      return mark.unit .. "#" .. mark.path
    end
  end

  local function table_of(it, path)
    if ids[it] then
      return ids[it]
    end
    local entry = { a = lang.list(), h = lang.list(), id = name_of(it) }
    tables[#tables + 1] = entry
    local id = #tables - 1
    ids[it] = id
    local n = lang.count(it)
    for idx = 1, n do
      local val = value_of(rawget(it, idx), path)
      entry.a[idx] = val == nil and { n = "nil" } or val
    end
    for key, inner in next, it do
      if not (type(key) == "number" and key >= 1 and key <= n and floor(key) == key) then
        local k, v = value_of(key, path), value_of(inner, path)
        if k ~= nil and v ~= nil then
          entry.h[#entry.h + 1] = lang.list { k, v }
        end
      end
    end
    local meta = getmetatable(it)
    if type(meta) == "table" then
      entry.m = name_of(meta) or table_of(meta, path)
    end
    return id
  end

  function value_of(value, path)
    n_entries = n_entries + 1
    local kind = type(value)
    if kind == "boolean" then
      return value
    elseif kind == "string" then
      return is_utf8(value) and value or { b = host.to64(value) }
    elseif kind == "number" then
      if value ~= value then
        return { n = "nan" }
      elseif value == huge or value == -huge then
        return { n = value > 0 and "inf" or "-inf" }
      elseif math_type and math_type(value) == "integer" then
        return (value < 2 ^ 53 and value > -2 ^ 53) and value or { i = tostring(value) }
      elseif math_type and floor(value) == value then
        return { d = format("%.17g", value) }
      end
      return value
    elseif kind == "nil" then
      return { n = "nil" }
    elseif n_entries > MAX_ENTRIES then
      dropped[#dropped + 1] = { path = path, why = "too much state" }
      return nil
    elseif kind == "table" then
      local mark = of[value]
      local unit = mark and mark.unit and units.by_name[mark.unit]
      if unit and rawequal(unit.value, value) then
        return { f = unit.name .. "#" }
      elseif mark and mark.unit == marks.BUILTIN then
        dropped[#dropped + 1] = { path = path, why = "part of the standard library" }
        return nil
      end
      return { t = table_of(value, path) }
    elseif kind == "function" and name_of(value) then
      return { f = name_of(value) }
    end
    dropped[#dropped + 1] = { path = path, why = kind == "function" and "unnamed function" or kind }
    return nil
  end

  local roots = {}
  for _, it in next, slots do
    roots[it.path] = value_of(it.value, it.path)
  end
  return { v = 1, roots = roots, tables = tables }, n_entries, dropped
end

--- Writes `Content` into the live program, undoably. Returns the paths that lead nowhere.
---@param log table journal
---@param content table
---@return string[] lost
function capture.restore(log, content)
  local lost, made = {}, {}
  local tables = content.tables or {}

  local function object(id)
    local name, path = match(id, "^(.-)#(.*)$")
    local unit = name and units.by_name[name]
    if not unit then
      return nil
    elseif path == "" then
      return unit.value
    end
    local _, _, _, value = capture.slot(unit, path)
    return value
  end

  local value_of
  local function table_of(idx)
    if made[idx] then
      return made[idx]
    end
    local entry = tables[idx + 1]
    if not entry then
      return nil
    end
    local live = entry.id and object(entry.id)
    local it = type(live) == "table" and live or {}
    made[idx] = it
    local fields = {}
    for n, val in next, entry.a or {} do
      fields[n] = value_of(val)
    end
    for _, couple in next, entry.h or {} do
      local key = value_of(couple[1])
      if key ~= nil then
        fields[key] = value_of(couple[2])
      end
    end
    for key in next, it do
      if fields[key] == nil then
        journal.set(log, it, key, nil)
      end
    end
    for key, value in next, fields do
      if not rawequal(rawget(it, key), value) then
        journal.set(log, it, key, value)
      end
    end
    local meta = entry.m
    if meta ~= nil then
      meta = type(meta) == "string" and object(meta) or type(meta) == "number" and table_of(meta) or nil
      if meta and not rawequal(getmetatable(it), meta) then
        journal.set_meta(log, it, meta)
      end
    end
    return it
  end

  function value_of(val)
    if type(val) ~= "table" then
      return val
    elseif val.t then
      return table_of(val.t)
    elseif val.f then
      return object(val.f)
    elseif val.i then
      return tonumber(val.i)
    elseif val.d then
      return tonumber(val.d) + 0.0
    elseif val.b then
      return host.from64(val.b)
    elseif val.n == "nan" then
      return 0 / 0
    elseif val.n == "inf" then
      return huge
    elseif val.n == "-inf" then
      return -huge
    end
    return nil
  end

  for path, val in next, content.roots or {} do
    local unit, rest = capture.split(path, nil)
    local kind, holder, key, now
    if unit or sub(rest, 1, 3) == "_G." then
      kind, holder, key, now = capture.slot(unit or { name = "", value = nil }, rest)
    end
    if kind then
      -- The table that stands in the slot takes the content, so that whoever holds it sees it.
      if type(val) == "table" and val.t and type(now) == "table" and not made[val.t] and tables[val.t + 1] and not tables[val.t + 1].id then
        local entry = tables[val.t + 1]
        entry.id = nil
        made[val.t] = nil
        local fresh = table_of(val.t)
        for name in next, now do
          if rawget(fresh, name) == nil then
            journal.set(log, now, name, nil)
          end
        end
        for name, value in next, fresh do
          journal.set(log, now, name, value)
        end
        made[val.t] = now
      else
        write(log, kind, holder, key, value_of(val))
      end
    else
      lost[#lost + 1] = path
    end
  end
  return lost
end

return capture
