//! The runtime and the worker over the real pipe: what no single conformance case can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::Worker;

const COUNTER: &str = "local n = 0\nlocal M = { hits = {}, config = { level = 1 } }\n\
     function M.inc() n = n + 1 return n end\nfunction M.get() return n end\nreturn M\n";

fn unit(name: &str, act: &str, text: &str) -> Value {
    json!({ "name": name, "chunk": format!("@{name}.lua"), "act": act, "text": text, "fns": [], "policy": {} })
}

fn worker() -> (tempfile::TempDir, Worker) {
    let folder = tempfile::tempdir().unwrap();
    let worker = Worker::start(folder.path(), 256);
    (folder, worker)
}

fn applied(done: &Value) {
    assert_eq!(done["outcome"], "applied", "{done}");
}

/// What a text prints, as its last line.
fn printed(worker: &mut Worker, text: &str) -> String {
    applied(&worker.script("printer", text));
    worker.logged.last().cloned().unwrap()
}

#[test]
fn begin_comes_once_and_before_done() {
    let (_folder, mut worker) = worker();
    applied(&worker.script("a", "return {}"));
    assert_eq!(worker.between, [json!({ "t": "begin", "tx": 1 })]);
    let done = worker.script("a", "return {");
    assert_eq!(done["outcome"], "rejected");
    assert_eq!(done["stage"], "compile");
    assert!(worker.between.is_empty(), "a refused text touches nothing");
}

#[test]
fn a_problem_names_the_frames_that_led_there() {
    let (_folder, mut worker) = worker();
    applied(&worker.script(
        "lib",
        "return { fail = function()\n  error('too deep')\nend }",
    ));
    let done = worker.script(
        "user",
        "local lib = require 'lib'\nlocal function go()\n  lib.fail()\nend\ngo()",
    );
    let problem = &done["problems"][0];
    assert_eq!(problem["code"], "lua/load-error");
    assert_eq!(problem["message"], "too deep");
    assert_eq!(
        (&problem["chunk"], &problem["line"]),
        (&json!("@lib.lua"), &json!(2))
    );
    let lines: Vec<_> = problem["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["chunk"].clone(), it["line"].clone()))
        .collect();
    let expected = [("@lib.lua", 2), ("@user.lua", 3), ("@user.lua", 5)]
        .map(|(chunk, line)| (json!(chunk), json!(line)));
    assert_eq!(lines, expected);
}

#[test]
fn requires_are_told_as_edges_with_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dep").join("init.lua");
    std::fs::create_dir(folder.path().join("dep")).unwrap();
    std::fs::write(&file, "return { n = 1 }").unwrap();
    let mut worker = Worker::start(folder.path(), 256);
    let done = worker.script(
        "a",
        "local dep = require 'dep'\npcall(require, 'missing')\nreturn dep",
    );
    applied(&done);
    let edge = |to: &str| {
        done["edges"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["to"] == to)
            .cloned()
            .unwrap()
    };
    assert_eq!(edge("dep")["kind"], "load");
    assert_eq!(edge("dep")["file"], json!(file));
    assert_eq!(
        edge("dep")["missed"],
        json!([folder.path().join("dep.lua")])
    );
    assert_eq!(edge("missing")["kind"], "optional");
    let found = done["units"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "dep")
        .cloned()
        .unwrap();
    assert_eq!(found["chunk"], json!(format!("@{}", file.display())));
    assert_eq!(found["size"], 16);
}

#[test]
fn a_journal_of_the_named_units_is_enough() {
    let (_folder, mut worker) = worker();
    applied(&worker.script("other", COUNTER));
    applied(&worker.script("a", "return {}"));
    let text = "local other = require 'other' other.inc() other.config.level = 9 error 'no'";
    let done = worker.update_with(
        &[unit("a", "replace", text)],
        &json!({ "journal": ["other"] }),
    );
    assert_eq!(done["outcome"], "rolledBack");
    assert_eq!(
        printed(
            &mut worker,
            "local o = require 'other' print(o.get(), o.config.level)"
        ),
        "0\t1"
    );
}

#[test]
fn state_travels_to_a_new_process() {
    let (_folder, mut worker) = worker();
    applied(&worker.script("a", COUNTER));
    let change = "local a = require 'a' a.inc() a.inc() a.hits.self = a.hits a.hits[1] = 'x\\255' a.hits.owner = a \
                  a.hits.fn = a.get a.big = math.maxinteger a.whole = 2.0";
    let done = worker.script("change", change);
    applied(&done);

    let (_other_folder, mut heir) = self::worker();
    applied(&heir.script("a", COUNTER));
    heir.send(&json!({ "t": "restore", "tx": 2, "gen": 2, "content": done["dirty"] }));
    let restored = heir.done();
    applied(&restored);
    assert_eq!(restored["problems"], json!([]));
    let check = "local a = require 'a' assert(a.get() == 2 and a.inc() == 3) assert(a.hits.self == a.hits) \
                 assert(a.hits[1] == 'x\\255' and a.hits.owner == a and a.hits.fn == a.get) \
                 assert(a.big == math.maxinteger and math.type(a.whole) == 'float')";
    applied(&heir.script("check", check));
}

#[test]
fn keep_reset_and_declared_state_are_honored() {
    let (_folder, mut worker) = worker();
    let text = |n: u32| format!("return {{ cache = {n}, layout = {n}, app = {{ open = true }} }}");
    applied(&worker.script("a", &text(1)));
    applied(&worker.script(
        "use",
        "local a = require 'a' a.layout = 50 a.app.open = false a.app.n = 1 App = a.app",
    ));
    let mut next = unit("a", "replace", &text(2));
    next["policy"] = json!({ "keep": ["cache"], "reset": ["layout"], "state": ["app"] });
    applied(&worker.update(&[next]));
    let line = printed(
        &mut worker,
        "local a = require 'a' print(a.cache, a.layout, a.app.open, a.app.n, a.app == App)",
    );
    assert_eq!(line, "1\t2\tfalse\t1\ttrue");
}

#[test]
fn hooks_run_around_a_reload_and_a_failing_one_rolls_back() {
    let (_folder, mut worker) = worker();
    let text = |n: u32, fail: &str| {
        format!(
            "local M = {{ n = {n} }}\nfunction M.__dispose() print('dispose', {n}) end\n\
                 function M.__reload(info) print('reload', {n}, info.module) {fail} end\nreturn M"
        )
    };
    applied(&worker.script("a", &text(1, "")));
    applied(&worker.update(&[unit("a", "replace", &text(2, ""))]));
    assert_eq!(worker.logged, ["dispose\t1", "reload\t2\ta"]);
    let done = worker.update(&[unit("a", "replace", &text(3, "error 'not ready'"))]);
    assert_eq!(
        (&done["outcome"], &done["stage"]),
        (&json!("rolledBack"), &json!("hooks"))
    );
    assert_eq!(done["problems"][0]["code"], "lua/hook-error");
    assert_eq!(printed(&mut worker, "print(require('a').n)"), "2");
}

#[test]
fn only_a_changed_function_that_leaks_is_looked_for_everywhere() {
    let (_folder, mut worker) = worker();
    let text = |n: u32| format!("return {{ f = function() return {n} end }}");
    let indexed = |act: &str, n: u32, hash: &str, leak: bool| {
        let mut unit = unit("a", act, &text(n));
        unit["fns"] = json!([{ "id": "M.f", "par": -1, "a": 1, "z": 1, "n": 0, "v": false, "u": [], "at": [0, 9], "h": hash, "leak": leak }]);
        unit
    };
    applied(&worker.update(&[indexed("load", 1, "one", true)]));
    let swept = |worker: &mut Worker, unit: Value| {
        let done = worker.update(&[unit]);
        applied(&done);
        done["sweep"] == "running"
    };
    assert!(
        !swept(&mut worker, indexed("replace", 2, "two", false)),
        "nobody can hold it"
    );
    assert!(swept(&mut worker, indexed("replace", 3, "three", true)));
    assert_eq!(worker.receive()["t"], "swept");
    assert!(
        !swept(&mut worker, indexed("replace", 3, "three", true)),
        "the old code is the new code"
    );
}

#[test]
fn a_flood_of_output_is_cut_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(folder.path(), 256);
    worker.send(&json!({ "t": "policy", "policies": {}, "limits": { "logPerS": 10 } }));
    applied(&worker.script("a", "for n = 1, 5000 do print(n) end"));
    assert_eq!(worker.logged.first().map(String::as_str), Some("1"));
    assert!(worker.logged.len() <= 40, "{} lines", worker.logged.len());
}

#[test]
fn a_global_belongs_to_the_unit_that_assigned_it() {
    let (_folder, mut worker) = worker();
    let outer = "Outer = 1\nlocal inner = require 'inner'\nLater = 1\nreturn {}";
    let inner = "Inner = 1\nreturn {}";
    applied(&worker.update(&[unit("outer", "load", outer), unit("inner", "load", inner)]));
    applied(&worker.update(&[unit("inner", "replace", "Inner = 2\nreturn {}")]));
    assert_eq!(
        printed(&mut worker, "print(Outer, Inner, Later)"),
        "1\t2\t1"
    );
    applied(&worker.update(&[unit("outer", "replace", "Outer = 5\nreturn {}")]));
    assert_eq!(
        printed(&mut worker, "print(Outer, Inner, Later)"),
        "5\t2\tnil"
    );
}

#[test]
fn a_dispose_hook_still_sees_the_old_program() {
    let (_folder, mut worker) = worker();
    let text = |n: u32| {
        format!("return {{ n = {n}, __dispose = function() print('leaving', require('b').n) end }}")
    };
    applied(&worker.update(&[
        unit("b", "load", "return { n = 1 }"),
        unit("a", "load", &text(1)),
    ]));
    applied(&worker.update(&[
        unit("b", "replace", "return { n = 2 }"),
        unit("a", "replace", &text(2)),
    ]));
    assert_eq!(worker.logged, ["leaving\t1"]);
}

#[test]
fn what_an_author_declares_with_hot_is_followed() {
    let (_folder, mut worker) = worker();
    let text = |n: u32, check: bool| {
        format!(
            "local hot = require 'hot'\nhot.data.loads = (hot.data.loads or 0) + 1\n\
             hot.own('server', function() print('open') return true end, function() print('close') end)\n\
             hot.keep {{ 'cache' }}\nhot.migrate('score', function(live, new) return live + new end)\n\
             hot.check(function() return {check} end)\n\
             local Class = hot.class 'Class'\nfunction Class:version() return {n} end\n\
             return {{ cache = {n}, score = {n}, loads = hot.data.loads, Class = Class, failing = hot.is_error }}"
        )
    };
    let state =
        "local a = require 'a' print(a.cache, a.score, a.loads, a.Class:version(), a.failing())";
    applied(&worker.script("a", &text(1, true)));
    applied(&worker.update(&[unit("a", "replace", &text(2, true))]));
    assert_eq!(printed(&mut worker, state), "1\t3\t2\t2\tfalse");

    let refused = worker.update_with(
        &[unit("a", "replace", &text(3, false))],
        &json!({ "journal": [] }),
    );
    assert_eq!(
        (&refused["stage"], &refused["problems"][0]["code"]),
        (&json!("validate"), &json!("lua/check-failed"))
    );
    assert_eq!(printed(&mut worker, state), "1\t3\t2\t2\ttrue");
    applied(&worker.update(&[unit("a", "replace", &text(4, true))]));
    assert_eq!(printed(&mut worker, state), "1\t7\t3\t4\tfalse");

    applied(&worker.update(&[unit(
        "a",
        "replace",
        "return { cache = 1, score = 1, loads = 1 }",
    )]));
    let resource: Vec<_> = worker
        .logged
        .iter()
        .filter(|it| *it == "open" || *it == "close")
        .collect();
    assert_eq!(
        resource,
        ["open", "close"],
        "opened once, released when no version asks for it"
    );
}

#[test]
fn a_metatable_that_the_program_set_stays() {
    let (_folder, mut worker) = worker();
    applied(&worker.script("a", COUNTER));
    applied(&worker.script(
        "b",
        "setmetatable(require 'a', { __call = function() return 'called' end })",
    ));
    let done = worker.update(&[unit("a", "replace", &COUNTER.replace("n + 1", "n + 2"))]);
    applied(&done);
    assert_eq!(done["problems"], json!([]));
    assert_eq!(printed(&mut worker, "print(require('a')())"), "called");
}

#[test]
fn program_output_is_lines_of_log() {
    let (_folder, mut worker) = worker();
    applied(&worker.script(
        "a",
        "io.write('one ', 2, '\\n') print(nil, true) io.stdout:write('open')",
    ));
    assert_eq!(worker.logged, ["one 2", "nil\ttrue", "open"]);
}

#[test]
fn the_project_cannot_leave_its_process() {
    let (_folder, mut worker) = worker();
    for text in ["io.popen('true')", "os.execute('true')", "os.exit(0)"] {
        let done = worker.script("a", text);
        assert_eq!(
            done["problems"][0]["code"], "lua/blocked-call",
            "{text}: {done}"
        );
    }
    let check = "assert(package.loadlib == nil and debug.sethook == nil and debug.getregistry == nil) \
                 assert(not pcall(require, 'lfs')) assert(not load(string.dump(function() end)))";
    applied(&worker.script("a", check));
}

#[test]
fn files_are_written_below_the_project_and_nowhere_else() {
    let (_folder, mut worker) = worker();
    let inside = "local file = assert(io.open('kept.txt', 'w')) file:write('x') file:close() \
                  assert(os.rename('kept.txt', 'moved.txt')) assert(os.remove('moved.txt')) \
                  assert(io.open('/etc/hostname', 'r')):close()";
    applied(&worker.script("a", inside));
    for text in [
        "io.open('/var/hotsave-test', 'w')",
        "io.open('/etc/hostname', 'a+')",
        "io.output('/var/hotsave-test')",
        "os.remove('/var/hotsave-test')",
        "os.rename('a.txt', '/var/hotsave-test')",
    ] {
        let done = worker.script("a", text);
        assert_eq!(
            done["problems"][0]["code"], "lua/blocked-call",
            "{text}: {done}"
        );
    }
    assert!(!std::path::Path::new("/var/hotsave-test").exists());
}

#[test]
fn a_thousand_reloads_leave_the_heap_flat() {
    let (_folder, mut worker) = worker();
    applied(&worker.update(&[
        unit("a", "load", COUNTER),
        unit(
            "user",
            "load",
            "local f = require('a').inc return { f = function() return f() end }",
        ),
    ]));
    let heap = |worker: &mut Worker| -> f64 {
        printed(
            worker,
            "collectgarbage() collectgarbage() print(collectgarbage 'count')",
        )
        .parse()
        .unwrap()
    };
    let mut early = 0.0;
    for n in 1..=1000 {
        let text = format!("{COUNTER}-- {n}\n").replace("n + 1", &format!("n + {}", n % 7));
        applied(&worker.update_with(&[unit("a", "replace", &text)], &json!({ "journal": [] })));
        if n == 100 {
            early = heap(&mut worker);
        }
    }
    let late = heap(&mut worker);
    assert!(
        late <= early * 1.01,
        "{early} KiB after 100 reloads, {late} KiB after 1,000"
    );
}

#[test]
fn the_process_ends_with_its_input() {
    let (_folder, worker) = worker();
    assert!(worker.abandon().success());
}

/// What a top level can do before it fails, as statements.
fn statement() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("x"), Just("y"), Just("level")];
    let value = prop_oneof![
        Just("nil".to_owned()),
        Just("{}".to_owned()),
        (0..9u8).prop_map(|it| it.to_string()),
        Just("print".to_owned())
    ];
    prop_oneof![
        (name.clone(), value.clone()).prop_map(|(name, value)| format!("_G.{name} = {value}")),
        (name.clone(), value.clone()).prop_map(|(name, value)| format!("other.{name} = {value}")),
        (name.clone(), value.clone())
            .prop_map(|(name, value)| format!("other.config.{name} = {value}")),
        (name.clone(), value.clone()).prop_map(|(name, value)| format!(
            "other.config[{{}}] = {value} other.hits.{name} = other"
        )),
        (name, value).prop_map(|(name, value)| format!(
            "string.{name} = {value} package.preload.{name} = print"
        )),
        Just("other.inc()".to_owned()),
        Just("setmetatable(other, { __index = _G })".to_owned()),
        Just("setmetatable(_G, { __index = other })".to_owned()),
        Just("package.loaded.other = nil".to_owned()),
        Just("package.path = '?' table.insert(package.searchers, print)".to_owned()),
        Just("other.hits[#other.hits + 1] = function() return other end".to_owned()),
        Just("for key in next, other do other[key] = nil end".to_owned()),
    ]
}

/// Everything a failed load could have touched, on one line.
const DIGEST: &str = "local seen, out = {}, {}
local function show(value)
  if type(value) ~= 'table' then out[#out + 1] = tostring(value) return end
  if seen[value] then out[#out + 1] = 'seen' .. seen[value] return end
  seen[value] = #out
  local keys = {}
  for key in next, value do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  out[#out + 1] = '{' .. tostring(getmetatable(value))
  for _, key in ipairs(keys) do
    if key ~= 'loaded' and key ~= 'digest' then out[#out + 1] = tostring(key) show(value[key]) end
  end
  out[#out + 1] = '}'
end
show(_G) show(package.loaded.other) out[#out + 1] = package.loaded.other.get()
print(table.concat(out, ' '))";

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_failed_load_never_leaves_a_trace(statements in prop::collection::vec(statement(), 1..12)) {
        let (_folder, mut worker) = worker();
        applied(&worker.script("other", COUNTER));
        applied(&worker.script("a", "return {}"));
        applied(&worker.script("live", "local o = require 'other' o.inc() o.hits[1] = 7 level = 3"));
        let before = printed(&mut worker, DIGEST);
        let text = format!("local other = require 'other'\n{}\nlocal nothing = nil\nnothing.field = 1", statements.join("\n"));
        let done = worker.update(&[unit("a", "replace", &text)]);
        prop_assert_eq!(&done["outcome"], "rolledBack", "{}", done);
        prop_assert_eq!(printed(&mut worker, DIGEST), before);
    }
}
