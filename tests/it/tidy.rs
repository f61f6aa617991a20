//! The dull rules, held by a test: headers, direction of dependencies, who may call what, live links, no stray blanks.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All files of the project below `folder`, as paths relative to the project.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name == "target"
                || name == "node_modules"
                || (name.starts_with('.') && name != ".ci")
            {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn with_extension(folder: &str, extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let fits = |path: &PathBuf| {
        path.extension()
            .is_some_and(|found| extensions.contains(&found.to_str().unwrap()))
    };
    files(folder)
        .into_iter()
        .filter(fits)
        .map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap()))
        .collect()
}

/// The code of a Rust file that ships: no comments, nothing from the tests at its end on.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_support(path: &Path) -> bool {
    path.starts_with("tests")
        || path.iter().any(|part| {
            ["tests", "tests.rs", "examples", "benches"].contains(&part.to_str().unwrap())
        })
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Lines of shipped code outside `allowed` folders that contain one of `words`.
fn uses(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in with_extension("server", &["rs"]) {
        if is_support(&path) || allowed.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        for (line, code) in
            shipped(&text).filter(|(_, code)| words.iter().any(|word| code.contains(word)))
        {
            found.push(format!("{}:{line}: {}", path.display(), code.trim()));
        }
    }
    found
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let mut files = with_extension("server", &["rs"]);
    files.extend(with_extension("tests", &["rs"]));
    assert!(50 < files.len(), "{} files", files.len());
    let without = files.iter().filter(|(_, text)| !text.starts_with("//! "));
    assert_none(
        "files without `//!`",
        &without
            .map(|(path, _)| path.display().to_string())
            .collect::<Vec<_>>(),
    );
}

#[test]
fn dependencies_point_the_right_way() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        seen.insert(name);
        // A null kind is an ordinary dependency.
        let dependencies = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| dependency["kind"].is_null());
        let dependencies: BTreeSet<&str> = dependencies
            .map(|dependency| dependency["name"].as_str().unwrap())
            .collect();
        let only = |allowed: &[&str]| {
            let extra: Vec<_> = dependencies
                .iter()
                .filter(|dependency| !allowed.contains(dependency))
                .collect();
            assert!(extra.is_empty(), "{name} must not depend on {extra:?}");
        };
        match name {
            "hotsave-protocol" => only(&["serde"]),
            "hotsave-engine" => only(&["twox-hash"]),
            "hotsave" | "hotsave-tests" => {}
            _ => {
                let ours = dependencies
                    .iter()
                    .filter(|dependency| dependency.starts_with("hotsave"));
                let others: Vec<_> = ours
                    .filter(|dependency| **dependency != "hotsave-engine")
                    .collect();
                assert!(others.is_empty(), "{name} must not depend on {others:?}");
            }
        }
        for (dependency, owner) in [
            ("tower-lsp", "hotsave"),
            ("lsp-types", "hotsave"),
            ("tower", "hotsave"),
            ("mlua", "hotsave-lua"),
            ("notify", "hotsave-watch"),
        ] {
            assert!(
                name == owner || !dependencies.contains(dependency),
                "only {owner} names {dependency}, not {name}"
            );
        }
    }
    for name in [
        "hotsave",
        "hotsave-engine",
        "hotsave-lua",
        "hotsave-protocol",
        "hotsave-watch",
    ] {
        assert!(
            seen.contains(name),
            "{name} is gone; then this rule has to go too"
        );
    }
}

#[test]
fn only_the_front_end_speaks_lsp() {
    assert_none(
        "lsp types outside server/src/lsp",
        &uses(&["tower_lsp", "lsp_types"], &["server/src/lsp"]),
    );
}

#[test]
fn only_hosts_start_processes() {
    let mut found = Vec::new();
    for (path, text) in with_extension("server", &["rs"]) {
        let code: String = shipped(&text).map(|(_, line)| line).collect();
        let imported = code
            .split("process::{")
            .skip(1)
            .any(|rest| rest.split('}').next().unwrap().contains("Command"));
        let allowed = path.starts_with("server/crates/lua")
            || path.starts_with("server/crates/build")
            || is_support(&path);
        if !allowed && (imported || code.contains("process::Command")) {
            found.push(path.display().to_string());
        }
    }
    assert_none("files that start processes", &found);
}

#[test]
fn the_engine_reads_no_clock() {
    let found = uses(
        &["Instant::now", "SystemTime::now"],
        &["server/src", "server/crates/lua", "server/crates/watch"],
    );
    assert_none("the clock read inside a pure crate", &found);
}

/// stdout belongs to the protocol.
#[test]
fn only_the_terminal_front_end_prints() {
    assert_none(
        "printed",
        &uses(&["println!", "print!("], &["server/src/cli"]),
    );
}

#[test]
fn links_between_pages_are_alive() {
    let mut dead = Vec::new();
    for (path, text) in with_extension("", &["md"]) {
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            if !root().join(&path).parent().unwrap().join(file).exists() {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert_none("dead links", &dead);
}

#[test]
fn no_line_ends_in_blanks() {
    let mut found = Vec::new();
    for (path, text) in with_extension("", &["rs", "md", "toml", "lua", "sh", "yml"]) {
        let blanks = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.ends_with([' ', '\t']));
        found.extend(blanks.map(|(index, _)| format!("{}:{}", path.display(), index + 1)));
    }
    assert_none("blanks at the end of a line", &found);
}

#[test]
fn no_file_is_huge() {
    let big = files("")
        .into_iter()
        .filter(|path| 1_500_000 < fs::metadata(root().join(path)).unwrap().len());
    assert_none(
        "files over 1.5 MB",
        &big.map(|path| path.display().to_string())
            .collect::<Vec<_>>(),
    );
}
