--- The message loop: one line in, its answer out, until `stop` or the end of the pipe.
---
--- `host`, what the program around the runtime lends it:
---   read() → line or nil, write(line), decode(line) → table, encode(table) → line, clock() → seconds,
---   to64, from64, array (metatable of lists), debug? (if the project's own is cut down), kind, name, pid?, instance,
---   root?, memory_bytes? and limit_memory(bytes)? (0 lifts the limit).

local guard = use "guard"
local host = use "host"
local hot = use "hot"
local journal = use "journal"
local lang = use "lang"
local marks = use "marks"
local output = use "output"
local trace = use "trace"
local txn = use "txn"
local units = use "units"

local function send(message)
  host.write(host.encode(message))
end

local policies = {}
local asked, asking = 0, {}

local function limits(given)
  if type(given) == "table" then
    output.per_second = given.logPerS or output.per_second
    txn.deadline_ms = given.deadlineMs or txn.deadline_ms
  end
end

--- What the program asked for during a transaction leaves after its `done`.
local function send_waiting()
  for _, ask in ipairs(hot.asks) do
    asked = asked + 1
    asking[asked] = ask.done
    send { t = "ask", id = asked, op = ask.op, names = ask.names and lang.list(ask.names) }
  end
  hot.asks = {}
  for _, entry in ipairs(hot.registers) do
    send {
      t = "register",
      name = entry.name,
      file = entry.file,
      keep = entry.keep and lang.list(lang.copy(entry.keep)),
      reset = entry.reset and lang.list(lang.copy(entry.reset)),
      state = entry.state and lang.list(lang.copy(entry.state)),
      delegates = entry.delegates and lang.list(lang.copy(entry.delegates)),
      pinned = entry.pinned,
    }
  end
  hot.registers = {}
  if #trace.seen > 0 then
    send { t = "trace", edges = lang.list(trace.seen) }
    trace.seen = {}
  end
end

local function finish(done)
  send(done)
  local swept = txn.sweep()
  if swept then
    swept.t, swept.tx = "swept", done.tx
    send(swept)
  end
  send_waiting()
end

local handle = {}

function handle.welcome(message)
  limits(message.limits)
  policies = message.policies or policies
  local listed, edges = units.listed()
  send { t = "loaded", units = listed, edges = edges }
end

function handle.policy(message)
  limits(message.limits)
  policies = message.policies or policies
end

function handle.update(message)
  for _, unit in next, message.units or {} do
    unit.policy = unit.policy or policies[unit.name]
  end
  finish(txn.update(message, send))
end

function handle.restore(message)
  finish(txn.restore(message, send))
end

function handle.capture(message)
  local content, n_entries, dropped = txn.captured(message.of or {})
  local bytes = #host.encode(content)
  send { t = "captured", id = message.id, content = content, bytes = bytes, entries = n_entries, dropped = dropped }
end

function handle.query(message)
  local listed, edges = units.listed()
  send { t = "reply", id = message.id, data = message.what == "units" and { units = listed, edges = edges } or {} }
end

function handle.answer(message)
  local done = asking[message.id]
  asking[message.id] = nil
  if type(done) == "function" then
    guard.call(function()
      done(message.outcome == "applied" or message.outcome == "unchanged", message.message)
    end)
  end
end

function handle.state(message)
  if not message.failing then
    hot.last_error = nil
  elseif message.message then
    hot.last_error = message.message
  end
end

function handle.ping(message)
  send { t = "pong", n = message.n }
end

--- Runs to the end of the conversation.
return function()
  trace.install()
  output.install()
  guard.install(host.kind == "worker")
  journal.protect()
  marks.builtin(hot.api)
  local caps = lang.list { "frames" }
  if lang.upvaluejoin then
    caps[#caps + 1] = "join"
  end
  if host.memory_bytes then
    caps[#caps + 1] = "memory"
  end
  send {
    t = "hello",
    protocol = 1,
    kind = host.kind,
    name = host.name,
    instance = host.instance,
    pid = host.pid,
    lua = lang.version,
    jit = lang.jit,
    root = host.root,
    caps = caps,
    path = package.path,
    cpath = package.cpath,
    lastTx = txn.last,
  }
  while true do
    local line = host.read()
    if not line then
      return
    end
    local message = host.decode(line)
    local handler = type(message) == "table" and handle[message.t]
    if handler then
      handler(message)
    elseif type(message) == "table" and message.t == "stop" then
      send { t = "bye", reason = "stop" }
      return
    elseif type(message) == "table" and message.t == "refuse" then
      return
    end
  end
end
