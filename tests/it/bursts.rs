//! Many saves at once, and one save told several times.

use std::fmt::Write;

use hotsave_tests::{
    client::{Client, uri},
    fixture::Project,
    options::Options,
};
use serde_json::json;

#[test]
fn save_all_of_thirty_files_is_one_generation() {
    let mut fixture = String::from(
        "//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\n[settle]\nsave_ms = 100\nsave_max_ms = 5000\n//- /main.lua\n",
    );
    for index in 0..30 {
        let _ = writeln!(fixture, "require \"m{index}\"");
    }
    for index in 0..30 {
        let _ = writeln!(fixture, "//- /m{index}.lua\nreturn {{ n = 1 }}");
    }
    let project = Project::new(&fixture);
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    for index in 0..30 {
        client.send_save(&format!("m{index}.lua"), "return { n = 2 }\n");
    }
    let reload = client.reload();
    assert_eq!(reload.tag(), "applied");
    assert_eq!(reload.units().len(), 30);
    assert_eq!(reload.trigger().len(), 30);
    let sum =
        client.run("local sum = 0 for i = 0, 29 do sum = sum + live['m' .. i].n end say(sum)");
    assert_eq!(sum, ["60"]);
    client.finish();
}

/// 43.
#[test]
fn ten_saves_of_one_file_are_at_most_two_generations_and_the_last_wins() {
    let project = Project::new(
        "//- /hotsave.toml\n[settle]\nsave_ms = 50\n//- /m.lua\nRUNS = (RUNS or 0) + 1\nreturn { n = 0 }\n",
    );
    let mut client = Client::open(&project);
    assert_eq!(
        client
            .save("m.lua", "RUNS = (RUNS or 0) + 1\nreturn { n = -1 }\n")
            .tag(),
        "applied"
    );
    for n in 1..=10 {
        client.send_save(
            "m.lua",
            &format!("RUNS = (RUNS or 0) + 1\nreturn {{ n = {n} }}\n"),
        );
    }
    let first = client.reload();
    assert_eq!(first.tag(), "applied");
    // The fence is a save of its own: whatever was still to come has come before it.
    let fence = client.save("fence.lua", "return {}\n");
    let runs: u64 = if fence.trigger() == ["m.lua"] {
        assert_eq!(client.reload().trigger(), ["fence.lua"]);
        2
    } else {
        assert!(fence.generation() - first.generation() <= 1);
        u64::from(fence.trigger().len() == 2) + 1
    };
    let seen = client.run("say(live.m.n, RUNS)").concat();
    assert_eq!(seen, format!("10 {}", runs + 1));
    client.finish();
}

#[test]
fn each_save_far_apart_is_a_generation_of_its_own() {
    let project = Project::new("//- /hotsave.toml\n[settle]\nsave_ms = 0\n//- /m.lua\nreturn 0\n");
    let mut client = Client::open(&project);
    let mut last = 0;
    for n in 1..=10 {
        let reload = client.save("m.lua", &format!("return {{ n = {n} }}\n"));
        assert!(last < reload.generation());
        last = reload.generation();
    }
    client.finish();
}

/// T18: `didSave`, the client's watcher and our own tell of one save, in every order.
#[test]
fn one_save_told_three_times_is_one_generation() {
    let capabilities = json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true, "relativePatternSupport": true } } });
    let project = Project::new(
        "//- /hotsave.toml\n[settle]\nsave_ms = 5\n//- /m.lua\nRUNS = (RUNS or 0) + 1\nreturn { n = 0 }\n",
    );
    let options = Options {
        capabilities,
        ..Options::default()
    };
    let mut client = Client::open_with(&project, options);
    let changed = json!({ "changes": [{ "uri": uri(&project.path("m.lua")), "type": 2 }] });
    for n in 1..=20 {
        let text = format!("RUNS = (RUNS or 0) + 1\nreturn {{ n = {n} }}\n");
        client.edit("m.lua", &text);
        project.write("m.lua", &text);
        if n % 2 == 0 {
            client.notify("workspace/didChangeWatchedFiles", changed.clone());
        }
        client.did_save("m.lua", &text);
        if n % 2 == 1 {
            client.notify("workspace/didChangeWatchedFiles", changed.clone());
        }
        let reload = client.reload();
        assert_eq!(
            (reload.tag(), reload.trigger()),
            ("applied", vec!["m.lua"]),
            "round {n}"
        );
    }
    assert_eq!(client.run("say(live.m.n, RUNS)"), ["20 20"]);
    client.finish();
}

/// 41: `touch`.
#[test]
fn a_file_written_with_the_same_bytes_opens_no_generation() {
    let project = Project::new("//- /m.lua\nreturn { n = 1 }\n//- /other.lua\nreturn 1\n");
    let mut client = Client::open(&project);
    client.save("m.lua", "return { n = 2 }\n");
    project.write("m.lua", "return { n = 2 }\n");
    // The same watcher tells of both files in order, so the touch was seen before this one.
    project.write("other.lua", "return {}\n");
    let reload = client.reload();
    assert_eq!(
        (reload.cause(), reload.trigger()),
        ("watcher", vec!["other.lua"])
    );
    client.finish();
}
