//! The reference pages name what the code has: configuration keys, settings, diagnostic codes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hotsave::workspace::{config, settings::Settings};
use hotsave_lua::errors::codes::CODES;
use serde_json::Value;

/// Codes of problems that are not Lua's.
const CONFIG_CODES: [&str; 4] = [
    "config-syntax",
    "config-value",
    "config-unknown-key",
    "config-untrusted",
];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn configuration() -> String {
    fs::read_to_string(docs().join("configuration.md")).unwrap()
}

/// First and second cell of the table rows below `heading`, up to the next heading.
fn table(page: &str, heading: &str) -> Vec<(String, String)> {
    let lines = page.lines().skip_while(|it| *it != heading).skip(1);
    lines
        .take_while(|it| !it.starts_with('#'))
        .filter_map(|it| {
            let mut cells = it.strip_prefix("| `")?.split(" | ");
            Some((
                cells.next()?.trim_end_matches('`').to_owned(),
                cells.next()?.trim_matches('`').to_owned(),
            ))
        })
        .collect()
}

/// Tables and keys of `hotsave.toml` by its schema.
fn schema_keys() -> Vec<(String, Vec<String>)> {
    let schema = config::schema();
    let keys = |value: &Value| {
        value["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let tables = keys(&schema).into_iter().map(|table| {
        let property = &schema["properties"][&table];
        let reference = property["$ref"].as_str().unwrap().trim_start_matches('#');
        let keys = keys(schema.pointer(reference).unwrap());
        (table, keys)
    });
    tables.collect()
}

#[test]
fn every_key_of_hotsave_toml_is_in_the_reference_and_no_other() {
    let page = configuration();
    for (name, keys) in schema_keys() {
        let documented: BTreeSet<String> = table(&page, &format!("### `[{name}]`"))
            .into_iter()
            .map(|it| it.0)
            .collect();
        assert_eq!(documented, keys.into_iter().collect(), "[{name}]");
    }
    let headings = page.lines().filter(|it| it.starts_with("### `[")).count();
    assert_eq!(headings, schema_keys().len(), "tables");
}

#[test]
fn plain_defaults_in_the_reference_are_those_of_the_code() {
    let page = configuration();
    let settle = config::Settle::default();
    let lua = config::Lua::default();
    let expected = [
        ("[settle]", "save_ms", settle.save_ms),
        ("[settle]", "save_max_ms", settle.save_max_ms),
        ("[settle]", "watch_ms", settle.watch_ms),
        ("[settle]", "watch_max_ms", settle.watch_max_ms),
        ("[settle]", "bulk_ms", settle.bulk_ms),
        ("[settle]", "bulk_max_ms", settle.bulk_max_ms),
        ("[lua]", "deadline_ms", lua.deadline_ms),
        ("[lua]", "memory_mb", lua.memory_mb),
    ];
    for (name, key, value) in expected {
        let rows = table(&page, &format!("### `{name}`"));
        let default = rows.iter().find(|it| it.0 == key).map(|it| it.1.clone());
        assert_eq!(default, Some(value.to_string()), "{name} {key}");
    }
}

#[test]
fn every_editor_setting_is_in_the_reference_with_its_default() {
    let settings = serde_json::to_value(Settings::default()).unwrap();
    let mut expected = BTreeSet::new();
    for (name, value) in settings.as_object().unwrap() {
        match value {
            Value::Object(inner) => {
                expected.extend(inner.keys().map(|it| (format!("{name}.{it}"), None)))
            }
            value => drop(expected.insert((name.clone(), Some(value.to_string())))),
        }
    }
    let documented: BTreeSet<(String, Option<String>)> =
        table(&configuration(), "## Editor settings")
            .into_iter()
            .map(|(name, default)| {
                if name.contains('.') {
                    (name, None)
                } else {
                    (name, Some(default))
                }
            })
            .collect();
    assert_eq!(documented, expected);
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes = CODES.iter().map(|it| it.0).chain(CONFIG_CODES);
    let expected: BTreeSet<String> = codes
        .map(|it| format!("{}.md", it.replace('/', "-")))
        .collect();
    let pages: BTreeSet<String> = fs::read_dir(docs().join("diagnostics"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .filter(|it| it != "README.md")
        .collect();
    assert_eq!(pages, expected);
    let index = fs::read_to_string(docs().join("diagnostics/README.md")).unwrap();
    for page in pages {
        assert!(
            index.contains(&format!("]({page})")),
            "{page} is not in the index"
        );
    }
}

/// The published schema is the one the server checks with; `UPDATE_EXPECT=1` writes it anew.
#[test]
fn the_published_schema_is_the_servers() {
    let schema = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    expect_test::expect_file!["../../docs/hotsave.schema.json"].assert_eq(&schema);
}

/// `ARCHITECTURE.md` speaks of names one can search for; each is still there.
#[test]
fn names_in_the_architecture_are_in_the_sources() {
    let project = docs().join("..");
    let page = fs::read_to_string(project.join("ARCHITECTURE.md")).unwrap();
    let mut sources = String::new();
    let mut paths = Vec::new();
    let mut folders = vec![
        project.join("server"),
        project.join("tests"),
        project.join("docs"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            paths.push(path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|it| it == "rs" || it == "lua" || it == "toml")
            {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let prose = page.split("```").step_by(2).collect::<String>();
    for name in prose.split('`').skip(1).step_by(2) {
        let is_there = if name.contains('/') || name.ends_with(".rs") {
            paths
                .iter()
                .any(|it| it.ends_with(name.trim_end_matches('/')))
        } else {
            name.split("::").all(|it| sources.contains(it))
        };
        assert!(is_there, "`{name}` is not in the sources");
    }
}
