//! What the parser finds out, held to texts with the expectation beside them.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn text(source: &str) -> SourceText {
    SourceText::new(source.as_bytes())
}

fn known(source: &str, own_name: &str, is_read_elsewhere: &dyn Fn(&str) -> bool) -> Option<Facts> {
    let text = text(source);
    let scan = crate::scan::scan(&text, &[]);
    facts(
        &text,
        &Setting {
            dialect: Dialect::Lua54,
            own_name,
            scan: &scan,
            is_read_elsewhere,
        },
    )
}

/// One line for each function: id, lines, parameters, free names, and whether it leaks.
fn check_functions(source: &str, expected: &Expect) {
    let functions = known(source, "own", &|_| false).unwrap().functions;
    let lines = functions.iter().map(|it| {
        let parent = it.parent.map_or("main", |it| &functions[it].id);
        let vararg = if it.is_vararg { "+" } else { "" };
        let leak = if it.leak { " leaks" } else { "" };
        let part = &source[it.span.start as usize..it.span.end as usize];
        assert!(
            part.starts_with("function") && part.ends_with("end"),
            "{part}"
        );
        format!(
            "{} in {parent} {}-{} {}{vararg} {:?}{leak}\n",
            it.id, it.first_line, it.last_line, it.n_parameters, it.free
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn ids_follow_the_paths_they_are_written_to() {
    check_functions(
        "local M = { size = function() end, sub = { deep = function() end } }\nfunction M.counter(n)\n  local function inc() n = n + 1 end\n  \
         return function() inc() return function() end end\nend\nfunction M:method(a, ...) end\nM.sub.late = function() end\n\
         local function same() end\nlocal function same() end\nM['odd key'] = function() end\nlocal a, b = 1, function() end\n\
         x(function() end)\nM.or_else = M.or_else or function() end\nreturn { f = function() end }",
        &expect![[r#"
            M.size in main 1-1 0 []
            M.sub.deep in main 1-1 0 []
            M.counter in main 2-5 1 []
            M.counter/inc in M.counter 3-3 0 ["n"]
            M.counter/1 in M.counter 4-4 0 ["inc"] leaks
            M.counter/1/1 in M.counter/1 4-4 0 [] leaks
            M.method in main 6-6 2+ []
            M.sub.late in main 7-7 0 []
            same in main 8-8 0 []
            same#2 in main 9-9 0 []
            M.odd key in main 10-10 0 []
            b in main 11-11 0 []
            /1 in main 12-12 0 [] leaks
            M.or_else in main 13-13 0 [] leaks
            return.f in main 14-14 0 []
        "#]],
    );
}

#[test]
fn free_names_are_the_upvalues() {
    check_functions(
        "local a, b, c = 1, 2, 3\nlocal K <const> = 5\nlocal T <const> = {}\nlocal N <const> = -K + 1\n\
         function f(x)\n  local y = b + a + x + K + N\n  return function() return y, c, T, self, a end\nend\n\
         local g = function() return g end\nlocal function h() return h end\nrepeat local z until z == (function() return z end)()\n\
         for i = 1, 2 do call(function() return i end) end\nlocal a = a and function() return a end",
        &expect![[r#"
            f in main 5-8 1 ["b", "a", "c", "T"] leaks
            f/1 in f 7-7 0 ["y", "c", "T", "a"] leaks
            g in main 9-9 0 []
            h in main 10-10 0 ["h"] leaks
            /1 in main 11-11 0 ["z"]
            /2 in main 12-12 0 ["i"] leaks
            a in main 13-13 0 ["a"] leaks
        "#]],
    );
}

#[test]
fn a_function_leaks_where_it_is_more_than_called() {
    check_functions(
        "local a = require 'a'\nlocal M, P, Q = {}, {}, {}\nlocal function called() end\ncalled()\nlocal function exported() end\n\
         M.exported = exported\nlocal function passed() end\non(passed)\nfunction M.read() end\nlocal x = M.read\n\
         function M.__index(t, k) end\nfunction a.patched() end\nfunction P.f() end\nfor k, v in pairs(P) do end\n\
         function Q.f() end\nlocal y = Q[k]\nQ[k]()\nfunction M.new(o)\n  o.cb = function() end\nend\ntable.sort(t, function() end)\n\
         local function sorted() end\nreturn M",
        &expect![[r#"
            called in main 3-3 0 []
            exported in main 5-5 0 []
            passed in main 7-7 0 [] leaks
            M.read in main 9-9 0 [] leaks
            M.__index in main 11-11 2 []
            a.patched in main 12-12 0 [] leaks
            P.f in main 13-13 0 [] leaks
            Q.f in main 15-15 0 [] leaks
            M.new in main 18-20 1 []
            M.new/o.cb in M.new 19-19 0 [] leaks
            /1 in main 21-21 0 []
            sorted in main 22-22 0 []
        "#]],
    );
}

#[test]
fn a_field_that_others_read_leaks() {
    let functions = known(
        "local M = {}\nfunction M.a() end\nfunction M.b() end\nreturn M",
        "own",
        &|it| it == "b",
    )
    .unwrap()
    .functions;
    assert_eq!(
        functions.iter().map(|it| it.leak).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn a_module_that_is_a_function_leaks() {
    check_functions(
        "local function f() end\nreturn f",
        &expect![[r#"
        f in main 1-1 0 [] leaks
    "#]],
    );
}

#[test]
fn hashes_ignore_what_does_not_run() {
    let hash = |source: &str| known(source, "own", &|_| false).unwrap().functions[0].hash;
    assert_eq!(
        hash("function f() return 1 end"),
        hash("\n\nfunction f()\n -- one\n return 1 end local x")
    );
    assert_ne!(
        hash("function f() return 1 end"),
        hash("function f() return 2 end")
    );
}

#[test]
fn a_text_that_does_not_parse_has_no_functions() {
    assert_eq!(known("function f(", "own", &|_| false), None);
}

fn check_uses(source: &str, expected: &Expect) {
    let uses = known(source, "p.own", &|_| false).unwrap().uses;
    let lines = uses.iter().map(|(name, it)| {
        let flag = |is_set, word: &str| {
            if is_set {
                format!(" {word}")
            } else {
                String::new()
            }
        };
        let reads = it
            .reads
            .iter()
            .map(|it| format!(" .{it}"))
            .collect::<String>();
        format!(
            "{name}{}{}{reads}\n",
            flag(it.whole, "whole"),
            flag(it.calls, "calls")
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn holding_a_module_takes_nothing() {
    check_uses(
        "require 'only'\nlocal held = require 'held'\nlocal M = { stored = require 'stored' }\nM.field = require 'field'\n\
         local meta = setmetatable({}, { __index = require 'meta' })\nlocal late = require 'late'\n\
         function M.f() return late.x, late.g(held) end\nlocal written = require 'written'\nwritten.x = 1\nfunction written.f() end\nreturn M",
        &expect![[r"
            field
            held
            late
            meta
            only
            stored
            written
        "]],
    );
}

#[test]
fn fields_read_and_functions_called_are_taken() {
    check_uses(
        "local a = require 'a'\nlocal f = a.f\nlocal w = a.size.w * 2\nlocal b = require('b').make(1)\nlocal c = require 'c'\n\
         c.sub.run()\nlocal d = require 'd'\nd:start()\nif require('e').debug then end\nlocal g = require('g').deep.g\ng()\n\
         local h = require 'h'\nlocal function setup() return h.v + 1 end\nsetup()\nlocal i = require(... .. '.i')\nlocal x = i.n or 1",
        &expect![[r"
            a .f .size.w
            b calls
            c calls
            d calls
            e .debug
            g calls .deep.g
            h .v
            p.own.i .n
        "]],
    );
}

#[test]
fn what_cannot_be_followed_is_whole() {
    check_uses(
        "local a = require 'a'\nregister(a)\nfor k, v in pairs(require 'b') do end\nlocal c = require 'c'\nlocal x = c[key]\n\
         local ok, d = pcall(require, 'd')\nlocal M = {}\nM.e = require 'e'\nlocal y = M.e.z\nlocal f = #require('f').list\n\
         each(list, function() return register(require 'no') end)\nlocal h = require 'h'\neach(list, function() use(h) end)\nreturn require 'g'",
        &expect![[r"
            a whole
            b whole
            c whole
            d whole
            e whole
            f whole
            g whole
            h whole
        "]],
    );
}

fn check_touch(source: &str, expected: &Expect) {
    let touch = match known(source, "own", &|_| false).unwrap().touch {
        Touch::Units(units) => format!("{units:?}"),
        Touch::All(span) => format!("all: {}", &source[span.start as usize..span.end as usize]),
    };
    expected.assert_eq(&touch);
}

#[test]
fn a_declarative_top_level_touches_nothing() {
    check_touch(
        "local a = require 'a'\nlocal insert = table.insert\nlocal M = setmetatable({ sub = {} }, { __index = a })\nM.__index = M\n\
         M.sub.x = math.floor(a.w) .. ('x'):rep(3)\ninsert(M.sub, 1)\nfunction M.f() bus.emit(M) a.x = 1 end\n\
         local function build(n) return n + 1 end\nM.n = build(1)\nglobal = 5\nfor k, v in pairs(a.list) do M[k] = v end\n\
         local s = string.format('%d', 1)\nlocal ok, b = pcall(require, 'b')\nreturn M",
        &expect!["{}"],
    );
}

#[test]
fn calls_and_writes_into_modules_touch_them() {
    check_touch(
        "local a = require 'a'\nlocal b, c = require 'b', require 'c'\na.register('x')\nb.list.x = 1\ntable.insert(c.items, 1)\n\
         local d = require('d').new()\nlocal e = require 'e'\nlocal make = e.make\nmake()\nlocal f = require 'f'\nfunction late() f.x() end",
        &expect![[r#"{"a", "b", "c", "d", "e"}"#]],
    );
}

#[test]
fn unknown_calls_and_writes_touch_everything() {
    check_touch("local M = {}\nbus.emit(M)", &expect!["all: bus.emit(M)"]);
    check_touch(
        "local M = {}\nM.bus = require 'bus'\nM.bus.emit()",
        &expect!["all: M.bus.emit()"],
    );
    check_touch("app.handler = 1", &expect!["all: app.handler"]);
    check_touch(
        "local function each(f) f() end\neach(print)",
        &expect!["all: f()"],
    );
    check_touch("local seed = math.random()", &expect!["all: math.random()"]);
}

#[test]
fn depth_and_length_are_survived() {
    let aliases: String = (1..5_000)
        .map(|it| format!("a{it} = a{}\n", it - 1))
        .collect();
    let known = |source: &str| known(source, "own", &|_| false).unwrap();
    let facts = known(&format!("a0 = require 'a'\n{aliases}"));
    assert!(facts.uses["a"].whole);
    let nested = known(&format!(
        "x = {}1{}",
        "function() return ".repeat(190),
        " end".repeat(190)
    ));
    assert_eq!(nested.functions.len(), 190);
    let chain = format!(
        "local a <const> = 1{}\nfunction f() return a{} end",
        " + 1".repeat(1_000),
        ".a".repeat(1_000)
    );
    assert_eq!(known(&chain).functions[0].free, [""; 0]);
}

proptest! {
    #[test]
    fn no_tokens_make_it_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        let source = words.join(" ");
        if let Some(facts) = known(&source, "own", &|_| false) {
            for it in &facts.functions {
                prop_assert!(it.span.end as usize <= source.len() && it.first_line <= it.last_line);
                prop_assert!(facts.functions.iter().filter(|other| other.id == it.id).count() == 1);
            }
            if let Touch::All(span) = facts.touch {
                prop_assert!(span.end as usize <= source.len());
            }
        }
    }
}

const WORDS: &[&str] = &[
    "local",
    "x",
    "=",
    "require",
    "'a'",
    "x",
    ".",
    "y",
    "(",
    ")",
    "function",
    "f",
    "()",
    "end",
    "return",
    ",",
    "{",
    "}",
    ";",
    "x.y()",
    "x = 1",
    "local function g() end",
    "if x then",
    "for i = 1, 2 do",
    "M.f",
    "setmetatable",
    "pcall(",
];
