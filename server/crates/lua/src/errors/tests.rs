//! Tests of places: real messages of each dialect over texts in one string.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::wire::Frame;

/// Texts by name, from `//- /name` sections.
fn files(fixture: &str) -> Vec<(String, Source)> {
    let sections = fixture.split("//- /").skip(1);
    let file = |section: &str| {
        let (name, text) = section.split_once('\n').unwrap();
        let path = PathBuf::from("/project").join(name);
        let text = SourceText::new(text.as_bytes().to_vec());
        (
            format!("@/project/{name}"),
            Source {
                path: path.into(),
                text,
                lines: None,
            },
        )
    };
    sections.map(file).collect()
}

fn locate_in(
    files: &[(String, Source)],
    problem: &wire::Problem,
    trigger: &[Source],
) -> Option<Problem> {
    let source = |chunk: Chunk<'_>| {
        files
            .iter()
            .find(|(name, _)| chunk.matches(name))
            .map(|(_, source)| source.clone())
    };
    locate(
        problem,
        &Context {
            root: Path::new("/project"),
            source: &source,
            trigger,
        },
    )
}

fn show(place: &Place) -> String {
    let bytes = &place.text.bytes()[place.span.start as usize..place.span.end as usize];
    let (line, _) = place.text.line_column(place.span.start);
    format!(
        "{}:{} `{}`",
        relative(Path::new("/project"), &place.path),
        line + 1,
        String::from_utf8_lossy(bytes)
    )
}

fn check(fixture: &str, trigger: &[&str], problem: wire::Problem, expected: Expect) {
    let files = files(fixture);
    let known = |name: &&str| {
        files
            .iter()
            .find(|(it, _)| it.ends_with(*name))
            .unwrap()
            .1
            .clone()
    };
    let trigger: Vec<Source> = trigger.iter().map(known).collect();
    let Some(located) = locate_in(&files, &problem, &trigger) else {
        return expected.assert_eq("nowhere\n");
    };
    let mut shown = format!(
        "{} {:?} {}: {}\n",
        show(&located.place),
        located.severity,
        located.code,
        located.message
    );
    for related in &located.related {
        shown += &format!("  {} {}\n", show(&related.place), related.message);
    }
    for (key, value) in &located.data {
        shown += &format!("  {key} = {value}\n");
    }
    expected.assert_eq(&shown);
}

fn at(code: &str, chunk: &str, line: i32, message: &str) -> wire::Problem {
    wire::Problem {
        code: code.into(),
        chunk: chunk.into(),
        line,
        message: message.into(),
        ..wire::Problem::default()
    }
}

fn frame(chunk: &str, line: i32, name: Option<&str>) -> Frame {
    Frame {
        chunk: chunk.into(),
        line,
        name: name.map(Into::into),
        generation: None,
    }
}

/// What is marked on a line by each message, word for word as the dialect in front writes it.
#[test]
fn the_meant_word_is_marked_in_every_dialect() {
    for (dialects, line, message, marked) in [
        // Names of values: before the type in 5.1 and LuaJIT, behind it since 5.2.
        (
            "5.1 jit",
            "  local y = target.x + 1",
            "attempt to index local 'target' (a nil value)",
            "target",
        ),
        (
            "5.3 5.4",
            "  local y = target.x + 1",
            "attempt to index a nil value (local 'target')",
            "target",
        ),
        (
            "5.1 jit",
            "local y = a.speed * 2",
            "attempt to perform arithmetic on field 'speed' (a nil value)",
            "speed",
        ),
        (
            "5.3 5.4",
            "local y = a.speed * 2",
            "attempt to perform arithmetic on a nil value (field 'speed')",
            "speed",
        ),
        (
            "5.1 jit",
            "start()",
            "attempt to call global 'start' (a nil value)",
            "start",
        ),
        (
            "5.3 5.4",
            "start()",
            "attempt to call a nil value (global 'start')",
            "start",
        ),
        (
            "5.1 jit",
            "return n .. up",
            "attempt to concatenate upvalue 'up' (a nil value)",
            "up",
        ),
        (
            "5.3 5.4",
            "return n .. up",
            "attempt to concatenate a nil value (upvalue 'up')",
            "up",
        ),
        (
            "5.1 jit",
            "obj:draw(1)",
            "attempt to call method 'draw' (a nil value)",
            "draw",
        ),
        (
            "5.3 5.4",
            "obj:draw(1)",
            "attempt to call a nil value (method 'draw')",
            "draw",
        ),
        (
            "5.1 jit",
            "return #nothing",
            "attempt to get length of global 'nothing' (a nil value)",
            "nothing",
        ),
        (
            "5.3 5.4",
            "return #nothing",
            "attempt to get length of a nil value (global 'nothing')",
            "nothing",
        ),
        (
            "all",
            "table.insert(t)",
            "wrong number of arguments to 'insert'",
            "insert",
        ),
        (
            "all",
            "string.rep()",
            "bad argument #1 to 'rep' (string expected, got no value)",
            "rep",
        ),
        (
            "5.4",
            "x = 2",
            "attempt to assign to const variable 'x'",
            "x",
        ),
        // Not there, not once or not named: the whole line.
        (
            "5.3 5.4",
            "  x = x.y  ",
            "attempt to index a nil value (global 'x')",
            "x = x.y",
        ),
        (
            "5.3 5.4",
            "xx = y.x_1",
            "attempt to index a nil value (global 'x')",
            "xx = y.x_1",
        ),
        (
            "5.1",
            "f()()",
            "attempt to call field '?' (a nil value)",
            "f()()",
        ),
        (
            "all",
            "return a < 1 ",
            "attempt to compare table with number",
            "return a < 1",
        ),
        ("all", "  error({}) ", "oh no", "error({})"),
        (
            "jit",
            "größe.x = größen",
            "attempt to index global 'größe' (a nil value)",
            "größe",
        ),
        // Syntax: the token, its last occurrence.
        ("5.1 jit", "local = = 3", "'<name>' expected near '='", "="),
        ("5.3 5.4", "local = = 3", "<name> expected near '='", "="),
        ("5.1 jit", "x y", "'=' expected near 'y'", "y"),
        ("5.3 5.4", "x y", "syntax error near 'y'", "y"),
        ("all", "if x the y", "'then' expected near 'the'", "the"),
        (
            "all",
            "local s = \"abc",
            "unfinished string near '\"abc'",
            "\"abc",
        ),
        (
            "5.3 5.4",
            "s = '\\q'",
            "invalid escape sequence near ''\\q'",
            "'\\q",
        ),
        (
            "jit",
            "s = \"\\q",
            "invalid escape sequence near '\"'",
            "\"",
        ),
        ("5.1 jit 5.4", "x = 3x", "malformed number near '3x'", "3x"),
        ("all", "x = 3 $ 4", "unexpected symbol near '$'", "$"),
        (
            "5.1 jit",
            "x = 3 \u{7} 4",
            "unexpected symbol near 'char(7)'",
            "x = 3 \u{7} 4",
        ),
        (
            "5.3 5.4",
            "x = 3 \u{7} 4",
            "unexpected symbol near '<\\7>'",
            "x = 3 \u{7} 4",
        ),
        ("5.1", "break", "no loop to break near '<eof>'", ""),
        ("jit", " break", "no loop to break", "break"),
        (
            "5.3",
            " break",
            "<break> at line 1 not inside a loop",
            "break",
        ),
        ("5.4", " break", "break outside loop at line 1", "break"),
        (
            "jit",
            "goto nowhere",
            "undefined label 'nowhere'",
            "nowhere",
        ),
        (
            "5.3 5.4",
            "goto nowhere",
            "no visible label 'nowhere' for <goto> at line 1",
            "nowhere",
        ),
        ("jit", "::on::", "duplicate label 'on'", "on"),
    ] {
        let files = files(&format!("//- /a.lua\n{line}\n"));
        let problem = at(codes::SYNTAX, "@/project/a.lua", 1, message);
        let place = locate_in(&files, &problem, &[]).unwrap().place;
        let span = &place.text.bytes()[place.span.start as usize..place.span.end as usize];
        assert_eq!(
            String::from_utf8_lossy(span),
            marked,
            "{dialects}: {message}"
        );
    }
}

#[test]
fn of_two_equal_tokens_the_last_is_meant() {
    let files = files("//- /a.lua\nreturn ) + )\n");
    let problem = at(
        codes::SYNTAX,
        "@/project/a.lua",
        1,
        "unexpected symbol near ')'",
    );
    assert_eq!(locate_in(&files, &problem, &[]).unwrap().place.span, 11..12);
}

#[test]
fn the_end_of_the_file_is_a_place_and_what_was_left_open_another() {
    let fixture = "//- /a.lua\nif x then\n  y()\n";
    for near in ["<eof>", "'<eof>'"] {
        check(
            fixture,
            &[],
            at(
                "lua/syntax",
                "@/project/a.lua",
                3,
                &format!("'end' expected (to close 'if' at line 1) near {near}"),
            ),
            match near {
                "<eof>" => expect![[r#"
                    a.lua:3 `` Error lua/syntax: 'end' expected (to close 'if' at line 1) near <eof>
                      a.lua:1 `if` opened here
                "#]],
                _ => expect![[r#"
                    a.lua:3 `` Error lua/syntax: 'end' expected (to close 'if' at line 1) near '<eof>'
                      a.lua:1 `if` opened here
                "#]],
            },
        );
    }
}

/// What this crate's own Lua says today, so that a new release with other words is noticed.
#[test]
fn messages_of_the_worker_are_read() {
    for (text, marked) in [
        (
            "local function f(target)\n  local y = target.x\nend\nf()",
            "2 target",
        ),
        ("\nprint(1\nprint(2)", "3 print"),
        ("s = '\\q'", "1 '\\q"),
        ("\n::on::\n::on::", "3 on"),
        ("local gone = require 'gone.away'", "1 'gone.away'"),
        ("local x <const> = 1\nx = 2", "2 x"),
        ("if x then\n  y()\n", "3 "),
        ("\nerror('no')", "2 error('no')"),
    ] {
        let error = mlua::Lua::new()
            .load(text)
            .set_name("@/project/a.lua")
            .exec()
            .unwrap_err();
        let message = match &error {
            mlua::Error::SyntaxError { message, .. } | mlua::Error::RuntimeError(message) => {
                message
            }
            other => panic!("{other}"),
        };
        let message = message.split("\nstack traceback").next().unwrap();
        let files = files(&format!("//- /a.lua\n{text}"));
        let located = locate_in(
            &files,
            &at(codes::LOAD_ERROR, "@/project/a.lua", 1, message),
            &[],
        )
        .unwrap();
        let span = located.place.span.start as usize..located.place.span.end as usize;
        let (line, _) = located.place.text.line_column(located.place.span.start);
        let shown = format!(
            "{} {}",
            line + 1,
            String::from_utf8_lossy(&located.place.text.bytes()[span])
        );
        assert_eq!(shown, marked, "{message}");
    }
}

#[test]
fn unfinished_strings_and_labels_name_their_beginning() {
    let fixture = "//- /a.lua\n\nlocal s = [[\nx\n";
    let message = "unfinished long string (starting at line 2) near '<eof>'";
    check(
        fixture,
        &[],
        at("lua/syntax", "@/project/a.lua", 4, message),
        expect![[r#"
            a.lua:4 `` Error lua/syntax: unfinished long string (starting at line 2) near '<eof>'
              a.lua:2 `local s = [[` starts here
        "#]],
    );
    check(
        "//- /a.lua\n::on::\n::on::\n",
        &[],
        at(
            "lua/syntax",
            "@/project/a.lua",
            2,
            "label 'on' already defined on line 1",
        ),
        expect![[r#"
            a.lua:2 `on` Error lua/syntax: label 'on' already defined on line 1
              a.lua:1 `::on::` already defined here
        "#]],
    );
}

const PAIR: &str = "//- /a.lua
return {}
//- /lib/b.lua
local a = require 'a'
return { twice = a.speed * 2 }
//- /main.lua
local b = require 'lib.b'
";

#[test]
fn a_dependent_names_who_called_it_and_who_changed() {
    let mut problem = at(
        "lua/dependent-failed",
        "@/project/lib/b.lua",
        2,
        "attempt to perform arithmetic on a nil value (field 'speed')",
    );
    problem.frames = vec![
        frame("@/project/lib/b.lua", 2, None),
        frame("=[C]", -1, Some("require")),
        frame("@/usr/share/lua/loader.lua", 10, Some("load")),
        frame("@/project/main.lua", 1, None),
        frame("@/project/main.lua", 1, Some("again")),
    ];
    check(
        PAIR,
        &["a.lua"],
        problem,
        expect![[r#"
            lib/b.lua:2 `speed` Error lua/dependent-failed: attempt to perform arithmetic on a nil value (field 'speed') (called from main.lua:1)
              main.lua:1 `local b = require 'lib.b'` called from here
              a.lua:1 `return {}` reloaded because a.lua changed
        "#]],
    );
}

#[test]
fn without_frames_the_trigger_is_told_in_the_message() {
    check(
        PAIR,
        &["a.lua"],
        at("lua/load-error", "@/project/lib/b.lua", 2, "oh\nno"),
        expect![[r#"
            lib/b.lua:2 `return { twice = a.speed * 2 }` Error lua/load-error: oh (reloaded because a.lua changed)
            no
              a.lua:1 `return {}` reloaded because a.lua changed
        "#]],
    );
    check(
        PAIR,
        &["a.lua", "lib/b.lua"],
        at("lua/load-error", "@/project/lib/b.lua", 1, "no"),
        expect![[r#"
            lib/b.lua:1 `local a = require 'a'` Error lua/load-error: no
        "#]],
    );
}

#[test]
fn a_module_that_is_not_found_is_marked_where_it_is_required() {
    let candidates = ":\n\tno field package.preload['gone']\n\tno file '/project/gone.lua'\n\tno file './gone/init.lua'";
    for (quoted, prefix) in [
        ("\"gone\"", ""),
        ("'gone'", "a.lua:1: "),
        ("[[gone]]", "./a.lua:1: "),
    ] {
        let files = files(&format!(
            "//- /a.lua\nlocal gone = require {quoted} -- gone\n"
        ));
        let message = format!("{prefix}module 'gone' not found{candidates}");
        let mut problem = at("lua/module-not-found", "@/project/a.lua", 1, &message);
        let source = |chunk: Chunk<'_>| match chunk {
            Chunk::File("a.lua" | "./a.lua" | "/project/a.lua") => Some(files[0].1.clone()),
            _ => None,
        };
        problem.severity = 4;
        let context = Context {
            root: Path::new("/project"),
            source: &source,
            trigger: &[],
        };
        let located = locate(&problem, &context).unwrap();
        assert_eq!(show(&located.place), format!("a.lua:1 `{quoted}`"));
        assert_eq!(located.message, "module 'gone' not found");
        assert_eq!(
            located.severity,
            Severity::Hint,
            "an optional one is no error"
        );
        let data = [
            ("module", "gone"),
            ("candidate", "/project/gone.lua"),
            ("candidate", "./gone/init.lua"),
        ];
        assert_eq!(
            located.data,
            data.map(|(key, value)| (key, value.to_owned()))
        );
    }
}

#[test]
fn a_load_that_fails_stands_in_the_loaded_file() {
    // Raised at the require in main.lua; as 5.1, LuaJIT and 5.4 word it.
    for (quote, file, short) in [
        (
            "'=' expected near 'y'",
            "/project/lib/b.lua",
            "/project/lib/b.lua",
        ),
        (
            "syntax error near 'y'",
            "/project/lib/b.lua",
            "...ect/lib/b.lua",
        ),
        ("syntax error near 'y'", "./lib/b.lua", ".../lib/b.lua"),
    ] {
        let message =
            format!("error loading module 'lib.b' from file '{file}':\n\t{short}:1: {quote}");
        let files = files("//- /lib/b.lua\nx y\n//- /main.lua\n\nlocal b = require 'lib.b'\n");
        let mut problem = at("lua/syntax", "@/project/main.lua", 2, &message);
        problem.frames = vec![frame("@/project/main.lua", 2, None)];
        let located = locate_in(&files, &problem, &[]).unwrap();
        assert_eq!(show(&located.place), "lib/b.lua:1 `y`", "{message}");
        assert_eq!(located.message, format!("{quote} (required at main.lua:2)"));
        let related: Vec<_> = located
            .related
            .iter()
            .map(|it| (show(&it.place), it.message.as_str()))
            .collect();
        assert_eq!(
            related,
            [(
                "main.lua:2 `local b = require 'lib.b'`".to_owned(),
                "required here"
            )]
        );
    }
}

#[test]
fn a_cut_chunk_name_is_matched_by_its_end_and_foreign_positions_stay_in_the_message() {
    for (message, place, text) in [
        (
            "...ong/way/down/a.lua:2: broken",
            "very/long/way/down/a.lua:2 `two()`",
            "broken",
        ),
        (
            "HTTP:404: gone",
            "very/long/way/down/a.lua:1 `one()`",
            "HTTP:404: gone",
        ),
        (
            "[string \"x = \"]:1: broken",
            "very/long/way/down/a.lua:1 `one()`",
            "broken",
        ),
        (
            "/usr/lib/x.lua:7: broken",
            "very/long/way/down/a.lua:1 `one()`",
            "/usr/lib/x.lua:7: broken",
        ),
        (
            "no position: 12",
            "very/long/way/down/a.lua:1 `one()`",
            "no position: 12",
        ),
    ] {
        let files = files("//- /very/long/way/down/a.lua\none()\ntwo()\n");
        let problem = at(
            "lua/load-error",
            "@/project/very/long/way/down/a.lua",
            1,
            message,
        );
        let located = locate_in(&files, &problem, &[]).unwrap();
        assert_eq!(
            (show(&located.place).as_str(), located.message.as_str()),
            (place, text),
            "{message}"
        );
    }
}

#[test]
fn outside_the_workspace_the_first_known_frame_is_the_place() {
    let mut problem = at(
        "lua/runtime-error",
        "@/usr/share/lua/json.lua",
        80,
        "expected value",
    );
    problem.frames = vec![
        frame("@/usr/share/lua/json.lua", 80, Some("decode")),
        frame("@/project/lib/b.lua", 2, Some("load")),
        frame("@/project/main.lua", 1, None),
    ];
    check(
        PAIR,
        &[],
        problem,
        expect![[r#"
            lib/b.lua:2 `return { twice = a.speed * 2 }` Error lua/runtime-error: expected value (called from main.lua:1)
              main.lua:1 `local b = require 'lib.b'` called from here
        "#]],
    );
}

#[test]
fn what_has_no_place_stands_on_the_trigger_or_nowhere() {
    let problem = || at("lua/memory", "?", 1, "not enough memory");
    check(
        PAIR,
        &["a.lua"],
        problem(),
        expect![[r#"
        a.lua:1 `return {}` Error lua/memory: not enough memory
    "#]],
    );
    check(
        PAIR,
        &[],
        problem(),
        expect![[r#"
        nowhere
    "#]],
    );
}

#[test]
fn lines_of_the_running_text_become_lines_of_the_text_shown() {
    let running = SourceText::new(*b"return function(t)\n  return t.x\nend\n");
    let shown = SourceText::new(*b"-- new\n-- lines\nreturn function(t)\n  return t.x\nend\n");
    let lines = LineMap::between(&running, &shown);
    assert!(lines.is_some());
    let source = Source {
        path: Path::new("/project/a.lua").into(),
        text: shown,
        lines,
    };
    let problem = at(
        "lua/runtime-error",
        "@/project/a.lua",
        2,
        "attempt to index a nil value (local 't')",
    );
    let located = locate_in(&[("@/project/a.lua".into(), source)], &problem, &[]).unwrap();
    assert_eq!(show(&located.place), "a.lua:4 `t`");
}

#[test]
fn more_than_ten_frames_are_cut() {
    let lines: String = (0..40).map(|it| format!("line{it}()\n")).collect();
    let files = files(&format!("//- /a.lua\n{lines}"));
    let mut problem = at("lua/stack-overflow", "@/project/a.lua", 1, "stack overflow");
    problem.frames = (1..=40)
        .map(|it| frame("@/project/a.lua", it, Some("f")))
        .collect();
    let located = locate_in(&files, &problem, &[]).unwrap();
    assert_eq!(located.related.len(), 10);
    assert_eq!(show(&located.related[0].place), "a.lua:2 `line1()`");
    assert_eq!(located.message, "stack overflow (called from a.lua:2)");
}

#[test]
fn codes_are_unique_and_an_unknown_one_is_an_error_of_the_program() {
    let mut names: Vec<_> = CODES.iter().map(|(code, _)| *code).collect();
    assert!(names.iter().all(|it| it.starts_with("lua/")));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CODES.len());
    assert_eq!(
        codes::known("lua/state-conflict"),
        ("lua/state-conflict", Severity::Hint)
    );
    assert_eq!(
        codes::known("lua/from-the-future"),
        (codes::RUNTIME_ERROR, Severity::Error)
    );
}

proptest! {
    /// Whatever a message claims, every span lies inside its text.
    #[test]
    fn spans_lie_inside_their_text(
        text in "[a-c'\" \n\\[\\]é:]{0,40}",
        message in "(a\\.lua:[0-9]{1,3}: |\\.\\.\\.a\\.lua:99999999999: |error loading module 'a' from file 'a\\.lua':\n\t)?[a-c' ]{0,8}( near '[a-cé'\n]{0,3}'| near <eof>|local 'a'|module 'a' not found:|\\(to close 'a' at line [0-9]{1,12}\\)|already defined on line 7)?",
        line in any::<i32>(),
    ) {
        let source = Source { path: Path::new("/project/a.lua").into(), text: SourceText::new(text.into_bytes()), lines: None };
        let files = [("@a.lua".to_owned(), source)];
        let mut problem = at("lua/syntax", "@a.lua", line, &message);
        problem.frames = vec![frame("@a.lua", line.wrapping_add(1), None)];
        let located = locate_in(&files, &problem, &files.iter().map(|it| it.1.clone()).collect::<Vec<_>>()).unwrap();
        for place in located.related.iter().map(|it| &it.place).chain([&located.place]) {
            prop_assert!(place.span.start <= place.span.end);
            prop_assert!(place.span.end as usize <= place.text.bytes().len());
        }
    }
}
