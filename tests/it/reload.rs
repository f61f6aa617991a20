//! A save swaps the module in: state stays, dependents follow, nothing else runs.
//!
//! Numbers in comments are cases of the Lua specification, section 13.

use expect_test::{Expect, expect};
use hotsave_tests::{client::Client, fixture::Project, scene};
use serde_json::json;

fn check(fixture: &str, expected: &Expect) {
    expected.assert_eq(&scene::play(fixture));
}

#[test]
fn state_is_kept_and_the_dependents_view_is_new() {
    check(
        r#"
//- /counter.lua
local n = 0
local M = { rate = 2, seen = {} }
function M.inc() n = n + 1; M.seen[n] = true end
function M.label() return "v1:" .. n end
return M
//- /view.lua
local counter = require "counter"
local M = { doubled = counter.rate * 2 }
function M.text() return counter.label() .. "/" .. M.doubled end
return M
//- /main.lua
local view = require "view"
function show() return view.text() end
//- run
live.counter.inc()
live.counter.inc()
say(show())
//- save /counter.lua
local n = 0
local M = { rate = 5, seen = {} }
function M.inc() n = n + 10; M.seen[n] = true end
function M.label() return "v2:" .. n end
return M
//- run
say(show(), #live.counter.seen)
live.counter.inc()
say(show())
"#,
        &expect![[r"
            | v1:2/4
            save counter.lua: applied [counter, view]
            | v2:2/10 2
            | v2:12/10
        "]],
    );
}

#[test]
fn a_new_body_runs_no_dependent() {
    check(
        r#"
//- /shape.lua
local M = { sides = 4 }
function M.name() return "square" end
return M
//- /user.lua
LOADS = (LOADS or 0) + 1
local shape = require "shape"
local name = shape.name
return { sides = shape.sides, tell = function() return name() end }
//- /main.lua
require "user"
//- save /shape.lua
local M = { sides = 4 }
function M.name() return "quad" end
return M
//- run
say(live.user.tell(), LOADS)
"#,
        &expect![[r"
            save shape.lua: applied [shape]
            | quad 1
        "]],
    );
}

/// 71.
#[test]
fn a_diamond_runs_each_module_once_dependencies_first() {
    let project = Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /base.lua
print("base runs")
return { width = 1 }
//- /left.lua
local base = require "base"
print("left runs")
return { width = base.width + 1 }
//- /right.lua
local base = require "base"
print("right runs")
return { width = base.width + 2 }
//- /top.lua
local left, right = require "left", require "right"
print("top runs")
return { width = left.width + right.width }
//- /main.lua
require "top"
"#,
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let reload = client.save("base.lua", "print(\"base runs\")\nreturn { width = 10 }\n");
    assert_eq!(reload.units(), ["base", "left", "right", "top"]);
    assert_eq!(client.look("live.top.width"), "23");
    let runs: Vec<String> = client
        .record()
        .iter()
        .filter(|message| message["method"] == "window/logMessage")
        .filter_map(|message| message["params"]["message"].as_str()?.split_once(" runs"))
        .map(|(before, _)| {
            before
                .rsplit(|c: char| !c.is_alphabetic())
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(runs.join(" "), "base left right top base left right top");
    client.finish();
}

/// 41, 42: comments and white space run nothing, and later errors still name the right line.
#[test]
fn a_comment_runs_nothing_and_lines_still_fit() {
    let project = Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /tool.lua
LOADS = (LOADS or 0) + 1
local M = {}
function M.fail()
  error("tool is blunt")
end
return M
//- /main.lua
require "tool"
"#,
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let text = project.read("tool.lua").unwrap();
    let same = client.save("tool.lua", &text);
    assert_eq!((same.tag(), same.reason()), ("unchanged", "sameText"));
    let comment = client.save("tool.lua", &format!("-- one\n-- two\n\n{text}"));
    assert_eq!(
        (comment.tag(), comment.reason()),
        ("unchanged", "commentOnly")
    );
    assert_eq!(client.look("LOADS"), "1");
    let (failed, _) = client.try_run("live.tool.fail()");
    assert_eq!(failed.tag(), "rolledBack");
    let problems = client.problems("tool.lua");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        problems[0].line, 7,
        "error(…) moved from line 4 to 7: {problems:?}"
    );
    assert!(problems[0].message.contains("tool is blunt"));
    client.accept_leftovers();
}

/// 45: each alone would be refused.
#[test]
fn two_files_that_need_each_other_are_one_generation() {
    let project = Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /units.lua
return { meters = 1 }
//- /ruler.lua
local units = require "units"
return { length = assert(units.meters) * 2 }
//- /main.lua
require "ruler"
"#,
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    client.send_save("units.lua", "return { feet = 3 }\n");
    client.send_save(
        "ruler.lua",
        "local units = require \"units\"\nreturn { length = assert(units.feet) * 2 }\n",
    );
    let reload = client.reload();
    assert_eq!(reload.tag(), "applied");
    assert_eq!(reload.trigger(), ["ruler.lua", "units.lua"]);
    assert_eq!(client.look("live.ruler.length"), "6");
    client.finish();
}

/// 36: no value, only globals; a later `require` does not run it again.
#[test]
fn a_module_without_a_value_runs_once_a_save() {
    check(
        r#"
//- /setup.lua
RUNS = (RUNS or 0) + 1
function greet() return "hello" end
//- /main.lua
require "setup"
//- save /setup.lua
RUNS = (RUNS or 0) + 1
function greet() return "good day" end
//- run
require "setup"
require "setup"
say(greet(), RUNS)
"#,
        &expect![[r"
            save setup.lua: applied [setup]
            | good day 2
        "]],
    );
}

#[test]
fn a_saved_module_that_nobody_loaded_is_loaded() {
    check(
        r#"
//- /main.lua
APP = true
//- save /fresh.lua
FRESH = (FRESH or 0) + 1
return { answer = 42 }
//- run
say(FRESH, live.fresh.answer)
"#,
        &expect![[r"
            save fresh.lua: applied [fresh]
            | 1 42
        "]],
    );
}

#[test]
fn scripts_and_test_files_are_never_started_by_a_save() {
    let project = Project::new(
        "//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\n//- /main.lua\nrequire \"lib\"\n//- /lib.lua\nreturn {}\n",
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    for file in ["deploy.lua", "spec/lib_spec.lua"] {
        let reload = client.save(file, "STARTED = true\nprint(\"started\")\n");
        assert_eq!(reload.tag(), "unchanged", "{file}");
    }
    assert_eq!(client.look("STARTED"), "nil");
    client.finish();
}

/// X06: what was refused because of another module is taken when that one is mended.
#[test]
fn mending_a_dependency_retries_what_failed_because_of_it() {
    let project = Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /config.lua
return { size = 1 }
//- /window.lua
local config = require "config"
return { area = config.size * config.size, title = "one" }
//- /main.lua
require "window"
"#,
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let window = "local config = require \"config\"\nreturn { area = config.size * config.height, title = \"two\" }\n";
    assert_eq!(client.save("window.lua", window).tag(), "rolledBack");
    assert_eq!(client.problems("window.lua").len(), 1);
    let mended = client.save("config.lua", "return { size = 2, height = 3 }\n");
    assert_eq!(mended.tag(), "applied");
    assert_eq!(mended.units(), ["config", "window"]);
    assert_eq!(client.problems("window.lua"), []);
    assert_eq!(client.look("live.window.title .. live.window.area"), "two6");
    client.finish();
}

#[test]
fn reload_all_takes_every_module_and_says_so() {
    let project = Project::new(
        "//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\n//- /a.lua\nLOADS = (LOADS or 0) + 1\nreturn {}\n//- /main.lua\nrequire \"a\"\n",
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let id = client.send_request(
        "workspace/executeCommand",
        json!({ "command": "hotsave.reloadAll" }),
    );
    let reload = client.reload();
    assert_eq!((reload.cause(), reload.tag()), ("command", "applied"));
    assert_eq!(reload.started["kind"], "full");
    assert!(reload.units().contains(&"a"));
    let answer = client.reply(id)["result"].clone();
    assert_eq!(answer["generation"], reload.generation());
    assert!(!answer["message"].as_str().unwrap().is_empty());
    assert_eq!(client.look("LOADS"), "2");
    client.finish();
}

#[test]
fn paused_saves_wait_and_are_one_generation_on_resume() {
    let project = Project::new("//- /a.lua\nreturn { n = 1 }\n//- /b.lua\nreturn { n = 1 }\n");
    let mut client = Client::open(&project);
    client.command("hotsave.pause", None);
    client.send_save("a.lua", "return { n = 2 }\n");
    client.send_save("b.lua", "return { n = 2 }\n");
    client.status("two changes pending", |status| {
        status["paused"] == true && status["pending"] == 2
    });
    client.nothing_unread();
    let id = client.send_request(
        "workspace/executeCommand",
        json!({ "command": "hotsave.resume" }),
    );
    let reload = client.reload();
    assert_eq!(reload.trigger(), ["a.lua", "b.lua"]);
    assert_eq!(reload.tag(), "applied");
    client.reply(id);
    assert_eq!(client.look("live.a.n + live.b.n"), "4");
    client.finish();
}

#[test]
fn explain_tells_why_each_unit_was_reloaded() {
    let project = Project::new(
        "//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\n//- /a.lua\nreturn { n = 1 }\n//- /b.lua\nreturn { m = require(\"a\").n }\n//- /main.lua\nrequire \"b\"\n",
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let reload = client.save("a.lua", "return { n = 2 }\n");
    let explanation = client.request("hotsave/explain", json!({}))["result"].clone();
    assert_eq!(explanation["generation"], reload.generation());
    assert_eq!(explanation["cause"], "save");
    let decision = |name: &str| {
        let units = explanation["units"].as_array().unwrap();
        units
            .iter()
            .find(|unit| unit["name"] == name)
            .map_or("absent", |unit| unit["decision"].as_str().unwrap())
    };
    assert_eq!((decision("a"), decision("b")), ("replaced", "rerun"));
    assert!(
        ["skipped", "absent"].contains(&decision("main")),
        "main takes nothing from b: {}",
        decision("main")
    );
    let because = explanation["units"][1]["because"].to_string();
    assert!(
        because.contains('a'),
        "b runs again because of a: {because}"
    );
    assert_eq!(explanation["status"]["health"], "ok");
    client.finish();
}

/// 55, and the worker's death while idle.
#[test]
fn a_lost_worker_is_rebuilt_with_its_state() {
    let project = Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
deadline_ms = 300
//- /counter.lua
local n = 0
return { inc = function() n = n + 1 return n end, version = "one" }
//- /main.lua
require "counter"
"#,
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    client.run("live.counter.inc() live.counter.inc()");
    let old = client.worker().unwrap();

    // A pattern that explodes inside C: no hook can stop it, only a kill.
    let exploding = "local text = (\"a\"):rep(40)\nlocal found = text:find((\"a?\"):rep(40) .. text)\nreturn { inc = function() return -1 end }\n";
    let reload = client.save("counter.lua", exploding);
    assert_eq!((reload.tag(), reload.reason()), ("rolledBack", "rebuilt"));
    assert_eq!(client.problems("counter.lua").len(), 1);
    let new = client.worker().unwrap();
    assert_ne!(old, new);
    assert_eq!(client.run("say(live.counter.inc())"), ["3"]);

    hotsave_tests::process::kill(new);
    client.status("the worker is lost", |status| {
        status["hosts"][0]["state"] != "ready"
    });
    let good =
        "local n = 0\nreturn { inc = function() n = n + 1 return n end, version = \"two\" }\n";
    assert_eq!(client.save("counter.lua", good).tag(), "applied");
    assert_eq!(
        client.run("say(live.counter.version, live.counter.inc())"),
        ["two 4"]
    );
    assert_eq!(client.problem_files(), [""; 0]);
    client.finish();
}

/// 9.1: the time a reload may take grows with the units it loads, also with those that nobody named.
#[test]
fn a_module_that_needs_many_others_gets_the_time_to_load_them() {
    let mut files = String::from("//- /hotsave.toml\n[lua]\ndeadline_ms = 100\n");
    for n in 0..40 {
        let spin = "local till = os.clock() + 0.003 while os.clock() < till do end";
        files += &format!(
            "//- /m{n}.lua\nrequire \"m{}\"\n{spin}\nreturn {n}\n",
            n + 1
        );
    }
    files += "//- /m40.lua\nreturn 40\n";
    let project = Project::new(&files);
    let mut client = Client::open(&project);
    let reload = client.save("m0.lua", &(project.read("m0.lua").unwrap() + "\n"));
    assert_eq!(reload.tag(), "applied", "{}", reload.finished);
    client.finish();
}
