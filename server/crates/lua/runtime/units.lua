--- The units of this host and who requires whom, as far as it was seen.
--- Adjacency is kept both ways and changed by entry; nothing here ever goes over all units but `names`.

local lang = use "lang"
local next = next

local units = {
  by_name = {},
  by_chunk = {},
  order = 0,
}

local global_owners = {} -- name of a global → how many units assigned it while loading
local requires = {} -- name → { name → edge }
local dependents = {} -- name → { name → true }

---@class Unit
---@field name string
---@field chunk string
---@field value any the live value
---@field valued boolean does its text give a value?
---@field functions table<function, true> what its load made, held weakly
---@field globals table? base of the globals its top level assigned
---@field fns table? index of the accepted text: id → Fn
---@field policy table
---@field gen integer
---@field order integer position in the original load order
---@field hot table? what its author declared

local function count_globals(unit, by)
  for key in next, unit and unit.globals and unit.globals.fields or {} do
    local n = (global_owners[key] or 0) + by
    global_owners[key] = n > 0 and n or nil
  end
end

--- Did a top level assign this global?
---@return boolean
function units.owns_global(name)
  return global_owners[name] ~= nil
end

--- Enters a unit, or a new generation of it.
---@param unit table
function units.put(unit)
  local old = units.by_name[unit.name]
  count_globals(old, -1)
  count_globals(unit, 1)
  if old and old.chunk ~= unit.chunk then
    units.by_chunk[old.chunk] = nil
  end
  if not unit.order then
    units.order = units.order + 1
    unit.order = units.order
  end
  units.by_name[unit.name] = unit
  units.by_chunk[unit.chunk] = unit
end

--- Takes a unit out.
function units.remove(name)
  local unit = units.by_name[name]
  if unit then
    count_globals(unit, -1)
    units.by_name[name] = nil
    if units.by_chunk[unit.chunk] == unit then
      units.by_chunk[unit.chunk] = nil
    end
  end
  units.set_edges(name, {})
end

--- Replaces what a unit requires.
---@param edges table<string, table> wire edges by the name required
function units.set_edges(name, edges)
  for to in next, requires[name] or {} do
    dependents[to][name] = nil
    if next(dependents[to]) == nil then
      dependents[to] = nil
    end
  end
  requires[name] = next(edges) and edges or nil
  for to in next, edges do
    dependents[to] = dependents[to] or {}
    dependents[to][name] = true
  end
end

--- The names of the units that require `name`.
---@return table<string, true>
function units.dependents(name)
  return dependents[name] or {}
end

--- All units in the order in which they were first loaded.
---@return table[]
function units.all()
  local all = {}
  for _, unit in next, units.by_name do
    all[#all + 1] = unit
  end
  table.sort(all, function(a, b)
    return a.order < b.order
  end)
  return all
end

--- Everything loaded, for the wire.
---@return table[] units
---@return table[] edges
function units.listed()
  local listed, edges = lang.list(), lang.list()
  for _, unit in next, units.all() do
    listed[#listed + 1] = {
      name = unit.name,
      chunk = unit.chunk,
      hash = unit.hash,
      sum = unit.sum,
      size = unit.size,
      base = true,
    }
    for _, edge in next, requires[unit.name] or {} do
      edges[#edges + 1] = edge
    end
  end
  return listed, edges
end

return units
