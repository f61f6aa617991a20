--- Program output as `log` messages: whole lines, at most so many a second, the rest counted.

local host = use "host"
local lang = use "lang"
local clock, encode, write = host.clock, host.encode, host.write
local concat, find, sub = table.concat, string.find, string.sub
local select, tostring, type = select, tostring, type

local output = {
  per_second = 200,
}

local window, sent, dropped = 0, 0, 0
local partial = ""

--- Sends one log line, or counts it if there were too many this second.
---@param level "out"|"err"|"info"|"warn"
---@param text string
function output.log(level, text)
  local now = clock()
  if now - window >= 1 then
    window, sent = now, 0
  end
  if sent >= output.per_second then
    dropped = dropped + 1
    return
  end
  sent = sent + 1
  write(encode { t = "log", level = level, text = text, dropped = dropped > 0 and dropped or nil })
  dropped = 0
end

local function out(text)
  partial = partial .. text
  local first = 1
  while true do
    local stop = find(partial, "\n", first, true)
    if not stop then
      break
    end
    output.log("out", sub(partial, first, stop - 1))
    first = stop + 1
  end
  partial = sub(partial, first)
  if #partial > 65536 then
    output.flush()
  end
end

--- Sends what stands on an unfinished line, and how many lines were left out.
function output.flush()
  if partial ~= "" then
    local text = partial
    partial = ""
    output.log("out", text)
  end
  if dropped > 0 and sent < output.per_second then
    output.log("warn", "more program output than logPerS allows")
  end
end

--- Routes `print`, `io.write` and `io.stdout:write` here.
function output.install()
  local io = io
  function print(...)
    local words = {}
    for idx = 1, select("#", ...) do
      words[idx] = tostring((select(idx, ...)))
    end
    out(concat(words, "\t") .. "\n")
  end
  if type(io) ~= "table" then
    return
  end
  local stdout, current = io.stdout, io.output
  local methods = lang.getmetatable(stdout).__index
  local file_write = methods.write
  function methods.write(file, ...)
    if file ~= stdout then
      return file_write(file, ...)
    end
    for idx = 1, select("#", ...) do
      local text = select(idx, ...)
      if type(text) ~= "string" and type(text) ~= "number" then
        error("bad argument #" .. idx .. " to 'write' (string expected, got " .. type(text) .. ")", 2)
      end
      out(tostring(text))
    end
    return file
  end
  function io.write(...)
    return methods.write(current(), ...)
  end
end

return output
