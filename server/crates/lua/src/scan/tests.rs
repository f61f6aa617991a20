//! The require scan, form by form.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// One line for each require: `line:column when form name`, and the text of the argument where the name is not constant.
fn check(source: &str, expected: &Expect) {
    let text = SourceText::new(source.as_bytes());
    let scan = scan(&text, &["import".to_owned(), "app.import".to_owned()]);
    let lines = scan.requires.iter().map(|it| {
        let (line, column) = text.line_column(it.argument.start);
        let argument = &source[it.argument.start as usize..it.argument.end as usize];
        assert!(it.call.start <= it.argument.start && it.argument.end <= it.call.end);
        let name = match &it.name {
            Name::Constant(name) => name.to_string(),
            Name::Own(..) => format!(
                "{} in p.q from {argument}",
                it.name.resolved("p.q").unwrap()
            ),
            Name::Dynamic => format!("? from {argument}"),
        };
        format!(
            "{}:{} {:?} {:?} {name}\n",
            line + 1,
            column + 1,
            it.when,
            it.form
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn constants_in_any_quoting() {
    check(
        "local a = require 'a'\nlocal b = require(\"b.c\")\nrequire[[d]]\nlocal e = require [==[e]==].x\n\
         f(require('g'))\n-- require 'no'\nlocal s = \"require 'no'\"\nobj.require 'no'\nobj:require 'no'",
        &expect![[r"
            1:19 Load Plain a
            2:19 Load Plain b.c
            3:8 Load Plain d
            4:19 Load Plain e
            5:11 Load Plain g
        "]],
    );
}

#[test]
fn aliases_and_loaders_load_too() {
    check(
        "local r = require\nr 'a'\nimport('b')\napp.import 'c'\nother.import 'no'\n_G.require 'd'\nlocal q = require\nq = print\nq 'no'",
        &expect![[r"
            2:3 Load Plain a
            3:8 Load Plain b
            4:12 Load Plain c
            6:12 Load Plain d
        "]],
    );
}

#[test]
fn protected_requires_are_optional() {
    check(
        "local ok, a = pcall(require, 'a')\nxpcall(require, function(e) return e, 1 end, 'b')\n\
         pcall(function() return require 'c' end)\nlocal function f() pcall(require, 'd') end",
        &expect![[r"
            1:30 Load Optional a
            2:46 Load Optional b
            3:33 Load Optional c
            4:35 Late Optional d
        "]],
    );
}

#[test]
fn names_made_of_constants_are_folded() {
    check(
        "local P = 'a.'\nrequire('a.' .. 'b')\nrequire(P .. 'c')\nlocal Q = (...):match('(.-)[^%.]+$')\nrequire(Q .. 'd')\n\
         require(... .. '.e')\nrequire((...):gsub('%.[^%.]+$', '') .. '.f')\nlocal R = (...):match '^(.*)%.' or ''\nrequire(R .. '.g')",
        &expect![[r"
            2:9 Load Plain a.b
            3:9 Load Plain a.c
            5:9 Load Plain p.d in p.q from Q .. 'd'
            6:9 Load Plain p.q.e in p.q from ... .. '.e'
            7:9 Load Plain p.f in p.q from (...):gsub('%.[^%.]+$', '') .. '.f'
            9:9 Load Plain p.g in p.q from R .. '.g'
        "]],
    );
}

#[test]
fn other_arguments_are_dynamic() {
    check(
        "require(name)\nrequire('a.' .. name)\nlocal P = 'a.'\nP = 'b.'\nrequire(P .. 'x')\nrequire(f('x', {1, 2}))\nfunction g(...) require(...) end",
        &expect![[r"
            1:9 Load Plain ? from name
            2:9 Load Plain ? from 'a.' .. name
            5:9 Load Plain ? from P .. 'x'
            6:9 Load Plain ? from f('x', {1, 2})
            7:25 Late Plain ? from ...
        "]],
    );
}

#[test]
fn files_count_at_top_level_only() {
    check(
        "dofile 'a.lua'\nlocal f = io.open('data.json', 'r')\nlove.filesystem.load('b.lua')()\nloadfile(name)\nlocal function g() dofile 'no.lua' end",
        &expect![[r"
            1:8 Load File a.lua
            2:19 Load File data.json
            3:22 Load File b.lua
        "]],
    );
}

#[test]
fn a_function_the_top_level_calls_loads() {
    check(
        "local M = {}\nlocal function setup() require 'a' helper() end\nfunction helper() require 'b' end\nfunction M.init() require 'c' end\n\
         function M:late() require 'd' end\nM.cb = function() require 'e' end\nsetup()\nM.init()\nM.cb()\n\
         (function() require 'f' end)()\non('x', function() require 'g' end)\nif x then for i = 1, 2 do while y do require 'h' end end end\nreturn M",
        &expect![[r"
            2:32 Load Plain a
            3:27 Load Plain b
            4:27 Load Plain c
            5:27 Late Plain d
            6:27 Load Plain e
            10:21 Load Plain f
            11:28 Late Plain g
            12:46 Load Plain h
        "]],
    );
}

#[test]
fn a_module_ends_in_a_return_of_something() {
    let returns = |source: &str| scan(&SourceText::new(source.as_bytes()), &[]).returns;
    assert!(returns("local M = {}\nreturn M"));
    assert!(returns("return function() end"));
    assert!(!returns("local function f() return 1 end"));
    assert!(!returns("if x then return 1 end"));
    assert!(!returns("return"));
    assert!(!returns(""));
}

#[test]
fn lines_move_with_their_tokens() {
    let old = SourceText::new(*b"a()\n\nb()\nc()");
    let new = SourceText::new(*b"-- one\na()\n--[[ two\nthree ]]\n\nb() c()");
    let map = LineMap::between(&old, &new).unwrap();
    assert_eq!([1, 3, 4].map(|it| map.new_line(it)), [2, 6, 6]);
    assert!(LineMap::between(&old, &old).unwrap().is_identity());
    assert_eq!(
        LineMap::between(&old, &SourceText::new(*b"a() b() d()")),
        None
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(source in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = SourceText::new(source);
        prop_assert_eq!(scan(&text, &[]), scan(&text, &[]));
    }

    #[test]
    fn no_tokens_make_it_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        let source = words.join(" ");
        let text = SourceText::new(source.as_bytes());
        for it in scan(&text, &[]).requires {
            prop_assert!(it.argument.start < it.argument.end && it.argument.end <= it.call.end);
            prop_assert!(it.call.end as usize <= source.len());
        }
    }
}

const WORDS: &[&str] = &[
    "require",
    "pcall",
    "xpcall",
    "dofile",
    "local",
    "P",
    "=",
    "(",
    ")",
    "'a'",
    "[[b]]",
    "..",
    "...",
    ":",
    "match",
    "'(.-)[^%.]+$'",
    ",",
    "function",
    "end",
    "if",
    "then",
    "until",
    "return",
    ".",
    "{",
    "}",
];
