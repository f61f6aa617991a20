--- What an author asked to be called around a reload: `__dispose`, `__reload` and what `hot` collected.

local guard = use "guard"
local report = use "report"
local rawget, type = rawget, type

local hooks = {}

--- An empty set of declarations, one per run of a unit's text.
---@return table
function hooks.declared()
  return { dispose = {}, reload = {}, failed = {}, keep = {}, reset = {}, migrate = {}, check = {}, claims = {} }
end

local function member(unit, name)
  local value = type(unit.value) == "table" and rawget(unit.value, name)
  return type(value) == "function" and value or nil
end

--- Has the unit anything to call? Then what it owns belongs into the journal.
---@param unit Unit
---@return boolean
function hooks.any(unit)
  local hot = unit.hot
  return member(unit, "__dispose") ~= nil
    or member(unit, "__reload") ~= nil
    or hot ~= nil and (#hot.dispose > 0 or #hot.reload > 0)
end

local function failed(failure, unit, severity)
  failure.code = failure.code or "lua/hook-error"
  failure.unit, failure.chunk = unit.name, failure.chunk or unit.chunk
  local problem = report.problem(failure, "hooks")
  problem.severity = severity
  return problem
end

--- Tells a unit that its old code goes. An error is a warning: broken old code must stay replaceable.
---@param unit Unit
---@param problems table[] grows by what raised
function hooks.dispose(unit, problems)
  local calls = { member(unit, "__dispose") }
  for _, fn in ipairs(unit.hot and unit.hot.dispose or {}) do
    calls[#calls + 1] = fn
  end
  guard.unit = unit
  for idx = 1, #calls do
    local failure = guard.call(calls[idx])
    if failure then
      problems[#problems + 1] = failed(failure, unit, failure.code and 1 or 2)
    end
  end
  guard.unit = nil
end

--- Tells a unit that its new code is in.
---@param unit Unit
---@param info { generation: integer, module: string, kept: integer, taken: integer, conflicts: integer }
---@param problems table[] grows by warnings of best-effort hooks
---@return table? problem that rolls the transaction back
function hooks.reload(unit, info, problems)
  local calls = {}
  local own = member(unit, "__reload")
  if own then
    calls[1] = { fn = own }
  end
  for _, call in ipairs(unit.hot and unit.hot.reload or {}) do
    calls[#calls + 1] = call
  end
  guard.unit = unit
  for idx = 1, #calls do
    local call = calls[idx]
    local failure = guard.call(function()
      call.fn(info)
    end)
    if failure and (failure.code or not call.best_effort) then
      guard.unit = nil
      return failed(failure, unit, 1)
    elseif failure then
      problems[#problems + 1] = failed(failure, unit, 2)
    end
  end
  guard.unit = nil
end

return hooks
