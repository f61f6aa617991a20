//! An editor that knows nothing of hotsave: diagnostics, lenses, commands without arguments, and no custom message.
//!
//! The test client itself fails when a `hotsave/*` message reaches such an editor.

use hotsave_tests::{
    client::{Client, uri},
    fixture::Project,
    options::Options,
};
use serde_json::json;

fn project() -> Project {
    Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /a.lua
local n = 0
return { inc = function() n = n + 1 return n end }
//- /main.lua
local a = require "a"
print("program is up")
"#,
    )
}

fn open(project: &Project) -> Client {
    let mut client = Client::open_with(project, Options::plain());
    client.log("gen 1 applied");
    client
}

#[test]
fn saves_reload_and_errors_stand_in_the_file() {
    let project = project();
    let mut client = open(&project);
    assert_eq!(client.run_unheard("say(live.a.inc())"), ["1"]);

    client.send_save("a.lua", "local n = 0\nerror(\"no\")\nreturn {}\n");
    let problems = client.await_problems("a.lua", "the error", |found| found.len() == 1);
    assert_eq!((problems[0].line, problems[0].severity), (2, 1));
    let shown = client.notification("window/showMessage");
    assert_eq!(
        shown["type"], 1,
        "one message for the change to error: {shown}"
    );
    assert_eq!(client.run_unheard("say(live.a.inc())"), ["2"]);

    client.send_save(
        "a.lua",
        "local n = 0\nreturn { inc = function() n = n + 10 return n end }\n",
    );
    client.await_problems("a.lua", "mended", |found| found.is_empty());
    assert_eq!(client.run_unheard("say(live.a.inc())"), ["12"]);
    client.finish();
}

#[test]
fn several_failures_in_a_row_are_one_message() {
    let project = project();
    let mut client = open(&project);
    for round in 1..=3 {
        client.send_save(
            "a.lua",
            &format!("local n = {round}\nerror(\"failure {round}\")\nreturn {{}}\n"),
        );
        client.await_problems("a.lua", "this round's error", |found| {
            found
                .iter()
                .any(|found| found.message.contains(&format!("failure {round}")))
        });
    }
    client.notification("window/showMessage");
    assert_eq!(client.run_unheard("say('fence')"), ["fence"]);
    client.nothing_unread();
    client.problem_files();
    client.finish();
}

#[test]
fn commands_work_without_arguments_and_their_result_is_shown() {
    let project = project();
    let mut client = open(&project);
    for command in [
        "reload",
        "reloadAll",
        "explain",
        "pause",
        "resume",
        "restart",
    ] {
        let answer = client.command(&format!("hotsave.{command}"), None);
        let message = answer["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty(), "{command}: {answer}");
        let shown = client.notification("window/showMessage");
        assert_eq!(shown["message"], message.as_str(), "{command}");
    }
    client.finish();
}

#[test]
fn a_loaded_module_has_lenses_whose_commands_run() {
    let project = project();
    let mut client = open(&project);
    client.edit("a.lua", &project.read("a.lua").unwrap());
    let document = json!({ "textDocument": { "uri": uri(&project.path("a.lua")) } });
    let lenses = client.request("textDocument/codeLens", document)["result"].clone();
    let lenses = lenses.as_array().unwrap();
    assert!(!lenses.is_empty());
    for lens in lenses.clone() {
        assert_eq!(lens["range"]["start"]["line"], 0);
        let lens = match lens.get("command") {
            Some(_) => lens,
            None => client.request("codeLens/resolve", lens)["result"].clone(),
        };
        let command = &lens["command"];
        assert!(!command["title"].as_str().unwrap().is_empty());
        let reply = client.request(
            "workspace/executeCommand",
            json!({ "command": command["command"], "arguments": command["arguments"] }),
        );
        assert!(reply.get("error").is_none(), "{lens}: {reply}");
        client.notification("window/showMessage");
    }
    client.finish();
}

#[test]
fn a_client_without_any_capability_is_served_too() {
    let project = project();
    let mut client = Client::spawn(&project, Options::plain());
    let params = json!({
        "processId": null,
        "rootUri": uri(project.root()),
        "capabilities": {},
        "initializationOptions": { "trust": "granted" },
    });
    let reply = client.request("initialize", params);
    assert_eq!(reply["result"]["serverInfo"]["name"], "hotsave");
    client.initialized();
    client.log("program is up");
    // It sends no `didSave`: the watcher serves it.
    project.write("a.lua", "return {\n");
    client.await_problems("a.lua", "the error", |found| found.len() == 1);
    project.write("a.lua", "return {}\n");
    client.await_problems("a.lua", "mended", |found| found.is_empty());
    client.accept_leftovers();
}
