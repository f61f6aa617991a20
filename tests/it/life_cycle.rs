//! How the server ends: always, in time, and with everything it started.
//!
//! T2, T3, T5 and T8 of the editors specification. Limits there are for an idle machine; here they are doubled.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use hotsave_tests::{
    client::{Client, notification, request},
    fixture::Project,
    options::Options,
    process, wire,
};
use serde_json::{Value, json};

/// Twice "gone in 1 s".
const SOON: Duration = Duration::from_secs(2);
/// Twice "gone in 3 s".
const BOUND: Duration = Duration::from_secs(6);

/// A program that never ends by itself: its worker has to be ended.
fn project() -> Project {
    Project::new(
        "//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\ndeadline_ms = 60000\n//- /main.lua\nprint(\"up\")\n",
    )
}

fn open(project: &Project, options: Options) -> (Client, Vec<u32>) {
    let mut client = Client::open_with(project, options);
    assert_eq!(client.reload().tag(), "applied");
    let children = process::descendants(client.pid());
    assert!(!children.is_empty(), "the worker runs");
    (client, children)
}

fn assert_ends(client: &mut Client, children: &[u32], patience: Duration, code: i32) {
    assert_eq!(
        client.exit_status(patience).code(),
        Some(code),
        "{}",
        client.story()
    );
    assert!(
        process::all_gone(children, patience),
        "children live on: {children:?}"
    );
    client.accept_leftovers();
}

#[test]
fn shutdown_then_exit_ends_with_0_though_stdin_stays_open() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    let reply = client.request("shutdown", Value::Null);
    assert_eq!(reply.get("error"), None);
    client.notify("exit", Value::Null);
    assert_ends(&mut client, &children, SOON, 0);
}

#[test]
fn shutdown_and_exit_in_one_write_still_answer() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    let mut bytes = wire::frame(&request(999, "shutdown", Value::Null));
    bytes.extend(wire::frame(&notification("exit", Value::Null)));
    client.send_raw(&bytes);
    assert_eq!(client.reply(999).get("error"), None);
    assert_ends(&mut client, &children, SOON, 0);
}

#[test]
fn exit_alone_ends_with_1() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    client.notify("exit", Value::Null);
    assert_ends(&mut client, &children, SOON, 1);
}

#[test]
fn exit_before_initialize_ends_with_1() {
    let mut client = Client::spawn(&Project::empty(), Options::default());
    client.notify("exit", Value::Null);
    assert_ends(&mut client, &[], SOON, 1);
}

#[test]
fn the_end_of_stdin_ends_it_with_1() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    client.close_stdin();
    assert_ends(&mut client, &children, BOUND, 1);
}

#[test]
fn a_closed_stdout_ends_it_with_1() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    client.close_stdout();
    // Something to say, so that it notices.
    client.send_save("main.lua", "print(\"more\")\n");
    assert_ends(&mut client, &children, BOUND, 1);
}

/// T8: somebody else (here: this test) holds the pipes open.
#[test]
fn the_editors_death_ends_it() {
    let project = project();
    let mut editor = stand_in();
    let options = Options {
        process_id: Some(editor.id()),
        ..Options::default()
    };
    let (mut client, children) = open(&project, options);
    editor.kill().unwrap();
    editor.wait().unwrap();
    assert_ends(&mut client, &children, BOUND, 1);
}

#[test]
fn a_killed_server_leaves_no_worker_even_in_an_endless_loop() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    client.send_save(
        "spin.lua",
        "print(\"spinning\")\nwhile true do end\nreturn {}\n",
    );
    client.log("spinning");
    process::kill(client.pid());
    assert!(
        process::all_gone(&children, BOUND),
        "the worker outlives the server"
    );
    client.accept_leftovers();
}

/// Shutdown does not wait for a loop without end.
#[test]
fn shutdown_ends_a_worker_in_an_endless_loop() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    client.send_save(
        "spin.lua",
        "print(\"spinning\")\nwhile true do end\nreturn {}\n",
    );
    client.log("spinning");
    assert_eq!(client.request("shutdown", Value::Null).get("error"), None);
    client.notify("exit", Value::Null);
    // 3 s to stop by itself, then killed.
    assert_ends(&mut client, &children, BOUND, 0);
}

/// T5.
#[test]
fn a_panic_of_the_loop_is_told_and_ends_with_70() {
    let project = project();
    let (mut client, children) = open(&project, Options::default());
    client.send_request("hotsave/test/panicLoop", json!({}));
    let shown = client.notification("window/showMessage");
    assert_eq!(shown["type"], 1);
    assert_ends(&mut client, &children, BOUND, 70);
}

/// T4.
#[test]
fn a_panic_in_a_handler_is_an_error_reply_and_the_server_lives_on() {
    let project = project();
    let (mut client, _) = open(&project, Options::default());
    let reply = client.request("hotsave/test/panic", json!({}));
    assert_eq!(reply["error"]["code"], -32603, "{reply}");
    assert!(
        reply["error"]["message"]
            .as_str()
            .unwrap()
            .contains("hotsave/test/panic"),
        "{reply}"
    );
    assert_eq!(client.look("1 + 1"), "2");
    client.finish();
}

/// A process to be the editor: ends when killed, does nothing else.
fn stand_in() -> Child {
    Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// 3.3: the answer comes after the outcome, so a script can wait for the program to be back.
#[test]
fn a_restart_is_answered_when_the_program_is_back() {
    let project = Project::new(
        "//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\n//- /main.lua\nSTARTS = (STARTS or 0) + 1\n",
    );
    let mut client = Client::open(&project);
    assert_eq!(client.reload().cause(), "startup");
    let worker = client.worker();
    let answer = client.command("hotsave.restart", None);
    assert_eq!(answer["outcome"]["tag"], "applied", "{answer}");
    assert_eq!(client.reload().tag(), "applied");
    assert_ne!(client.worker(), worker);
    assert_eq!(client.run("say(STARTS)"), ["1"]);
    client.finish();
}
