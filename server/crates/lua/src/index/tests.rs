//! The index, held to a fresh build after random changes, and its problems to texts.

use std::{collections::BTreeMap, path::PathBuf};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn options() -> Options {
    Options {
        templates: Templates::plain(),
        loaders: Vec::new(),
    }
}

fn project(files: &[(&str, &str)]) -> ModuleIndex {
    let mut index = ModuleIndex::new(Path::new("/p"), options());
    for (path, source) in files {
        set(&mut index, path, source);
    }
    index
}

fn set(index: &mut ModuleIndex, path: &str, source: &str) -> Delta {
    index.set(
        &Path::new("/p").join(path),
        &SourceText::new(source.as_bytes()),
    )
}

fn remove(index: &mut ModuleIndex, path: &str) -> Delta {
    index.remove(&Path::new("/p").join(path))
}

/// One line for each file: what it needs at load, and later.
fn edges(index: &ModuleIndex) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let paths = |files: &[FileId]| {
        files
            .iter()
            .map(|&it| index.relative_path(it).to_owned())
            .collect()
    };
    let edges = |file| {
        (
            paths(index.graph().dependencies(file)),
            paths(index.graph().late_dependencies(file)),
        )
    };
    index
        .files()
        .map(|it| (index.relative_path(it).to_owned(), edges(it)))
        .collect()
}

fn moved(index: &ModuleIndex, delta: &Delta) -> Vec<String> {
    delta
        .moved
        .iter()
        .map(|&it| index.relative_path(it).to_owned())
        .collect()
}

fn check_problems(files: &[(&str, &str)], expected: &Expect) {
    let index = project(files);
    let mut lines = String::new();
    for (path, source) in files {
        let text = SourceText::new(source.as_bytes());
        let file = index.id(&Path::new("/p").join(path)).unwrap();
        for it in index.problems(file, &text) {
            let (line, column) = text.line_column(it.place.span.start);
            let place = format!("{path}:{}:{}", line + 1, column + 1);
            lines += &format!("{place} {:?} {}: {}\n", it.severity, it.code, it.message);
            for (key, value) in it.data.iter().filter(|(key, _)| *key == "suggestion") {
                lines += &format!("  {key} {value}\n");
            }
        }
    }
    expected.assert_eq(&lines);
}

#[test]
fn edges_follow_the_templates() {
    let index = project(&[
        (
            "main.lua",
            "require 'a' require 'b.c' function f() require 'd' end require '.nowhere'",
        ),
        ("a.lua", "return require((...) .. '.part')"),
        ("a/part.lua", "return 1"),
        ("src/b/c/init.lua", "return {}"),
        ("lua/d.lua", "return {}"),
    ]);
    let paths = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let edges = edges(&index);
    assert_eq!(
        edges["main.lua"],
        (paths(&["a.lua", "src/b/c/init.lua"]), paths(&["lua/d.lua"]))
    );
    assert_eq!(edges["a.lua"], (paths(&["a/part.lua"]), vec![]));
    let file = index.id(Path::new("/p/src/b/c/init.lua")).unwrap();
    assert_eq!(index.names(file)[0], "b.c");
    assert_eq!(index.resolve("b.c"), Some(file));
    assert!(index.is_module(file) && !index.is_module(index.id(Path::new("/p/main.lua")).unwrap()));
}

#[test]
fn a_file_is_named_as_it_is_required() {
    let index = project(&[("lib/x.lua", "return 1"), ("main.lua", "require 'lib.x'")]);
    assert_eq!(
        index
            .name(index.id(Path::new("/p/lib/x.lua")).unwrap())
            .as_deref(),
        Some("lib.x")
    );
}

#[test]
fn changes_say_what_they_did() {
    let mut index = project(&[("a.lua", "return 1")]);
    assert_eq!(set(&mut index, "a.lua", "return 1").effect, Effect::Same);
    assert_eq!(
        set(&mut index, "a.lua", "-- one\nreturn 1").effect,
        Effect::CommentOnly
    );
    assert_eq!(set(&mut index, "a.lua", "return 2").effect, Effect::Code);
    assert_eq!(remove(&mut index, "a.lua").effect, Effect::Removed);
    assert_eq!(remove(&mut index, "a.lua").effect, Effect::Unknown);
    assert_eq!(set(&mut index, "a.lua", "return 2").effect, Effect::Created);
    assert_eq!(
        index
            .set(Path::new("/other/a.lua"), &SourceText::new(*b""))
            .effect,
        Effect::Unknown
    );
}

#[test]
fn a_file_at_an_earlier_candidate_moves_the_requirers() {
    let mut index = project(&[
        ("main.lua", "require 'm'"),
        ("late.lua", "function f() require 'm' end"),
    ]);
    let delta = set(&mut index, "lib/m.lua", "return 1");
    assert_eq!(moved(&index, &delta), ["main.lua", "late.lua"]);
    let delta = set(&mut index, "m.lua", "return 2");
    assert_eq!(moved(&index, &delta), ["main.lua", "late.lua"]);
    assert_eq!(edges(&index)["main.lua"].0, ["m.lua"]);
    let delta = set(&mut index, "lua/m.lua", "return 3");
    assert_eq!(moved(&index, &delta), [""; 0]);
    let delta = remove(&mut index, "m.lua");
    assert_eq!(moved(&index, &delta), ["main.lua", "late.lua"]);
    assert_eq!(edges(&index)["main.lua"].0, ["lib/m.lua"]);
}

#[test]
fn missing_modules_are_graded_and_explained() {
    check_problems(
        &[
            (
                "main.lua",
                "require 'player.sprtie'\npcall(require, 'extras')\nrequire 'socket.http'\nrequire(x)\nrequire 'string'",
            ),
            ("player/sprite.lua", "return 1"),
        ],
        &expect![[r"
            main.lua:1:9 Warning lua/module-not-found: module 'player.sprtie' not found
              suggestion player.sprite
            main.lua:2:16 Hint lua/module-not-found: module 'extras' not found
            main.lua:3:9 Information lua/module-not-found: module 'socket.http' not found
            main.lua:4:9 Hint lua/dynamic-require: the name of this module is known only at run time
        "]],
    );
}

#[test]
fn cycles_shadows_and_duplicates_are_named() {
    check_problems(
        &[
            ("a.lua", "local b = require 'b'"),
            (
                "b.lua",
                "local c = require 'c' function f() require 'a' end",
            ),
            ("c.lua", "require 'a' require 'm' require 'm'"),
            ("m.lua", "return 1"),
            ("m/init.lua", "return 2"),
            ("lib/n.lua", "return 1"),
            ("d.lua", "require 'n'"),
            ("e.lua", "require 'n' require 'lib.n'"),
        ],
        &expect![[r"
            a.lua:1:19 Information lua/require-cycle: requires itself: a.lua → b.lua → c.lua → a.lua
            b.lua:1:19 Information lua/require-cycle: requires itself: b.lua → c.lua → a.lua → b.lua
            c.lua:1:9 Information lua/require-cycle: requires itself: c.lua → a.lua → b.lua → c.lua
            c.lua:1:21 Information lua/shadowed-module: 'm' is m.lua, which hides m/init.lua
            c.lua:1:33 Information lua/shadowed-module: 'm' is m.lua, which hides m/init.lua
            e.lua:1:21 Warning lua/duplicate-module: lib/n.lua is loaded both as 'n' and as 'lib.n': it runs twice, with two states
        "]],
    );
}

#[test]
fn build_reads_all_files_and_names_the_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..100)
        .map(|it| folder.path().join(format!("m{it}.lua")))
        .collect();
    for (idx, path) in paths.iter().enumerate().skip(1) {
        std::fs::write(path, format!("return require 'm{}'", idx + 1)).unwrap();
    }
    let (index, unread) = ModuleIndex::build(folder.path(), options(), &paths);
    assert_eq!(unread.len(), 1);
    assert_eq!(unread[0].path, paths[0]);
    assert_eq!(index.files().count(), 99);
    let last = index.id(&paths[99]).unwrap();
    assert_eq!(index.graph().closure(&[last], |_| false).len(), 99);
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize, Vec<usize>),
    Remove(usize),
}

const PATHS: &[&str] = &[
    "a.lua",
    "a/init.lua",
    "lib/a.lua",
    "b.lua",
    "src/b.lua",
    "lib/b/init.lua",
    "c/a.lua",
];
const NAMES: &[&str] = &["a", "b", "lib.a", "a.init", "c.a", "c/a", "missing"];

fn step() -> impl Strategy<Value = Step> {
    let requires = prop::collection::vec(0..NAMES.len() * 2, 0..4);
    prop_oneof![
        3 => (0..PATHS.len(), requires).prop_map(|(path, requires)| Step::Set(path, requires)),
        1 => (0..PATHS.len()).prop_map(Step::Remove),
    ]
}

fn source(requires: &[usize]) -> String {
    let line = |it: &usize| match NAMES.get(*it) {
        Some(name) => format!("require '{name}'\n"),
        None => format!("function f() require '{}' end\n", NAMES[*it - NAMES.len()]),
    };
    requires.iter().map(line).collect()
}

proptest! {
    #[test]
    fn any_changes_end_in_what_a_fresh_index_has(steps in prop::collection::vec(step(), 1..25)) {
        let mut index = project(&[]);
        let mut files = BTreeMap::new();
        for step in steps {
            let before = edges(&index);
            let (path, delta) = match step {
                Step::Set(path, requires) => {
                    let source = source(&requires);
                    let delta = set(&mut index, PATHS[path], &source);
                    files.insert(PATHS[path], source);
                    (path, delta)
                }
                Step::Remove(path) => {
                    files.remove(PATHS[path]);
                    (path, remove(&mut index, PATHS[path]))
                }
            };
            let after = edges(&index);
            for (other, now) in after.iter().filter(|(it, _)| **it != PATHS[path]) {
                let has_moved = moved(&index, &delta).contains(other);
                prop_assert!(has_moved || before.get(other) == Some(now), "{other} changed unnoticed");
            }
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, source)| (*path, source.as_str())).collect();
        let fresh = project(&files);
        prop_assert_eq!(edges(&index), edges(&fresh));
        prop_assert_eq!(index.asked.len(), fresh.asked.len());
    }
}
