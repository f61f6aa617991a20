//! The conformance suite on the worker: every case of `tests/lua-conformance`, over the real pipe.
//!
//! A case is a folder: `case.toml`, the files `before` the edits, one overlay per edit, and a `probe.lua` that returns
//! a function; it is called with 0 after the start and with N after edit N and asserts behavior only. This driver
//! plays the server: it decides the order of the units, which the case names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};
use support::{Worker, cases_folder};

/// Names that a bare Lua 5.4 has; anything else in `_G` is the case's or ours.
const STANDARD: &str = "_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io ipairs load \
     loadfile math next os package pairs pcall print rawequal rawget rawlen rawset require select setmetatable string \
     table tonumber tostring type utf8 warn xpcall";

/// Prints the names of all globals on one line.
const GLOBALS: &str = "local names = {} for name in next, _G do names[#names + 1] = name end table.sort(names) \
     print(table.concat(names, ' '))";

#[derive(Deserialize)]
struct Case {
    id: String,
    title: String,
    level: String,
    dialects: Vec<String>,
    #[serde(default)]
    globals: Vec<String>,
    deadline_ms: Option<u64>,
    memory_mb: Option<u32>,
    edit: Vec<Edit>,
}

/// One edit: its overlay's folder is its number.
#[derive(Deserialize)]
struct Edit {
    /// In execution order; a unit whose file is not in the overlay runs again with its old text.
    units: Vec<String>,
    #[serde(default)]
    removed: Vec<String>,
    #[serde(default)]
    outcome: Outcome,
    code: Option<String>,
    unit: Option<String>,
    line: Option<u64>,
    message: Option<String>,
    ran: Option<Vec<String>>,
    when: Option<Value>,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    #[default]
    Applied,
    Refused,
}

#[test]
fn every_case_holds_on_the_worker() {
    let mut failures = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(cases_folder())
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    folders.sort();
    folders.retain(|it| it.is_dir());
    assert!(50 <= folders.len(), "the suite is not there");
    for folder in folders {
        let case: Case =
            toml::from_str(&fs::read_to_string(folder.join("case.toml")).unwrap()).unwrap();
        if !case.dialects.iter().any(|it| it == "5.4") {
            continue;
        }
        if let Err(reason) = run(&case, &folder) {
            failures.push(format!("{} ({}): {reason}", case.id, case.title));
        }
    }
    assert!(
        failures.is_empty(),
        "{} cases fail\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn run(case: &Case, folder: &Path) -> Result<(), String> {
    let project = tempfile::tempdir().unwrap();
    copy(&folder.join("before"), project.path());
    copy_file(&folder.join("probe.lua"), &project.path().join("probe.lua"));
    let mut worker = Worker::start(project.path(), case.memory_mb.unwrap_or(512));
    worker.deadline_ms = case.deadline_ms.unwrap_or(2000);

    let before = globals(&mut worker);
    if before.join(" ") != STANDARD {
        return Err(format!("the runtime added a global: {before:?}"));
    }
    probe(&mut worker, 0)?;
    for (idx, edit) in case.edit.iter().enumerate() {
        let stage = idx + 1;
        let overlay = folder.join(stage.to_string());
        let kept = names(&mut worker, edit);
        copy(&overlay, project.path());
        for name in &edit.removed {
            fs::remove_file(project.path().join(format!("{name}.lua"))).unwrap();
        }
        let update = units(edit, &overlay, project.path());
        let done = worker.update(&update);
        check(edit, &done).map_err(|it| format!("edit {stage}: {it}\n    {done}"))?;
        match edit.outcome {
            Outcome::Applied if case.level == "C" => {
                let again = worker.update(&update);
                if again["outcome"] != "applied" {
                    return Err(format!("edit {stage} repeated: {again}"));
                }
            }
            Outcome::Applied => {}
            Outcome::Refused => {
                if names(&mut worker, edit) != kept {
                    return Err(format!("edit {stage} was refused and left globals"));
                }
            }
        }
        probe(&mut worker, stage)?;
    }

    let after = globals(&mut worker);
    let ours: Vec<_> = after
        .iter()
        .filter(|it| !before.contains(it) && !case.globals.contains(it))
        .collect();
    if !ours.is_empty() {
        return Err(format!("globals that are not the case's: {ours:?}"));
    }
    worker.stop()
}

fn names(worker: &mut Worker, edit: &Edit) -> Vec<String> {
    if edit.outcome == Outcome::Refused {
        globals(worker)
    } else {
        Vec::new()
    }
}

fn globals(worker: &mut Worker) -> Vec<String> {
    worker.script("globals", GLOBALS);
    let line = worker.logged.last().cloned().unwrap_or_default();
    line.split(' ').map(ToOwned::to_owned).collect()
}

fn probe(worker: &mut Worker, stage: usize) -> Result<(), String> {
    let done = worker.script(
        &format!("stage{stage}"),
        &format!("require('probe')({stage})"),
    );
    if done["outcome"] == "applied" {
        Ok(())
    } else {
        Err(format!("probe {stage}: {}", done["problems"]))
    }
}

fn units(edit: &Edit, overlay: &Path, project: &Path) -> Vec<Value> {
    let removed = edit
        .removed
        .iter()
        .map(|name| json!({ "name": name, "act": "remove", "policy": {} }));
    let run = edit.units.iter().map(|name| {
        let file = format!("{name}.lua");
        let text = fs::read_to_string(project.join(&file)).unwrap();
        let mut unit = json!({
            "name": name,
            "chunk": format!("@{}", project.join(&file).display()),
            "act": if overlay.join(&file).exists() { "replace" } else { "rerun" },
            "text": text,
            "fns": [],
            "policy": {},
        });
        if let Some(when) = edit.when.as_ref().and_then(|it| it.get(name)) {
            unit["when"] = when.clone();
        }
        unit
    });
    removed.chain(run).collect()
}

fn check(edit: &Edit, done: &Value) -> Result<(), String> {
    let outcome = done["outcome"].as_str().unwrap_or_default();
    let expected: &[&str] = match edit.outcome {
        Outcome::Applied => &["applied"],
        Outcome::Refused => &["rejected", "rolledBack"],
    };
    if !expected.contains(&outcome) {
        return Err(format!("outcome {outcome}"));
    }
    let problems = done["problems"].as_array().unwrap();
    match &edit.code {
        None if problems.is_empty() => {}
        None => return Err("problems without need".to_owned()),
        Some(code) => {
            let Some(problem) = problems.iter().find(|it| it["code"] == json!(code)) else {
                return Err(format!("no {code}"));
            };
            if edit
                .unit
                .as_ref()
                .is_some_and(|it| problem["unit"] != json!(it))
            {
                return Err("problem of another unit".to_owned());
            }
            if edit.line.is_some_and(|it| problem["line"] != json!(it)) {
                return Err("problem on another line".to_owned());
            }
            let message = problem["message"].as_str().unwrap();
            if !edit
                .message
                .as_ref()
                .is_none_or(|it| message.contains(it.as_str()))
            {
                return Err("problem with another message".to_owned());
            }
        }
    }
    if let Some(ran) = &edit.ran {
        let units = done["units"].as_array().unwrap();
        let names: Vec<_> = units
            .iter()
            .filter(|it| it["ran"] == json!(true))
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        if names != *ran {
            return Err(format!("ran {names:?}"));
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        copy_file(&path, &to.join(path.file_name().unwrap()));
    }
}

fn copy_file(from: &Path, to: &Path) {
    fs::write(to, fs::read(from).unwrap()).unwrap();
}
