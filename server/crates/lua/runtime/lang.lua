--- What differs between Lua 5.1, LuaJIT and 5.2 to 5.4, each found by a feature test.
--- Everything the runtime needs of the standard library is taken here or at the top of a file, before the project runs.

local host = use "host"
local debug = host.debug or debug
local raw_load, loadstring = load, loadstring
local byte, find, gsub, sub = string.byte, string.find, string.gsub, string.sub
local floor, math_type, next, type = math.floor, math.type, next, type

local lang = {
  source = "=hotsave",
  version = string.match(_VERSION, "%d+%.%d+"),
  jit = type(jit) == "table" and jit.version or nil,
  getinfo = debug.getinfo,
  getlocal = debug.getlocal,
  setlocal = debug.setlocal,
  getupvalue = debug.getupvalue,
  setupvalue = debug.setupvalue,
  upvalueid = debug.upvalueid,
  upvaluejoin = debug.upvaluejoin,
  getmetatable = debug.getmetatable,
  setmetatable = function(it, meta) -- Past `__metatable`; 5.1's gives true instead of the object.
    debug.setmetatable(it, meta)
    return it
  end,
  getregistry = debug.getregistry,
  sethook = debug.sethook,
  gethook = debug.gethook,
  searchers = package.searchers or package.loaders,
}

--- Are 5.2's two arguments given to a module, name and file?
lang.file_argument = package.searchers ~= nil

local is_51 = lang.version == "5.1" and not lang.jit

--- Compiles a text as the dialect's `require` would read the file; bytecode is refused.
---@param text string
---@param chunk string
---@return function? main
---@return string? message
function lang.compile(text, chunk)
  if not is_51 and sub(text, 1, 3) == "\239\187\191" then
    text = sub(text, 4)
  end
  if byte(text) == 35 then -- A first line with # is the shell's, its line end stays.
    text = gsub(text, "^[^\n]*", "", 1)
  end
  if byte(text) == 27 then
    return nil, chunk .. ":1: attempt to load a precompiled chunk"
  end
  local main, message
  if loadstring then
    main, message = loadstring(text, chunk)
  else
    main, message = raw_load(text, chunk, "t")
  end
  -- When the compiler itself overflows the stack, whoever handles errors outside has added where that was.
  return main, message and (gsub(message, "\nstack traceback:.*$", ""))
end

--- Raw equality in which NaN equals itself and, where the dialect has both, 1 differs from 1.0.
---@return boolean
function lang.same(a, b)
  if rawequal(a, b) then
    return math_type == nil or math_type(a) == math_type(b)
  end
  return a ~= a and b ~= b and type(a) == "number" and type(b) == "number"
end

--- The number of elements from 1 on, without asking `__len`.
---@param fields table
---@return integer
function lang.count(fields)
  local n = 0
  while rawget(fields, n + 1) ~= nil do
    n = n + 1
  end
  return n
end

--- A copy of the table's own fields.
---@param fields table
---@return table
function lang.copy(fields)
  local copy = {}
  for key, value in next, fields do
    copy[key] = value
  end
  return copy
end

--- A list for the wire: stays a list when it is empty.
---@param items table?
---@return table
function lang.list(items)
  return setmetatable(items or {}, host.array)
end

--- Polynomial sum of a text, the same in every dialect (wire, `loaded`).
---@param text string
---@return integer
function lang.sum(text)
  local sum = 0
  for first = 1, #text, 64 do
    local last = first + 63
    local bytes = { byte(text, first, last) }
    for idx = 1, #bytes do
      sum = (sum * 31 + bytes[idx]) % 2147483647
    end
  end
  return sum
end

--- Does `word` stand anywhere in `text`? Plain, not a pattern.
---@return boolean
function lang.mentions(text, word)
  return find(text, word, 1, true) ~= nil
end

--- Milliseconds with two decimals, as the wire has them.
---@param seconds number
---@return number
function lang.ms(seconds)
  return floor(seconds * 100000 + 0.5) / 100
end

return lang
