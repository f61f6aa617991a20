//! Order, floods, silence and cancellation: T1, T6, T7, T12, T13, T14, T17, T20, T22 of the editors specification.

use std::{fmt::Write as _, fs::OpenOptions, io::Read as _, process::Command, time::Duration};

use hotsave_tests::{
    client::{Client, uri},
    fixture::Project,
    options::{Answers, Options},
    process,
};
use serde_json::{Value, json};

fn counter_program() -> Project {
    Project::new(
        "//- /hotsave.toml\n[settle]\nsave_ms = 0\n[lua]\ndeadline_ms = 60000\n//- /m.lua\nreturn { n = 0 }\n",
    )
}

/// T1: 20,000 edits over 20 documents, 2,000 requests between them; each document tells whether its lines are in order.
#[test]
fn twenty_thousand_notifications_keep_their_order_and_every_request_is_answered() {
    const N_DOCUMENTS: usize = 20;
    const N_EDITS: usize = 1000;
    let project = counter_program();
    let mut client = Client::open(&project);
    let uris: Vec<String> = (0..N_DOCUMENTS)
        .map(|index| uri(&project.path(&format!("doc_{index}.lua"))))
        .collect();
    for index in 0..N_DOCUMENTS {
        client.edit(&format!("doc_{index}.lua"), "local t = {}\n");
    }
    let mut ids = Vec::new();
    for edit in 1..=N_EDITS {
        for (index, uri) in uris.iter().enumerate() {
            let end = json!({ "line": edit, "character": 0 });
            let change = json!({ "range": { "start": end, "end": end }, "text": format!("t[#t + 1] = {edit}\n") });
            let document = json!({ "uri": uri, "version": edit + 1 });
            client.notify(
                "textDocument/didChange",
                json!({ "textDocument": document, "contentChanges": [change] }),
            );
            if (edit * N_DOCUMENTS + index).is_multiple_of(10) {
                ids.push(client.send_request(
                    "textDocument/codeLens",
                    json!({ "textDocument": { "uri": uri } }),
                ));
            }
        }
    }
    assert_eq!(ids.len(), 2000);
    for id in ids {
        client.reply(id);
    }
    for (index, uri) in uris.iter().enumerate() {
        let end = json!({ "line": N_EDITS + 1, "character": 0 });
        let text = format!(
            "local ok = #t == {N_EDITS}\nfor i, v in ipairs(t) do ok = ok and i == v end\nprint(\"document {index} in order\", ok)\nreturn {{}}\n"
        );
        let change = json!({ "range": { "start": end, "end": end }, "text": text });
        let document = json!({ "uri": uri, "version": N_EDITS + 2 });
        client.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [change] }),
        );
        client.notify(
            "textDocument/didSave",
            json!({ "textDocument": { "uri": uri } }),
        );
    }
    for index in 0..N_DOCUMENTS {
        let line = client.log(&format!("document {index} in order"));
        assert!(line.contains("true"), "{line}");
    }
    client.problem_files();
    client.accept_leftovers();
}

/// T6: four waiting requests are enough to stop a server that awaits its client in handlers.
#[test]
fn unanswered_client_requests_stall_nothing() {
    let capabilities = json!({ "workspace": { "configuration": true, "didChangeConfiguration": { "dynamicRegistration": true } } });
    let project = counter_program();
    let options = Options {
        answers: Answers::Never,
        capabilities,
        // One of those whose users see the log.
        name: "Visual Studio Code",
        ..Options::default()
    };
    let mut client = Client::open_with(&project, options);
    for _ in 0..64 {
        client.notify(
            "workspace/didChangeConfiguration",
            json!({ "settings": null }),
        );
    }
    client.edit("m.lua", "return { n = 0 }\n");
    let document = uri(&project.path("m.lua"));
    for version in 2..5002 {
        let change = json!({ "text": format!("return {{ n = {version} }}\n") });
        client.notify("textDocument/didChange", json!({ "textDocument": { "uri": document, "version": version }, "contentChanges": [change] }));
    }
    let ids: Vec<i64> = (0..200)
        .map(|_| {
            client.send_request(
                "textDocument/codeLens",
                json!({ "textDocument": { "uri": document } }),
            )
        })
        .collect();
    for id in ids {
        assert!(client.reply(id).get("error").is_none());
    }
    let asked = client
        .record()
        .iter()
        .filter(|message| message["method"] == "workspace/configuration")
        .count();
    assert!(0 < asked, "the server asked for its configuration");
    client.log("workspace/configuration");
    client.accept_leftovers();
}

/// T7.
#[test]
fn a_client_that_answers_nothing_still_gets_its_reloads() {
    let capabilities = json!({ "workspace": {
        "configuration": true,
        "didChangeConfiguration": { "dynamicRegistration": true },
        "didChangeWatchedFiles": { "dynamicRegistration": true, "relativePatternSupport": true },
    } });
    let project = counter_program();
    let options = Options {
        answers: Answers::Never,
        capabilities,
        name: "Visual Studio Code",
        ..Options::default()
    };
    let mut client = Client::open_with(&project, options);
    for n in 1..=5 {
        assert_eq!(
            client
                .save("m.lua", &format!("return {{ n = {n} }}\n"))
                .tag(),
            "applied"
        );
    }
    client.accept_leftovers();
}

/// T12.
#[test]
fn a_cancelled_command_is_answered_so_and_the_reload_completes() {
    let project = counter_program();
    let mut client = Client::open(&project);
    let slow = "local t = os.clock() while os.clock() - t < 0.5 do end\nreturn { n = 1 }\n";
    assert_eq!(client.save("m.lua", slow).tag(), "applied");

    // While applying: the reload goes on, the reply says cancelled.
    let id = client.send_request(
        "workspace/executeCommand",
        json!({ "command": "hotsave.reloadAll" }),
    );
    let started = client.notification("hotsave/reloadStarted");
    client.notify("$/cancelRequest", json!({ "id": id }));
    assert_eq!(client.reply(id)["error"]["code"], -32800);
    let finished = client.message("the finish", |message| {
        message["method"] == "hotsave/reloadFinished"
            && message["params"]["generation"] == started["generation"]
    });
    assert_eq!(finished["params"]["outcome"]["tag"], "applied");

    // Queued behind a running one: never starts, or ends as cancelled.
    client.send_save("m.lua", &slow.replace("n = 1", "n = 2"));
    client.notification("hotsave/reloadStarted");
    let id = client.send_request(
        "workspace/executeCommand",
        json!({ "command": "hotsave.reloadAll" }),
    );
    client.notify("$/cancelRequest", json!({ "id": id }));
    assert_eq!(client.reply(id)["error"]["code"], -32800);
    client.notification("hotsave/reloadFinished");

    // After the reply, and for an id nobody knows: nothing.
    let id = client.send_request("hotsave/explain", json!({}));
    client.reply(id);
    client.notify("$/cancelRequest", json!({ "id": id }));
    client.notify("$/cancelRequest", json!({ "id": 999_999 }));
    let last = client.save("fence.lua", "return {}\n");
    assert!(
        ["applied", "cancelled"].contains(&last.tag()),
        "{}",
        last.finished
    );
    if last.tag() == "cancelled" {
        assert_eq!(client.reload().tag(), "applied");
    }
    client.finish();
}

/// T13, bounded: one reply each, and the memory is given back.
#[test]
fn a_thousand_requests_half_of_them_cancelled_get_one_reply_each() {
    let project = counter_program();
    let mut client = Client::open(&project);
    client.save("m.lua", "return { n = 1 }\n");
    let burst = |client: &mut Client| {
        let ids: Vec<i64> = (0..1000)
            .map(|_| client.send_request("hotsave/explain", json!({})))
            .collect();
        for id in ids.iter().step_by(2) {
            client.notify("$/cancelRequest", json!({ "id": id }));
        }
        for (index, id) in ids.into_iter().enumerate() {
            let reply = client.reply(id);
            let cancelled = reply.pointer("/error/code") == Some(&json!(-32800));
            assert!(
                reply.get("result").is_some() || (cancelled && index % 2 == 0),
                "{reply}"
            );
        }
        process::resident_kib(client.pid())
    };
    burst(&mut client);
    let before = burst(&mut client);
    let after = (0..5).map(|_| burst(&mut client)).min().unwrap();
    assert!(
        after < before + before / 10 + 1024,
        "{before} KiB, then {after} KiB"
    );
    client.finish();
}

/// T14: the pace comes from the program itself, through a named pipe, because the client hears nothing.
#[test]
fn a_client_that_stops_reading_costs_bounded_memory() {
    let project =
        Project::new("//- /hotsave.toml\n[settle]\nsave_ms = 0\n[lua]\ndeadline_ms = 60000\n");
    let mut client = Client::open(&project);
    let pipe = project.path("pace");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    // Open for both, so that it never ends between two writers.
    let mut pace = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    let text = |n: usize| {
        format!(
            "local pace = io.open(\"pace\", \"w\") pace:write(\"x\") pace:close()\nreturn {{ n = {n} }}\n"
        )
    };
    let mut save = |client: &mut Client, n: usize| {
        client.edit("m.lua", &text(n));
        client.did_save("m.lua", &text(n));
        let mut byte = [0];
        pace.read_exact(&mut byte).unwrap();
    };
    save(&mut client, 0);
    client.reload();
    client.accept_gaps();
    client.set_reading(false);
    for n in 1..500 {
        save(&mut client, n);
    }
    let early = process::resident_kib(client.pid());
    for n in 500..2500 {
        save(&mut client, n);
    }
    let late = process::resident_kib(client.pid());
    assert!(
        late < early + 48 * 1024,
        "{early} KiB after 500 saves, {late} KiB after 2,500"
    );
    client.set_reading(true);
    std::fs::remove_file(&pipe).unwrap();
    let last = client.run("say(live.m.n)");
    assert_eq!(last, ["2499"]);
    client.status("idle and well", |status| {
        status["phase"] == "idle" && status["health"] == "ok"
    });
    client.accept_leftovers();
}

/// T17.
#[test]
fn folders_come_and_go_while_reloads_run() {
    let project = Project::new(
        r#"
//- /one/hotsave.toml
[lua]
deadline_ms = 60000
//- /one/a.lua
return {}
//- /two/hotsave.toml
[lua]
//- /two/b.lua
return {}
//- /two/nested/hotsave.toml
[lua]
//- /two/nested/c.lua
return {}
"#,
    );
    let options = Options {
        folders: vec!["one".to_owned()],
        ..Options::default()
    };
    let mut client = Client::open_with(&project, options);
    let folder = |name: &str| json!({ "uri": uri(&project.path(name)), "name": name });
    client.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({ "event": { "added": [folder("two")], "removed": [] } }),
    );
    let two = uri(&project.path("two"));
    client.status("the second folder is idle", |status| {
        status["workspace"] == two.as_str() && status["phase"] == "idle"
    });

    let reload = client.save("two/b.lua", "return { n = 1 }\n");
    assert_eq!(
        (reload.started["workspace"].as_str(), reload.tag()),
        (Some(two.as_str()), "applied")
    );
    let nested = client.save("two/nested/c.lua", "return { n = 1 }\n");
    assert_eq!(
        nested.started["workspace"],
        uri(&project.path("two/nested")),
        "a hotsave.toml of its own"
    );
    client.save("two/b.lua", "return {\n");
    assert_eq!(client.problems("two/b.lua").len(), 1);

    // Removed in the middle of a reload: that one still gets its finish, and the folder's problems go.
    client.send_save(
        "two/nested/c.lua",
        "local t = os.clock() while os.clock() - t < 0.5 do end\nreturn { n = 2 }\n",
    );
    let started = client.notification("hotsave/reloadStarted");
    client.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({ "event": { "added": [], "removed": [folder("two")] } }),
    );
    let finished = client.notification("hotsave/reloadFinished");
    assert_eq!(finished["generation"], started["generation"]);
    assert_eq!(finished["workspace"], started["workspace"]);
    client.await_problems("two/b.lua", "gone with the folder", |found| {
        found.is_empty()
    });
    assert_eq!(
        client.save("one/a.lua", "return { n = 1 }\n").tag(),
        "applied"
    );
    client.finish();
}

/// T20: the reader is strict in every test; here everything there is to log is logged.
#[test]
fn stdout_carries_frames_only_at_the_highest_log_level() {
    let project = Project::new("//- /m.lua\nreturn { n = 0 }\n");
    let options = Options {
        environment: vec![
            ("HOTSAVE_LOG", "trace".to_owned()),
            ("RUST_BACKTRACE", "1".to_owned()),
        ],
        ..Options::default()
    };
    let mut client = Client::open_with(&project, options);
    for n in 1..=10 {
        client.save("m.lua", &format!("print(\"to stdout\") io.stdout:write(\"raw\\n\") io.stderr:write(\"err\\n\")\nreturn {{ n = {n} }}\n"));
    }
    client.save("m.lua", "return {\n");
    assert_eq!(client.problems("m.lua").len(), 1);
    client.request("hotsave/test/panic", json!({}));
    client.save("m.lua", "return { secret_text_of_the_file = 1 }\n");
    client.log("to stdout");
    let logged = client.stderr() + &logs(&mut client);
    assert!(
        !logged.contains("secret_text_of_the_file"),
        "document text in the log"
    );
    client.finish();
}

fn logs(client: &mut Client) -> String {
    let messages = client
        .record()
        .iter()
        .filter(|message| message["method"] == "window/logMessage");
    messages.fold(String::new(), |mut text, message| {
        let _ = writeln!(text, "{}", message["params"]["message"]);
        text
    })
}

/// T22, first half, 10 s instead of 60: nothing is said and nothing is used.
#[test]
fn an_idle_server_is_silent_and_uses_no_cpu() {
    let project = Project::new(
        "//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\n//- /main.lua\nprint(\"up\")\n",
    );
    let mut client = Client::open(&project);
    client.reload();
    client.look("'warm'");
    let mut pids = process::descendants(client.pid());
    pids.push(client.pid());
    let settled = client.quiet_for(Duration::from_secs(2));
    println!("before the measurement: {settled:?}");
    let before: u64 = pids.iter().map(|&pid| process::cpu_ticks(pid)).sum();
    assert_eq!(
        client.quiet_for(Duration::from_secs(10)),
        Vec::<Value>::new()
    );
    let used = pids.iter().map(|&pid| process::cpu_ticks(pid)).sum::<u64>() - before;
    assert!(used <= 2, "{used} ticks of 10 ms in 10 s");
    client.finish();
}

/// T22, second half.
#[test]
fn a_thousand_reloads_are_flat() {
    let project = counter_program();
    let mut client = Client::open(&project);
    let save = |client: &mut Client, n: usize| {
        let reload = client.save(
            "m.lua",
            &format!(
                "local t = {{}} for i = 1, 100 do t[i] = i end\nreturn {{ n = {n}, t = t }}\n"
            ),
        );
        assert_eq!(
            reload.tag(),
            "applied",
            "round {n}: {}\n{}",
            reload.finished,
            client.story()
        );
        reload.finished["durationMs"].as_f64().unwrap()
    };
    let mut times: Vec<f64> = (0..200).map(|n| save(&mut client, n)).collect();
    let worker = client.worker().unwrap();
    let before = (
        process::resident_kib(client.pid()),
        process::resident_kib(worker),
    );
    times.extend((200..1000).map(|n| save(&mut client, n)));
    let after = (
        process::resident_kib(client.pid()),
        process::resident_kib(worker),
    );
    assert_eq!(client.worker(), Some(worker), "the same worker all along");
    // The texts of the last 50 generations are kept; allocators round up.
    assert!(
        after.0 < before.0 + before.0 / 10 + 2048,
        "server: {before:?} KiB, then {after:?} KiB"
    );
    assert!(
        after.1 < before.1 + before.1 / 10 + 2048,
        "worker: {before:?} KiB, then {after:?} KiB"
    );
    let median = |times: &[f64]| {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (first, last) = (median(&times[..100]), median(&times[900..]));
    assert!(
        last < 3.0 * first + 2.0,
        "median of the first 100: {first} ms, of the last: {last} ms"
    );
    client.finish();
}
