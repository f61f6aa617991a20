//! A bad save: the program goes on as before, one diagnostic stands on the right line, and a good save removes it.

use hotsave_tests::{client::Client, fixture::Project, reload::Found};

/// What the bad versions of `state.lua` do before they fail: a global, another module's table, its hidden state.
const DAMAGE: &str = "\
local world = require \"world\"
leaked = true
world.size = 99
world.set_secret(99)
";

/// A good next version.
const MENDED: &str = "\
local world = require \"world\"
local n = 0
local M = {}
function M.inc() n = n + 1 return n end
function M.version() return \"two\" end
return M
";

fn project() -> Project {
    Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
deadline_ms = 2000
memory_mb = 200
//- /lib/helper.lua
return {}
//- /world.lua
local M = { size = 1 }
local secret = 10
function M.secret() return secret end
function M.set_secret(value) secret = value end
return M
//- /state.lua
local world = require "world"
local n = 0
local M = {}
function M.inc() n = n + 1 return n end
function M.version() return "one" end
return M
//- /main.lua
local state = require "state"
function tick() return state.inc() end
"#,
    )
}

/// Saves `bad` (which begins at line 5, after the damage) as the newest text of a running module and checks everything
/// a user relies on; the one problem is returned for a closer look.
fn check_refused(bad: &str, tag: &str, code: &str, line: u64) -> Found {
    let project = project();
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    client.run("tick() tick()");

    let reload = client.save("state.lua", &format!("{DAMAGE}{bad}\nreturn {{}}\n"));
    assert_eq!(reload.tag(), tag, "{}\n{}", reload.finished, client.story());
    let problems: Vec<Found> = client
        .problems("state.lua")
        .into_iter()
        .filter(|found| found.severity <= 2)
        .collect();
    let [problem] = problems.as_slice() else {
        panic!("one problem expected: {problems:#?}")
    };
    assert_eq!(
        (problem.code.as_str(), problem.line, problem.severity),
        (code, line, 1),
        "{problem:?}"
    );
    assert_eq!(client.problem_files(), ["state.lua"]);
    client.status("the file fails", |status| {
        status["health"] == "error"
            && status["failing"].to_string().contains("state.lua")
            && status["phase"] == "idle"
    });

    let seen = client.run(
        "say(live.state.version(), tostring(leaked), live.world.size, live.world.secret(), tick())",
    );
    assert_eq!(seen, ["one nil 1 10 3"], "the program runs as before");

    let mended = client.save("state.lua", MENDED);
    assert_eq!(mended.tag(), "applied", "{}", mended.finished);
    assert_eq!(
        client.problem_files(),
        [""; 0],
        "the problem is gone with its cause"
    );
    client.status("healthy", |status| {
        status["health"] == "ok" && status["failing"] == serde_json::json!([])
    });
    assert_eq!(client.run("say(live.state.version(), tick())"), ["two 4"]);
    client.finish();
    problem.clone()
}

#[test]
fn a_syntax_error() {
    let problem = check_refused("local x = = 1", "rejected", "lua/syntax", 5);
    assert!(
        problem.message.contains("near '='") || problem.message.contains("expected"),
        "{problem:?}"
    );
    assert!(
        problem.columns.0 <= 10 && 10 < problem.columns.1,
        "the second `=` is at column 10: {problem:?}"
    );
}

#[test]
fn an_unclosed_block_names_where_it_was_opened() {
    let problem = check_refused("if world then", "rejected", "lua/syntax", 6);
    assert!(
        problem.related.contains(&"state.lua:5".to_owned()),
        "opened on line 5: {problem:?}"
    );
}

#[test]
fn an_error_at_top_level() {
    let problem = check_refused("error(\"out of order\")", "rolledBack", "lua/load-error", 5);
    assert!(problem.message.contains("out of order"), "{problem:?}");
}

#[test]
fn a_nil_field_is_underlined_itself() {
    let problem = check_refused(
        "local x = world.missing.field",
        "rolledBack",
        "lua/load-error",
        5,
    );
    assert_eq!(problem.columns, (16, 23), "`missing`: {problem:?}");
}

#[test]
fn an_error_in_a_function_shows_who_called_it() {
    let bad = "local function boom() error(\"deep\") end\nboom()";
    let problem = check_refused(bad, "rolledBack", "lua/load-error", 5);
    assert!(
        problem.related.contains(&"state.lua:6".to_owned()),
        "the caller is a related place: {problem:?}"
    );
}

#[test]
fn a_missing_module() {
    let problem = check_refused(
        "local gone = require \"lib.gone\"",
        "rolledBack",
        "lua/module-not-found",
        5,
    );
    assert!(problem.message.contains("lib.gone"), "{problem:?}");
    assert!(
        (21..=22).contains(&problem.columns.0),
        "the argument begins at column 21: {problem:?}"
    );
}

#[test]
fn an_endless_loop() {
    check_refused("while true do end", "rolledBack", "lua/timeout", 5);
}

#[test]
fn an_endless_loop_that_catches_errors() {
    check_refused(
        "while true do pcall(function() while true do end end) end",
        "rolledBack",
        "lua/timeout",
        5,
    );
}

#[test]
fn an_endless_loop_in_a_coroutine() {
    check_refused(
        "coroutine.wrap(function() while true do end end)()",
        "rolledBack",
        "lua/timeout",
        5,
    );
}

#[test]
fn a_memory_bomb() {
    check_refused(
        "local t = {} while true do t[#t + 1] = {} end",
        "rolledBack",
        "lua/memory",
        5,
    );
}

/// Few steps, large strings: the allocator refuses, and Lua's own "not enough memory" has no position.
#[test]
fn a_memory_bomb_of_few_steps() {
    let bad =
        "local t, big = {}, (\"x\"):rep(1000):rep(1000) while true do t[#t + 1] = big .. #t end";
    check_refused(bad, "rolledBack", "lua/memory", 5);
}

/// Deeper than the parser judges: the compiler's own words, which name no line, without a trace of where hotsave called
/// it.
#[test]
fn a_text_nested_too_deep_to_compile() {
    let bad = format!("local t = {}{}", "{".repeat(5000), "}".repeat(5000));
    let problem = check_refused(&bad, "rejected", "lua/syntax", 1);
    assert!(!problem.message.contains("hotsave"), "{}", problem.message);
}

#[test]
fn an_endless_recursion() {
    check_refused(
        "local function f() return 1 + f() end f()",
        "rolledBack",
        "lua/stack-overflow",
        5,
    );
}

#[test]
fn a_raised_table() {
    let problem = check_refused(
        "error({ message = \"no disk\" })",
        "rolledBack",
        "lua/load-error",
        5,
    );
    assert!(problem.message.contains("no disk"), "{problem:?}");
}

#[test]
fn the_end_of_the_program() {
    check_refused("os.exit(1)", "rolledBack", "lua/blocked-call", 5);
}

/// 18.
#[test]
fn a_lost_return() {
    let project = project();
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let reload = client.save("state.lua", &MENDED.replace("return M\n", ""));
    assert_eq!(reload.tag(), "rejected");
    let problems = client.problems("state.lua");
    assert_eq!(
        problems
            .iter()
            .map(|found| found.code.as_str())
            .collect::<Vec<_>>(),
        ["lua/missing-return"]
    );
    assert_eq!(client.look("live.state.version()"), "one");
    client.finish();
}

/// 73: the dependent raises on the new value, so nothing is taken.
#[test]
fn a_dependent_that_fails_names_the_module_that_triggered_it() {
    let project = Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /a.lua
return { speed = 1 }
//- /b.lua
local a = require "a"
return { twice = a.speed * 2 }
//- /main.lua
require "b"
"#,
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let reload = client.save("a.lua", "return {}\n");
    assert_eq!((reload.tag(), reload.stage()), ("rolledBack", "run"));
    let problems = client.problems("b.lua");
    let [problem] = problems.as_slice() else {
        panic!("{problems:#?}")
    };
    assert_eq!((problem.line, problem.severity), (2, 1));
    assert_eq!(problem.columns, (19, 24), "`speed`: {problem:?}");
    assert!(
        problem.message.contains("arithmetic on a nil value"),
        "{problem:?}"
    );
    assert!(
        problem
            .related
            .iter()
            .any(|place| place.starts_with("a.lua:")),
        "a.lua triggered it: {problem:?}"
    );
    assert_eq!(client.look("live.a.speed .. live.b.twice"), "12");

    assert_eq!(
        client.save("a.lua", "return { speed = 3 }\n").tag(),
        "applied"
    );
    assert_eq!(client.problem_files(), [""; 0]);
    assert_eq!(client.look("live.b.twice"), "6");
    client.finish();
}

/// X05: a broken file never blocks an unrelated good one.
#[test]
fn an_unrelated_save_is_applied_while_another_fails() {
    let project = project();
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    assert_eq!(
        client.save("state.lua", "error(\"no\")\nreturn {}\n").tag(),
        "rolledBack"
    );
    let helper = client.save("lib/helper.lua", "return { ready = true }\n");
    assert_eq!(helper.tag(), "applied");
    assert_eq!(client.problem_files(), ["state.lua"]);
    client.status("still failing", |status| status["health"] == "error");
    client.finish();
}

/// 74: nobody loaded it, so no host hears of it.
#[test]
fn a_syntax_error_in_a_file_nobody_loaded_is_a_diagnostic_only() {
    let project = project();
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    client.save("draft.lua", "return {\n");
    assert_eq!(client.problems("draft.lua").len(), 1);
    assert_eq!(client.look("tick()"), "1");
    client.close("draft.lua");
    std::fs::remove_file(project.path("draft.lua")).unwrap();
    client.await_problems("draft.lua", "gone with the file", <[Found]>::is_empty);
    client.accept_leftovers();
}
