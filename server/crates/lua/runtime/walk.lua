--- Visiting what a unit owns: tables and Lua functions reachable without entering another unit's load.
--- Reads raw and never calls anything of the project.

local lang = use "lang"
local marks = use "marks"
local getinfo, getlocal, getupvalue, getmetatable = lang.getinfo, lang.getlocal, lang.getupvalue, lang.getmetatable
local next, pcall, type = next, pcall, type
local of = marks.of

local walk = {}

local _, first = pcall(getlocal, function(parameter)
  return parameter
end, 1)
local tells_parameters = first == "parameter" -- From 5.2 on, and LuaJIT.

--- A function that is written in Lua and not part of the runtime?
---
--- Only Lua has parameters with names, and to ask for one makes no garbage as `getinfo` does. The runtime's own that the
--- project can get hold of take `...` or nothing, or are marked as built in.
---@return boolean
function walk.is_code(fn)
  if tells_parameters and getlocal(fn, 1) then
    return true
  end
  local source = getinfo(fn, "S")
  return source.what ~= "C" and source.source ~= lang.source
end
local is_code = walk.is_code

--- Visits owned objects, each once over all calls that share `seen`.
---
---@param roots any[] entered whoever owns them; holes are not allowed
---@param unit string the owner
---@param seen table set of what was visited
---@param fresh boolean only objects without a mark count as owned: what a run has just made
---@param on_table fun(it: table, path: string)
---@param on_function fun(it: function, path: string): boolean? false if it has no upvalue to go on with
---@param paths string[]? the path of each root; without it no paths are made
function walk.owned(roots, unit, seen, fresh, on_table, on_function, paths)
  local stack, names, n = {}, paths and {}, 0

  local function push(value, kind, path, key)
    if seen[value] then
      return
    end
    local mark = of[value]
    if mark and mark.unit and (fresh or mark.unit ~= unit) then
      return
    end
    seen[value] = true
    if kind == "function" and not (mark and mark.unit) and not is_code(value) then
      return -- A function that a load made is known to be Lua; asking costs the most of a walk.
    end
    n = n + 1
    stack[n] = value
    if not names then
      return
    elseif type(key) == "string" then
      names[n] = path == "" and key or path .. "." .. key
    else
      names[n] = path .. "[" .. (type(key) == "number" and key or type(key)) .. "]"
    end
  end

  for idx = 1, #roots do
    local root = roots[idx]
    if not seen[root] and (type(root) == "table" or type(root) == "function" and is_code(root)) then
      seen[root] = true
      n = n + 1
      stack[n] = root
      if names then
        names[n] = paths[idx]
      end
    end
  end
  while n > 0 do
    local value, path = stack[n], names and names[n]
    stack[n] = nil
    n = n - 1
    if type(value) == "table" then
      on_table(value, path)
      for key, inner in next, value do
        local kind = type(inner)
        if kind == "table" or kind == "function" then
          push(inner, kind, path, key)
        end
        kind = type(key)
        if kind == "table" or kind == "function" then
          push(key, kind, path, key)
        end
      end
      local meta = getmetatable(value)
      if meta then
        push(meta, "table", path, "<metatable>")
      end
    elseif on_function(value, path) ~= false then
      local idx = 1
      while true do
        local name, inner = getupvalue(value, idx)
        if not name then
          break
        end
        local kind = type(inner)
        if (kind == "table" or kind == "function") and name ~= "_ENV" then
          push(inner, kind, path, names and "~" .. name)
        end
        idx = idx + 1
      end
    end
  end
end

return walk
