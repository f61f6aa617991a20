--- What makes a transaction undoable: a journal of shallow copies taken before it, and a log of single writes.
---
--- The journal answers for what the project's code does, the log for what the runtime does (merge, redirect). Roll back
--- runs the log backwards and then restores the journal. Raw access only.

local lang = use "lang"
local marks = use "marks"
local walk = use "walk"
local getupvalue, setupvalue, upvalueid = lang.getupvalue, lang.setupvalue, lang.upvalueid
local getmetatable, setmetatable = lang.getmetatable, lang.setmetatable
local next, rawequal, rawget, rawset, type = next, rawequal, rawget, rawset, type
local copy = lang.copy
local globals, package = _G, package
local loaded = package.loaded

local journal = {}

local NIL = {} -- Stands for nil in the log, which has no holes.

local function kept(value)
  if value == nil then
    return NIL
  end
  return value
end

local WEAK_KEYS = { __mode = "k" }

-- Standard tables that a text could change; `package.loaded` is saved by entry, as it may hold 10,000.
local standard = { globals, package, package.preload, lang.searchers, getmetatable("") }
for _, name in next, { "string", "table", "math", "io", "os", "coroutine", "utf8", "debug", "bit", "bit32", "jit" } do
  if type(globals[name]) == "table" then
    standard[#standard + 1] = globals[name]
  end
end

---@class Journal
---@field tables table<table, {fields: table, meta: any}>
---@field cells table[]
---@field entries table<string, any>
---@field log any[] four values a write
---@return table
function journal.new()
  -- Weak: what nothing but the journal still holds needs no restoring, and a project's weak table must see it go.
  local self = { tables = setmetatable({}, WEAK_KEYS), cells = {}, known = {}, entries = {}, log = {}, n = 0, seen = setmetatable({}, WEAK_KEYS) }
  for idx = 1, #standard do
    journal.table(self, standard[idx])
  end
  return self
end

--- Copies one table; the copy of a weak one is as weak, so that nothing lives longer for it.
function journal.table(self, it)
  if not self.tables[it] then
    local fields, meta = copy(it), getmetatable(it)
    local mode = type(meta) == "table" and rawget(meta, "__mode")
    if mode then
      setmetatable(fields, { __mode = mode })
    end
    self.tables[it] = { fields = fields, meta = meta }
  end
end

--- Copies what the upvalues of one function hold, each cell once where the dialect can tell cells apart.
---@return boolean any has it upvalues?
function journal.upvalues(self, fn)
  local idx = 1
  while true do
    local name, value = getupvalue(fn, idx)
    if not name then
      return idx > 1
    end
    local id = upvalueid and upvalueid(fn, idx)
    if name ~= "_ENV" and not (id and self.known[id]) then
      if id then
        self.known[id] = true
      end
      local cells = self.cells
      cells[#cells + 1] = fn
      cells[#cells + 1] = idx
      cells[#cells + 1] = { value }
    end
    idx = idx + 1
  end
end

--- Copies everything that is reachable from `roots` without leaving what the unit owns.
function journal.owned(self, name, roots)
  walk.owned(roots, name, self.seen, false, function(it)
    journal.table(self, it)
  end, function(fn)
    return journal.upvalues(self, fn)
  end)
end

--- Copies everything a unit owns.
---@param unit table
function journal.unit(self, unit)
  local roots = { unit.value }
  if unit.globals then
    for key in next, unit.globals.fields do
      roots[#roots + 1] = rawget(globals, key)
    end
  end
  journal.owned(self, unit.name, roots)
end

--- Remembers the entry of a module in `package.loaded`.
function journal.entry(self, name)
  if self.entries[name] == nil then
    local value = rawget(loaded, name)
    self.entries[name] = { value }
  end
end

--- Sets a field, undoably.
function journal.set(self, it, key, value)
  local log, n = self.log, self.n
  log[n + 1], log[n + 2], log[n + 3], log[n + 4] = "field", it, key, kept(rawget(it, key))
  self.n = n + 4
  rawset(it, key, value)
end

--- Sets an upvalue, undoably.
function journal.set_upvalue(self, fn, idx, value)
  local log, n = self.log, self.n
  local _, old = getupvalue(fn, idx)
  log[n + 1], log[n + 2], log[n + 3], log[n + 4] = "upvalue", fn, idx, kept(old)
  self.n = n + 4
  setupvalue(fn, idx, value)
end

--- Sets a metatable, undoably and whatever `__metatable` says.
function journal.set_meta(self, it, meta)
  local log, n = self.log, self.n
  log[n + 1], log[n + 2], log[n + 3], log[n + 4] = "meta", it, false, kept(getmetatable(it))
  self.n = n + 4
  setmetatable(it, meta)
end

local function restore_table(it, saved)
  local fields = saved.fields
  for key in next, it do
    if fields[key] == nil then
      rawset(it, key, nil)
    end
  end
  for key, value in next, fields do
    if not rawequal(rawget(it, key), value) then
      rawset(it, key, value)
    end
  end
  if not rawequal(getmetatable(it), saved.meta) then
    setmetatable(it, saved.meta)
  end
end

--- Undoes the log only: everything since `journal.new` that the runtime itself wrote.
function journal.undo(self)
  local log = self.log
  for idx = self.n - 3, 1, -4 do
    local kind, it, key, old = log[idx], log[idx + 1], log[idx + 2], log[idx + 3]
    if rawequal(old, NIL) then
      old = nil
    end
    if kind == "field" then
      rawset(it, key, old)
    elseif kind == "upvalue" then
      setupvalue(it, key, old)
    else
      setmetatable(it, old)
    end
  end
  self.log, self.n = {}, 0
end

--- Brings everything back to how it was when it was copied.
function journal.roll_back(self)
  journal.undo(self)
  for it, saved in next, self.tables do
    restore_table(it, saved)
  end
  local cells = self.cells
  for idx = 1, #cells, 3 do
    setupvalue(cells[idx], cells[idx + 1], cells[idx + 2][1])
  end
  for name, saved in next, self.entries do
    rawset(loaded, name, saved[1])
  end
end

--- The fields of a table as they were at the beginning, or as they are if it is not journaled.
---@return table
function journal.before(self, it)
  local saved = self.tables[it]
  return saved and saved.fields or it
end

--- What changed in `it` against `last`, a copy of its fields that is brought up to date.
---@return table? changed key → new value; deletions are not listed
function journal.changes(it, last)
  local changed
  for key, value in next, it do
    if not rawequal(last[key], value) then
      changed = changed or {}
      changed[key] = value
    end
  end
  return changed
end

--- Marks the standard library and what the runtime lends the project, so that walks pass it by.
function journal.protect()
  marks.builtin(globals, package, loaded, getmetatable(""))
  if io and io.stdout then
    marks.builtin(getmetatable(io.stdout))
  end
end

return journal
