//! Opening a folder runs nothing; only trust lets it run.

use std::process::Command;

use hotsave_tests::{
    client::{Client, uri},
    fixture::Project,
    options::{self, Options},
    process,
};
use serde_json::json;

/// A program that leaves a trace on disk when it runs.
fn project() -> Project {
    Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /a.lua
local file = assert(io.open("ran.txt", "a"))
file:write("ran\n")
file:close()
return { n = 1 }
//- /main.lua
local a = require "a"
"#,
    )
}

fn untrusted(trust: Option<&'static str>) -> Options {
    Options {
        trust,
        ..Options::default()
    }
}

/// 2.11: one information diagnostic on the command, gone once it is allowed, back when the command is another.
#[test]
fn what_would_run_is_named_on_its_line_until_it_is_allowed() {
    let project = project();
    let mut client = Client::open_with(&project, untrusted(None));
    client.await_problems("hotsave.toml", "the permission is missing", |found| {
        matches!(found, [it] if it.code == "config-untrusted"
            && (it.line, it.severity) == (2, 3)
            && it.message.contains("entry main.lua"))
    });
    client.command("hotsave.trust", None);
    client.await_problems("hotsave.toml", "it is allowed", <[_]>::is_empty);
    project.write("hotsave.toml", "[lua]\nentry = [\"a.lua\"]\n");
    client.await_problems("hotsave.toml", "another command", |found| {
        matches!(found, [it] if it.message.contains("entry main.lua") && it.message.contains("entry a.lua"))
    });
    client.accept_leftovers();
}

fn check_nothing_runs(trust: Option<&'static str>) {
    let project = project();
    let mut client = Client::open_with(&project, untrusted(trust));
    client.status("trust is needed", |status| status["trust"] == "needed");

    let text = project.read("a.lua").unwrap().replace("n = 1", "n = 2");
    let reload = client.save("a.lua", &text);
    assert_eq!(
        (reload.tag(), reload.stage()),
        ("rejected", "trust"),
        "{}",
        reload.finished
    );
    let answer = client.request(
        "workspace/executeCommand",
        json!({ "command": "hotsave.reloadAll" }),
    );
    assert_eq!(answer["result"]["outcome"]["tag"], "rejected", "{answer}");
    assert_eq!(answer["result"]["outcome"]["stage"], "trust", "{answer}");

    // Syntax and graph need no trust.
    client.send_save("a.lua", "return {\n");
    client.await_problems("a.lua", "a syntax error", |found| {
        found
            .iter()
            .any(|found| found.code == "lua/syntax" && found.severity == 1)
    });
    client.send_save("a.lua", "local gone = require \"a.gone\"\nreturn {}\n");
    client.await_problems("a.lua", "a missing module", |found| {
        found
            .iter()
            .any(|found| found.code == "lua/module-not-found" && found.line == 1)
    });

    assert_eq!(project.read("ran.txt"), None, "project code ran");
    assert_eq!(
        process::descendants(client.pid()),
        [0; 0],
        "a process was started"
    );
    client.problem_files();
    client.accept_leftovers();
}

#[test]
fn without_trust_nothing_runs_and_the_checks_still_work() {
    check_nothing_runs(None);
}

#[test]
fn denied_trust_runs_nothing() {
    check_nothing_runs(Some("denied"));
}

#[test]
fn trust_given_by_command_runs_without_a_restart() {
    let project = project();
    let mut client = Client::open_with(&project, untrusted(None));
    client.status("trust is needed", |status| status["trust"] == "needed");
    client.problem_files();
    let answer = client.command("hotsave.trust", None);
    assert!(!answer["message"].as_str().unwrap().is_empty());
    let reload = client.reload();
    assert_eq!(reload.tag(), "applied", "{}", reload.finished);
    assert_eq!(project.read("ran.txt").as_deref(), Some("ran\n"));
    client.status("trusted", |status| status["trust"] != "needed");
    client.finish();
}

#[test]
fn a_broken_file_does_not_keep_a_trusted_program_from_starting() {
    let project = project();
    project.write("b.lua", "return {}\n");
    let mut client = Client::open_with(&project, untrusted(None));
    client.status("trust is needed", |status| status["trust"] == "needed");
    client.send_save("b.lua", "return {\n");
    let refused = client.reload();
    assert_eq!(refused.tag(), "rejected", "{}", refused.finished);
    client.command("hotsave.trust", None);
    let started = client.reload();
    assert_eq!(started.tag(), "rejected", "{}", started.finished);
    assert_eq!(project.read("ran.txt").as_deref(), Some("ran\n"));
    client.status("b.lua is failing", |status| {
        status["health"] == "error" && status["failing"].as_array().is_some_and(|it| it.len() == 1)
    });
    client.problem_files();
    client.accept_leftovers();
}

#[test]
fn trust_given_in_the_terminal_is_remembered_until_a_command_changes() {
    let project = project();
    let mut command = Command::new(options::binary());
    command.arg("trust").current_dir(project.root());
    for variable in [
        "HOTSAVE_STATE_DIR",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "HOME",
    ] {
        command.env(variable, project.state());
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let mut client = Client::open_with(&project, untrusted(None));
    assert_eq!(client.reload().tag(), "applied");
    assert_eq!(project.read("ran.txt").as_deref(), Some("ran\n"));
    client.finish();

    project.write("hotsave.toml", "[lua]\nentry = [\"a.lua\"]\n");
    let mut client = Client::open_with(&project, untrusted(None));
    client.status("trust is needed again", |status| {
        status["trust"] == "needed"
    });
    assert_eq!(project.read("ran.txt").as_deref(), Some("ran\n"));
    client.problem_files();
    client.finish();

    // What the editor denies, the store cannot allow.
    project.write("hotsave.toml", "[lua]\nentry = [\"main.lua\"]\n");
    let mut client = Client::open_with(&project, untrusted(Some("denied")));
    client.status("denied", |status| status["trust"] == "needed");
    assert_eq!(project.read("ran.txt").as_deref(), Some("ran\n"));
    client.problem_files();
    client.finish();
}

#[test]
fn an_unsaved_buffer_is_never_run() {
    let project = project();
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    client.edit(
        "b.lua",
        "local file = io.open(\"typed.txt\", \"w\")\nfile:close()\nreturn {\n",
    );
    client.await_problems("b.lua", "checked while typed", |found| found.len() == 1);
    client.edit(
        "b.lua",
        "local file = io.open(\"typed.txt\", \"w\")\nfile:close()\nreturn {}\n",
    );
    client.await_problems("b.lua", "mended while typed", |found| found.is_empty());
    client.request(
        "textDocument/codeLens",
        json!({ "textDocument": { "uri": uri(&project.path("b.lua")) } }),
    );
    assert_eq!(client.look("'fence'"), "fence");
    assert_eq!(project.read("typed.txt"), None);
    client.finish();
}
