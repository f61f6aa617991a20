--- Problems: what went wrong, where, and the frames that led there.
--- Nothing here calls into the project but a `__tostring` of an error value, and that guarded.

local lang = use "lang"
local getinfo, list = lang.getinfo, lang.list
local find, format, match, sub, rep = string.find, string.format, string.match, string.sub, string.rep
local getmetatable, pcall, rawget, tostring, type = lang.getmetatable, pcall, rawget, tostring, type

local report = {}

local MAX_FRAMES = 10
local MAX_PRINTED = 80

--- A value as people read it, in at most 80 characters; no metamethod runs.
---@return string
function report.show(value)
  local kind = type(value)
  local text
  if kind == "string" then
    text = format("%q", sub(value, 1, MAX_PRINTED))
  elseif kind == "number" or kind == "boolean" or kind == "nil" then
    text = tostring(value)
  else
    text = kind
  end
  if #text > MAX_PRINTED then
    text = sub(text, 1, MAX_PRINTED - 3) .. "..."
  end
  return text
end

--- The text of an error value, whatever it is.
---@return string
function report.text(value)
  if type(value) == "string" then
    return value
  elseif type(value) == "number" then
    return tostring(value)
  end
  local message = type(value) == "table" and rawget(value, "message")
  if type(message) == "string" then
    return message
  end
  local meta = getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__tostring") ~= nil then
    local ok, text = pcall(tostring, value)
    if ok and type(text) == "string" then
      return text
    end
  end
  return format("(error object is a %s value)", type(value))
end

--- The project's frames from `level` of the caller on, innermost first, at most ten; the runtime's own are left out.
---@param level integer
---@return table[] frames
function report.frames(level)
  local frames = list()
  level = level + 1
  while #frames < MAX_FRAMES do
    local info = getinfo(level, "Sl")
    if not info then
      break
    end
    if info.currentline > 0 and info.source ~= lang.source then -- C has no lines, nor have 5.1's tail calls.
      local named = getinfo(level, "n")
      frames[#frames + 1] = {
        chunk = info.source,
        line = info.currentline,
        name = info.what ~= "main" and named.name or nil,
        short = info.short_src,
      }
    end
    level = level + 1
  end
  return frames
end

--- Splits `CHUNK:LINE: message`; `lines` are what short names stand for.
---@param text string
---@return string? short
---@return integer? line
---@return string message
function report.split(text)
  local short, line, message = match(text, "^([^\n]-):(%d+): (.*)$")
  if short then
    return short, tonumber(line), message
  end
  return nil, nil, text
end

--- Builds a problem out of an error value and the frames taken where it was raised.
---@param failure { value: any, frames: table[], unit: string?, chunk: string?, code: string? }
---@param stage string
---@return table problem wire shape
function report.problem(failure, stage)
  local value, frames = failure.value, failure.frames or list()
  local text = report.text(value)
  local code = failure.code
  local file, inner = match(text, "^error loading module '[^\n]-' from file '([^\n]-)':%s*(.*)$")
  local short, line, message = report.split(inner or text)
  local chunk = inner and "@" .. file or nil
  if not code then
    if inner then
      code = "lua/syntax"
    elseif find(text, "module '[^\n]-' not found:") then
      code = "lua/module-not-found"
    elseif find(text, "stack overflow", 1, true) or find(text, "error in error handling", 1, true) then
      code = "lua/stack-overflow"
    elseif find(text, "not enough memory", 1, true) then
      code = "lua/memory"
    else
      code = "lua/load-error"
    end
  end
  if short and not chunk then
    for idx = 1, #frames do
      if frames[idx].short == short then
        chunk = frames[idx].chunk
        break
      end
    end
    if not chunk then
      message, line = inner or text, nil
    end
  end
  for idx = 1, #frames do
    frames[idx].short = nil
  end
  if not chunk and frames[1] then
    chunk, line = frames[1].chunk, frames[1].line
  end
  return {
    code = code,
    severity = 1,
    stage = stage,
    unit = failure.unit,
    chunk = chunk or failure.chunk or "?",
    line = line or 1,
    message = message,
    value = type(value) ~= "string" and report.show(value) or nil,
    frames = frames,
  }
end

--- A problem that the runtime itself states about a unit.
---@param unit table
---@return table problem wire shape
function report.state(code, severity, stage, unit, message)
  return {
    code = code,
    severity = severity,
    stage = stage,
    unit = unit.name,
    chunk = unit.chunk,
    line = 1,
    message = message,
    frames = list(),
  }
end

return report
