--- `require`, observed: who required whom, when, and which file answered.
---
--- Inside a transaction every require goes to the transaction (staging), outside it behaves as the original does. A
--- searcher in front serves copies of the original `require` that were taken before the runtime came.

local lang = use "lang"
local units = use "units"
local getinfo, list = lang.getinfo, lang.list
local concat, find, gmatch, gsub, match, sub = table.concat, string.find, string.gmatch, string.gsub, string.match, string.sub
local error, pcall, type, xpcall = error, pcall, type, xpcall
local package = package
local loaded = package.loaded
local tells_tail_calls = pcall(getinfo, 1, "t")

local trace = {
  staged = nil, ---@type (fun(name: string, from: Unit?, optional: boolean): any, any)?
  is_staged = nil, ---@type (fun(name: string): boolean)?
  seen = {}, -- Edges seen outside transactions, not sent yet.
}

--- The unit whose code called the runtime, and whether a `pcall` stands between.
---@param level integer 1 is the function that calls this one
---@return string? chunk
---@return boolean optional
function trace.caller(level)
  local optional = false
  level = level + 1
  while true do
    local info = getinfo(level, "Sf")
    if not info then
      return nil, optional
    elseif info.what == "C" then
      optional = optional or info.func == pcall or info.func == xpcall
    elseif info.what ~= "tail" and info.source ~= lang.source then
      return info.source, optional
    end
    level = level + 1
  end
end

--- Finds what loads a module, as `require` does; raises its messages.
---@param name string
---@return function loader
---@return any extra the file, where a file answered
function trace.find(name)
  local messages = {}
  local searchers = package.searchers or package.loaders
  for idx = 1, #searchers do
    local searcher = searchers[idx]
    if searcher ~= trace.searcher then
      local loader, extra = searcher(name)
      if type(loader) == "function" then
        return loader, extra
      elseif type(loader) == "string" then
        messages[#messages + 1] = (sub(loader, 1, 1) == "\n" and "" or "\n\t") .. loader
      end
    end
  end
  error("module '" .. name .. "' not found:" .. concat(messages), 0)
end

--- The candidates of `package.path` that were tried before `file` answered.
---@return string[]
function trace.missed(name, file)
  local missed = list()
  local path = gsub(name, "%.", match(package.config or "/", "^."))
  for template in gmatch(package.path, "[^;]+") do
    local candidate = gsub(template, "%?", (gsub(path, "%%", "%%%%")))
    if candidate == file then
      return missed
    end
    missed[#missed + 1] = candidate
  end
  return list()
end

--- An edge as the wire has it.
---@param kind "load"|"late"|"optional"
function trace.edge(from, to, kind, file)
  return {
    from = from,
    to = to,
    kind = kind,
    file = file,
    by = file and "path" or nil,
    missed = file and trace.missed(to, file) or list(),
  }
end

--- Puts the observed `require` in place.
function trace.install()
  local original = require
  function require(name)
    if type(name) ~= "string" then
      return original(name)
    end
    local chunk, optional
    if tells_tail_calls and getinfo(1, "t").istailcall then
      chunk = nil -- The caller's frame is gone; whoever is running now is the requirer.
    else
      chunk, optional = trace.caller(2)
    end
    if trace.staged then
      return trace.staged(name, chunk and units.by_chunk[chunk], optional)
    end
    local from = chunk and units.by_chunk[chunk]
    if from and loaded[name] == nil then
      trace.seen[#trace.seen + 1] = trace.edge(from.name, name, "late")
    end
    return original(name)
  end
  trace.require = require

  function trace.searcher(name)
    if trace.is_staged and trace.is_staged(name) then
      return function()
        return (trace.staged(name, nil, false))
      end
    end
    return nil
  end
  table.insert(lang.searchers, 1, trace.searcher)
end

return trace
