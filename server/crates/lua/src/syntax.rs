//! Syntax: whether a text compiles in its dialect, and if not, where and why.
//!
//! The parser is `emmylua_parser`. It may accept what a compiler refuses (a `goto` to nowhere, a `break` outside a loop);
//! the host's compiler is the judge. Must stay true: what the dialect's own compiler accepts is never refused here.

mod blocks;
mod dialect;
mod lexical;
mod parse;
mod words;

use std::ops::Range;

use hotsave_engine::text::SourceText;

pub use self::dialect::Dialect;
pub(crate) use self::parse::{Parsed, parse};

/// Why a text does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// `lua/syntax`, or `lua/dialect` if only other dialects accept the text.
    pub code: &'static str,
    /// The token at which the compiler would stop; at the end of the file the last token before it. Never empty unless the
    /// text is.
    pub span: Range<u32>,
    /// In the words of the dialect's compiler, without position.
    pub message: String,
    /// The token that opened what was not closed, and the words for it.
    pub opened: Option<(Range<u32>, String)>,
}

/// Says why `text` does not compile as `dialect`; `None` if it does, or if it is too deep to tell.
///
/// Only the first problem: what a parser says after it is guesswork. For `lua/dialect` every other dialect is tried, which
/// costs one parse each, and only for texts that are broken anyway.
#[must_use]
pub fn check(text: &SourceText, dialect: Dialect) -> Option<SyntaxProblem> {
    let mut problem = first_problem(text, dialect)?;
    let others: Vec<&str> = Dialect::ALL
        .into_iter()
        .filter(|&it| it != dialect && accepts(text, it))
        .map(Dialect::title)
        .collect();
    if let Some((last, rest)) = others.split_last() {
        let others = if rest.is_empty() {
            (*last).to_owned()
        } else {
            format!("{} and {last}", rest.join(", "))
        };
        problem.code = "lua/dialect";
        problem.message = format!(
            "{} (valid in {others}, but this project uses {})",
            problem.message,
            dialect.title()
        );
    }
    Some(problem)
}

/// Whether `text` compiles as `dialect` as far as the parser can tell.
#[must_use]
pub fn accepts(text: &SourceText, dialect: Dialect) -> bool {
    let is_clean = |it: Parsed<'_>| {
        it.errors.is_empty() && lexical::first_fault(&it.tokens, dialect).is_none()
    };
    !is_bytecode(text) && parse(text, dialect).is_none_or(is_clean)
}

/// Precompiled chunks are refused in every dialect: they can crash the VM that loads them.
fn is_bytecode(text: &SourceText) -> bool {
    text.bytes().first() == Some(&27)
}

fn first_problem(text: &SourceText, dialect: Dialect) -> Option<SyntaxProblem> {
    if is_bytecode(text) {
        let message = "precompiled chunks are not accepted".to_owned();
        return Some(SyntaxProblem {
            code: "lua/syntax",
            span: 0..1,
            message,
            opened: None,
        });
    }
    let parsed = parse(text, dialect)?;
    let tokens = &parsed.tokens;
    let line_at = |offset: u32| text.line_column(offset).0 + 1;
    let complaints = parsed
        .errors
        .iter()
        .map(|it| words::complaint(it, tokens, &parsed.tree, dialect, line_at));
    let fault = lexical::first_fault(tokens, dialect)
        .map(|(near, what)| words::plain(near, what, tokens, dialect));
    let first = fault
        .into_iter()
        .chain(complaints)
        .min_by_key(|it| it.near)?;
    let span = tokens
        .get(first.near.min(tokens.len().saturating_sub(1)))
        .map_or(0..0, |it| it.span());
    let opened = first.opener.and_then(|idx| {
        let name = String::from_utf8_lossy(tokens.text(idx));
        Some((tokens.get(idx)?.span(), format!("'{name}' opened here")))
    });
    Some(SyntaxProblem {
        code: "lua/syntax",
        span,
        message: first.message,
        opened,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn explained(source: &[u8], dialect: Dialect) -> String {
        let text = SourceText::new(source);
        let Some(problem) = check(&text, dialect) else {
            return "fine".to_owned();
        };
        let place = |span: &Range<u32>| {
            let (line, column) = text.line_column(span.start);
            let token = source.get(span.start as usize..span.end as usize).unwrap();
            format!(
                "{}:{} `{}`",
                line + 1,
                column + 1,
                String::from_utf8_lossy(token)
            )
        };
        let mut lines = format!(
            "{} {}: {}",
            place(&problem.span),
            problem.code,
            problem.message
        );
        if let Some((span, words)) = &problem.opened {
            lines += &format!("\n{} {words}", place(span));
        }
        lines
    }

    fn check_words(source: &str, dialect: Dialect, expected: &Expect) {
        expected.assert_eq(&explained(source.as_bytes(), dialect));
    }

    #[test]
    fn missing_end_names_what_it_closes() {
        let source = "local function f(x)\n  if x then\n    return 1\n\nreturn f\n";
        check_words(
            source,
            Dialect::Lua54,
            &expect![[r"
            5:1 `return` lua/syntax: 'end' expected (to close 'if' at line 2) near 'return'
            2:3 `if` 'if' opened here"]],
        );
        check_words(
            "while x do\n  do x = 1\n",
            Dialect::Lua51,
            &expect![[r"
            2:10 `1` lua/syntax: 'end' expected (to close 'do' at line 2) near '<eof>'
            2:3 `do` 'do' opened here"]],
        );
    }

    #[test]
    fn words_are_those_of_the_compiler() {
        check_words(
            "x = }",
            Dialect::Lua54,
            &expect!["1:5 `}` lua/syntax: unexpected symbol near '}'"],
        );
        check_words(
            "x = = 1",
            Dialect::LuaJit,
            &expect!["1:5 `=` lua/syntax: unexpected symbol near '='"],
        );
        check_words(
            "if x do end",
            Dialect::Lua53,
            &expect!["1:6 `do` lua/syntax: 'then' expected near 'do'"],
        );
        check_words(
            "local function 1() end",
            Dialect::Lua51,
            &expect!["1:16 `1` lua/syntax: '<name>' expected near '1'"],
        );
        check_words(
            "end",
            Dialect::Lua54,
            &expect!["1:1 `end` lua/syntax: <eof> expected near 'end'"],
        );
        check_words(
            "x = 3..2",
            Dialect::Lua54,
            &expect!["1:5 `3.` lua/syntax: malformed number near '3..2'"],
        );
        check_words(
            "x = (1 2)",
            Dialect::Lua54,
            &expect!["1:8 `2` lua/syntax: ')' expected near '2'"],
        );
        check_words(
            "f.x",
            Dialect::Lua51,
            &expect!["1:3 `x` lua/syntax: '=' expected near '<eof>'"],
        );
    }

    #[test]
    fn unfinished_strings_and_comments_are_named() {
        check_words(
            "x = 'abc\ny = 1",
            Dialect::Lua54,
            &expect!["1:5 `'abc` lua/syntax: unfinished string near ''abc'"],
        );
        check_words(
            "x = 1 --[[ open\n",
            Dialect::Lua54,
            &expect!["1:5 `1` lua/syntax: unfinished long comment (starting at line 1) near <eof>"],
        );
    }

    #[test]
    fn a_text_of_another_dialect_names_both() {
        check_words(
            "local x <const> = 1",
            Dialect::Lua53,
            &expect![
                "1:9 `<` lua/dialect: unexpected symbol near '<' (valid in Lua 5.4, but this project uses Lua 5.3)"
            ],
        );
        check_words(
            "goto = 1",
            Dialect::Lua54,
            &expect![
                "1:6 `=` lua/dialect: <name> expected near '=' (valid in LuaJIT and Lua 5.1, but this project uses Lua 5.4)"
            ],
        );
    }

    #[test]
    fn precompiled_chunks_are_refused_in_every_dialect() {
        for dialect in Dialect::ALL {
            assert!(check(&SourceText::new(*b"\x1bLua"), dialect).is_some());
        }
    }

    /// Each was accepted by the dialect's own compiler.
    #[test]
    fn what_a_compiler_accepts_is_accepted() {
        let all = Dialect::ALL;
        let since_52 = [Dialect::Lua52, Dialect::Lua53, Dialect::Lua54];
        let cases: [(&[u8], &[Dialect]); 15] = [
            (b"", &all),
            (b"#!/usr/bin/lua", &all),
            (b"# comment\nx = 1", &all),
            (b"x\x0b=\x0c1", &all),
            (b"x = 'a\0b' -- \0\nlocal \ny = 1", &all),
            (b"x = '\xe9' -- \xff", &all),
            (b"x = 'a\\\r\nb'\ry = [[\r]]\r\n", &all),
            (b"f{}.x = f'a'[[b]]:c{} return f, g;", &all),
            (
                b"\xef\xbb\xbf#!x\nx = 1",
                &[
                    Dialect::LuaJit,
                    Dialect::Lua52,
                    Dialect::Lua53,
                    Dialect::Lua54,
                ],
            ),
            (b"while true do break x = 1 end ;;; ::a:: goto a", &since_52),
            (
                b"x = 1 // 2 & 3 ~ ~4 << 5",
                &[Dialect::Lua53, Dialect::Lua54],
            ),
            (b"local x <const>, y <close> = 1, nil", &[Dialect::Lua54]),
            (
                b"local goto = 1 a.goto = goto goto l ::l::",
                &[Dialect::LuaJit],
            ),
            (b"x = 1LL + 0xffULL * 12i + 0b101", &[Dialect::LuaJit]),
            (b"x\xc2\xa0y = \xe9", &[Dialect::LuaJit]),
        ];
        for (source, dialects) in cases {
            for &dialect in dialects {
                assert_eq!(
                    explained(source, dialect),
                    "fine",
                    "{} in {dialect}",
                    String::from_utf8_lossy(source)
                );
            }
        }
    }

    #[test]
    fn nesting_and_chains_of_any_length_are_survived() {
        for n in [150, 190, 5_000, 200_000] {
            let texts = [
                format!("x = {}1{}", "(".repeat(n), ")".repeat(n)),
                format!("x = {}1{}", "{".repeat(n), "}".repeat(n)),
                format!("{}{}", "do ".repeat(n), " end".repeat(n)),
                format!(
                    "x = {}1{}",
                    "function() return ".repeat(n),
                    " end".repeat(n)
                ),
                format!("x = 1{}", " + 1".repeat(n)),
                format!("x = 1{}", " .. 1".repeat(n)),
                format!("x = {}1", "- ".repeat(n)),
                format!("x = a{}", ".a".repeat(n)),
                format!("f{}", "()".repeat(n)),
            ];
            for text in texts {
                assert_eq!(explained(text.as_bytes(), Dialect::Lua54), "fine", "{n}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(source in prop::collection::vec(any::<u8>(), 0..200)) {
            for dialect in Dialect::ALL {
                explained(&source, dialect);
            }
        }

        #[test]
        fn no_tokens_make_it_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
            let source = words.join(" ");
            for dialect in Dialect::ALL {
                explained(source.as_bytes(), dialect);
            }
        }
    }

    const WORDS: &[&str] = &[
        "if", "then", "else", "elseif", "end", "function", "local", "return", "for", "in", "do",
        "while", "repeat", "until", "break", "goto", "::", "(", ")", "{", "}", "[", "]", "=", "==",
        ",", ";", ".", ":", "..", "...", "x", "y", "1", "'s'", "'", "\"", "[[", "]]", "--", "--[[",
        "\n", "<", ">", "<const>", "~", "//", "nil", "not", "-", "#", "\u{e9}", "\0", "0x", "1e",
    ];
}
