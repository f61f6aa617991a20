//! T21: sessions recorded from real editors, played to the server.
//!
//! Each file in `tests/fixtures/clients` holds what one editor sent. None of them declares `experimental.hotsave`, so none may get
//! a custom message (the test client fails on one); each must see a broken save and its repair.

use std::{fs, path::Path};

use hotsave_tests::{
    client::{Client, uri},
    fixture::Project,
    options::Options,
    wire,
};
use serde_json::{Value, json};

#[test]
fn every_recorded_editor_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clients");
    let mut n_clients = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let recording: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            play(&recording);
            n_clients += 1;
        }
    }
    assert!(8 <= n_clients, "{n_clients} recordings");
}

fn play(recording: &Value) {
    let name = recording["client"].as_str().unwrap();
    let project = Project::new(
        "//- /greeting.lua\nreturn { text = \"hello\" }\n//- /main.lua\nlocal greeting = require \"greeting\"\n\nprint(greeting.text)\n",
    );
    let mut client = Client::spawn(&project, Options::plain());
    let root = project.root().to_str().unwrap();
    let mut ended = false;
    for message in recording["messages"].as_array().unwrap() {
        let text = message.to_string().replace("${ROOT}", root);
        let message: Value = serde_json::from_str(&text).unwrap();
        match message["method"].as_str() {
            // Answers to the requests of another server: ours get theirs from the test client.
            None => continue,
            Some("shutdown" | "exit") if !ended => {
                ended = true;
                break_and_mend(&mut client, name);
            }
            Some(_) => {}
        }
        client.send_raw(&wire::frame(&message));
        if let Some(id) = message.get("id") {
            let reply = client.message("a reply", |reply| {
                &reply["id"] == id && reply.get("method").is_none()
            });
            if message["method"] == "initialize" {
                check_capabilities(name, &message["params"], &reply["result"]);
            }
        }
    }
    if !ended {
        break_and_mend(&mut client, name);
    }
    let sent = |method: &str| {
        recording["messages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|message| message["method"] == method)
    };
    if !sent("shutdown") {
        client.request("shutdown", Value::Null);
    }
    if !sent("exit") {
        client.notify("exit", Value::Null);
    }
    let status = client.exit_status(hotsave_tests::client::PATIENCE);
    // Kakoune says `exit` without `shutdown`; so does nobody else.
    assert!(matches!(status.code(), Some(0 | 1)), "{name}: {status}");
    client.accept_leftovers();
}

fn check_capabilities(name: &str, params: &Value, result: &Value) {
    let offered = params
        .pointer("/capabilities/general/positionEncodings")
        .and_then(Value::as_array);
    let chosen = result["capabilities"]["positionEncoding"]
        .as_str()
        .unwrap_or("utf-16");
    match offered {
        Some(offered) if offered.contains(&json!("utf-8")) => assert_eq!(chosen, "utf-8", "{name}"),
        Some(offered) => assert!(offered.contains(&json!(chosen)), "{name}: {chosen}"),
        None => assert_eq!(chosen, "utf-16", "{name}"),
    }
    assert!(
        result["capabilities"]
            .pointer("/textDocumentSync/save")
            .is_some(),
        "{name}"
    );
}

/// A broken save, then a good one, in the one form every editor knows: the whole text.
fn break_and_mend(client: &mut Client, name: &str) {
    for (version, text) in [(1001, "local x = = 1\n"), (1002, "local x = 1\nprint(x)\n")] {
        let document = json!({ "uri": uri(&client.path("main.lua")), "version": version });
        client.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [{ "text": text }] }),
        );
        fs::write(client.path("main.lua"), text).unwrap();
        client.did_save("main.lua", text);
        let broken = version == 1001;
        client.await_problems("main.lua", &format!("{name}: broken {broken}"), |found| {
            found.iter().any(|found| found.severity == 1) == broken
        });
    }
}
