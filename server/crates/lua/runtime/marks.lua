--- Bases: what the last load made, remembered without keeping any of it alive.
---
--- Every table and function that a load made has one *mark*, which lives as long as the object and passes on to the
--- function that replaces it. A mark holds the owning unit, the first path, and what the object held right after the
--- load (`base` of a table, `ups` of a function) as scalars and other marks. Must stay true: no mark refers to an
--- object, so a dropped generation is collected even where weak keys are no ephemerons.

local lang = use "lang"
local next, setmetatable, type = next, setmetatable, type
local same, count = lang.same, lang.count

local WEAK_KEYS = { __mode = "k" }
local NAN = { type = "number" }
local REFERENCE = { table = true, ["function"] = true, userdata = true, thread = true, cdata = true }

--- Owner of the standard library and of the runtime: never entered, never merged.
local BUILTIN = "\0builtin"

local marks = {
  of = setmetatable({}, WEAK_KEYS),
  BUILTIN = BUILTIN,
}
local of = marks.of

--- The mark of an object, made if it has none.
function marks.mark(object)
  local mark = of[object]
  if not mark then
    mark = { type = type(object) }
    of[object] = mark
  end
  return mark
end

--- Gives an object that a run made to its unit, under the first path it was found at.
function marks.own(object, unit, path)
  local mark = of[object]
  if mark then
    mark.unit, mark.path = unit, mark.path or path
  else
    -- Room for `ups` or `base`, so that the mark need not grow.
    of[object] = { type = type(object), unit = unit, path = path, ups = nil }
  end
end

--- A value as a base holds it: itself if scalar, else its mark.
function marks.base_of(value)
  if REFERENCE[type(value)] then
    return marks.mark(value)
  elseif value ~= value then
    return NAN
  end
  return value
end

--- Is the live value still the one that the base stands for?
---@return boolean
function marks.is(value, base)
  if REFERENCE[type(value)] then
    return base ~= nil and of[value] == base
  elseif value ~= value then
    return base == NAN
  end
  return same(value, base)
end

--- The type of the value that a base stands for.
---@return string
function marks.type(base)
  return type(base) == "table" and base.type or type(base)
end

--- What a table held, as a base. Values are mapped by `final`, so that what was merged away never gets in.
---@param fields table a copy of the fields, which becomes the base's
---@param meta any the metatable
---@param final fun(value: any): any
---@return { fields: table, meta: any, n: integer, array: boolean }
function marks.record(fields, meta, final)
  local n_fields, moved = 0, nil
  for key, value in next, fields do
    n_fields = n_fields + 1
    fields[key] = marks.base_of(final(value))
    if REFERENCE[type(key)] then
      moved = moved or {}
      moved[#moved + 1] = key
    end
  end
  if moved then
    for idx = 1, #moved do
      local key = moved[idx]
      local value = fields[key]
      fields[key] = nil
      moved[key] = value
    end
    for idx = 1, #moved do
      local key = moved[idx]
      fields[final(key)] = moved[key]
    end
    setmetatable(fields, WEAK_KEYS)
  end
  local n = count(fields)
  return { fields = fields, meta = marks.base_of(final(meta)), n = n, array = n == n_fields }
end

--- Is the live table, to any depth, as the load made it?
---@param live table
---@param base any
---@return boolean
function marks.untouched(live, base)
  local seen = {}
  local function equal(value, mark)
    if not marks.is(value, mark) then
      return false
    end
    if type(value) ~= "table" or seen[value] or not mark.base then
      return true
    end
    seen[value] = true
    local fields = mark.base.fields
    for key, inner in next, value do
      if not equal(inner, fields[key]) then
        return false
      end
    end
    for key in next, fields do
      if rawget(value, key) == nil then
        return false
      end
    end
    return true
  end
  return equal(live, base)
end

--- Marks everything reachable from the standard library as nobody's, so that no walk enters it.
---@param ... any more objects
function marks.builtin(...)
  local function visit(value)
    local kind = type(value)
    if (kind ~= "table" and kind ~= "function") or of[value] then
      return
    end
    of[value] = { type = kind, unit = BUILTIN }
    if kind == "table" then
      visit(lang.getmetatable(value))
      for _, inner in next, value do
        visit(inner)
      end
    end
  end
  for idx = 1, select("#", ...) do
    visit((select(idx, ...)))
  end
end

return marks
