//! `docs/protocol.md` against the types: it names every method, field and word, and the sources it was written for.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod vocabulary;

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."))
}

fn reference() -> String {
    fs::read_to_string(root().join("docs/protocol.md")).unwrap()
}

/// FNV-1a of the crate's sources, name and text of each file in the order of the names, line ends as LF.
fn hash_of_sources() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    paths.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ 0xff).wrapping_mul(0x0000_0100_0000_01b3);
    };
    for path in paths {
        add(path.file_name().unwrap().as_encoded_bytes());
        add(fs::read_to_string(&path)
            .unwrap()
            .replace("\r\n", "\n")
            .as_bytes());
    }
    format!("{hash:016x}")
}

/// Every name in backquotes, whole and word by word, so that `rolledBack` and `hosts[].state` both count.
fn quoted(reference: &str) -> BTreeSet<&str> {
    let mut quoted = BTreeSet::new();
    for line in reference.lines() {
        for code in line.split('`').skip(1).step_by(2) {
            quoted.insert(code);
            quoted.extend(code.split(|it: char| !it.is_alphanumeric()));
        }
    }
    quoted
}

fn collect_fields(value: &Value, fields: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|it| collect_fields(it, fields)),
        Value::Object(members) => {
            for (name, it) in members {
                fields.insert(name.clone());
                // Captured content and the names of a time line belong to the host, not to the protocol.
                if name != "content" && name != "ms" {
                    collect_fields(it, fields);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn reference_and_sources_belong_together() {
    let hash = hash_of_sources();
    assert!(
        reference().contains(&format!("`{hash}`")),
        "the protocol's sources have changed: bring docs/protocol.md up to date, then let it name {hash}",
    );
}

#[test]
fn every_method_and_every_word_is_described() {
    let reference = reference();
    let quoted = quoted(&reference);
    let missing: Vec<_> = vocabulary::words()
        .into_iter()
        .filter(|(_, word)| !quoted.contains(word))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/protocol.md does not say: {missing:?}"
    );
}

#[test]
fn every_field_is_described() {
    let mut fields = BTreeSet::new();
    for entry in fs::read_dir(root().join("tests/fixtures/protocol")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "unknown.json" {
            collect_fields(
                &serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(),
                &mut fields,
            );
        }
    }
    let reference = reference();
    let quoted = quoted(&reference);
    let missing: Vec<_> = fields
        .iter()
        .filter(|it| !quoted.contains(it.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/protocol.md does not say: {missing:?}"
    );
}
