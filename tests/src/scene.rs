//! Plays a fixture in an editor and writes down what a user would see.
//!
//! Parts of a scene: `/path` a file at start, `save /path` a save, `run` Lua in the program (see [`Client::run`]),
//! `delete /path` a deletion outside the editor. `main.lua` is the entry unless the scene brings its own `hotsave.toml`.

use std::{collections::BTreeSet, fs};

use crate::{
    client::Client,
    fixture::{Project, parts},
    reload::{Found, Reload},
};

/// Plays `fixture` and returns the protocol of it, ready to be compared.
///
/// *Shape*: `save a.lua: applied [a, b]`, below it the problems that stand in any file, and after `run` a line `| text` for
/// each `say`.
#[must_use]
pub fn play(fixture: &str) -> String {
    let project = Project::new(fixture);
    if project.read("hotsave.toml").is_none() {
        project.write("hotsave.toml", "[lua]\nentry = [\"main.lua\"]\n");
    }
    let mut client = Client::open(&project);
    let mut lines = Vec::new();
    let mut files: BTreeSet<String> = BTreeSet::new();
    let startup = client.reload();
    if startup.tag() != "applied" {
        lines.push(format!("start: {}", result(&startup)));
    }
    for part in parts(fixture) {
        let (action, file) = part.head.split_once(" /").unwrap_or((&part.head, ""));
        match action {
            "save" => {
                let reload = client.save(file, &part.body);
                lines.push(format!("save {file}: {}", result(&reload)));
            }
            "delete" => {
                fs::remove_file(project.path(file)).unwrap();
                let reload = client.reload();
                lines.push(format!("delete {file}: {}", result(&reload)));
            }
            "run" => {
                lines.extend(
                    client
                        .run(&part.body)
                        .into_iter()
                        .map(|text| format!("| {text}")),
                );
                continue;
            }
            path if path.starts_with('/') => {
                files.insert(path.trim_start_matches('/').to_owned());
                continue;
            }
            other => panic!("a scene knows no `{other}`"),
        }
        files.insert(file.to_owned());
        for file in &files {
            lines.extend(
                client
                    .problems(file)
                    .iter()
                    .map(|found| format!("  {}", show(file, found))),
            );
        }
    }
    client.finish();
    lines.join("\n") + "\n"
}

fn result(reload: &Reload) -> String {
    let units = reload.units();
    if units.is_empty() {
        reload.summary()
    } else {
        format!("{} [{}]", reload.summary(), units.join(", "))
    }
}

/// One problem on one line; only the first line of its message, related places by file and line.
#[must_use]
pub fn show(file: &str, found: &Found) -> String {
    let severity = ["error", "warning", "information", "hint"]
        .get(found.severity as usize - 1)
        .unwrap();
    let message = found.message.lines().next().unwrap_or_default();
    let related = if found.related.is_empty() {
        String::new()
    } else {
        format!(" (see {})", found.related.join(", "))
    };
    format!(
        "{file}:{} {severity} {}: {message}{related}",
        found.line, found.code
    )
}
