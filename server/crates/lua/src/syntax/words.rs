//! From the parser's complaint to the words of the dialect's own compiler.
//!
//! The compiler names the token at which it stopped and, for a missing closer, where the construct began. The parser
//! reports some errors at the opening token instead; its tree tells how far it had come.

use emmylua_parser::{LuaParseError, LuaSyntaxTree};
use rowan::TextSize;

use super::{Dialect, blocks, lexical::continues_number};
use crate::tokens::{Kind, Tokens};

/// What the compiler would have said: the token it stopped at and the opening token of what it wanted to close.
pub(crate) struct Complaint {
    pub(crate) near: usize,
    pub(crate) opener: Option<usize>,
    pub(crate) message: String,
}

/// Translates one error; `near` past the last token means the end of the file.
pub(crate) fn complaint(
    error: &LuaParseError,
    tokens: &Tokens<'_>,
    tree: &LuaSyntaxTree,
    dialect: Dialect,
    line_at: impl Fn(u32) -> u32,
) -> Complaint {
    let start = u32::from(error.range.start());
    let said = error.message.as_str();
    let at = tokens.index_at(start);
    let near = match reported_at(said) {
        At::Stop => at,
        At::NextToken => at + 1,
        At::Opener => {
            let part_end = stopped_inside(tree, start).map_or(at + 1, |it| tokens.index_at(it));
            let is_head =
                |idx: &usize| matches!(tokens.kind(*idx), Kind::TkThen | Kind::TkDo | Kind::TkElse);
            (part_end..).find(|it| !is_head(it)).unwrap_or(part_end)
        }
    };
    let near_text = near_text(tokens, near, dialect);
    let token = |it: &str| {
        if dialect.is_old() || !it.starts_with('<') {
            format!("'{it}'")
        } else {
            it.to_owned()
        }
    };
    let expected = |it: &str| format!("{} expected", token(it));
    let open = blocks::open_at(tokens, near);
    let mut opener = None;
    let what = match wanted(said) {
        Wanted::Symbol
            if blocks::ends_block(tokens.kind(near)) && said.contains("missing corresponding") =>
        {
            expected("<eof>")
        }
        Wanted::Symbol => "unexpected symbol".to_owned(),
        Wanted::Name => expected("<name>"),
        Wanted::Statement if dialect.is_old() => expected("="),
        Wanted::Statement => "syntax error".to_owned(),
        Wanted::Token(it) => expected(it),
        Wanted::Closer => match open {
            Some(idx) => {
                let closer = blocks::closer(tokens.kind(idx));
                let (from, to) = (
                    line_at(tokens.start_of(idx)),
                    line_at(tokens.start_of(near)),
                );
                if from == to {
                    expected(closer)
                } else {
                    opener = Some(idx);
                    let name = String::from_utf8_lossy(tokens.text(idx));
                    format!("{} (to close '{name}' at line {from})", expected(closer))
                }
            }
            None => expected("<eof>"),
        },
        Wanted::Target if matches!(tokens.kind(near), Kind::TkName | Kind::TkLeftParen) => {
            "syntax error".to_owned()
        }
        Wanted::Target => "unexpected symbol".to_owned(),
        Wanted::Said(it) => it.to_owned(),
        Wanted::LongEnd => return unfinished(tokens, near, dialect, line_at(start)),
        Wanted::Unknown => said.to_owned(),
    };
    Complaint {
        near,
        opener,
        message: format!("{what} near {near_text}"),
    }
}

/// A fault that was found without the parser.
pub(crate) fn plain(near: usize, what: &str, tokens: &Tokens<'_>, dialect: Dialect) -> Complaint {
    Complaint {
        near,
        opener: None,
        message: format!("{what} near {}", near_text(tokens, near, dialect)),
    }
}

/// A long string or comment that runs to the end of the file; comments are not among the tokens.
fn unfinished(tokens: &Tokens<'_>, near: usize, dialect: Dialect, line: u32) -> Complaint {
    let what = if tokens.kind(near) == Kind::TkLongString {
        "string"
    } else {
        "comment"
    };
    let message = if dialect.is_old() {
        format!("unfinished long {what} near '<eof>'")
    } else {
        format!("unfinished long {what} (starting at line {line}) near <eof>")
    };
    Complaint {
        near,
        opener: None,
        message,
    }
}

/// Which token the parser puts an error on.
enum At {
    Stop,
    NextToken,
    Opener,
}

fn reported_at(said: &str) -> At {
    let opener = [
        "expected ')' to close parentheses",
        "expected ']' to close table index",
        "expected 'end' to close if",
        "expected 'end' to close while",
        "expected 'end' to close for",
        "expected 'end' after 'do'",
    ];
    let next = [
        "expected field name after '.'",
        "expected method name after ':'",
        "colon accessor must",
    ];
    if opener.iter().any(|it| said.starts_with(it)) {
        At::Opener
    } else if next.iter().any(|it| said.starts_with(it)) {
        At::NextToken
    } else {
        At::Stop
    }
}

/// What the compiler would have wanted instead.
enum Wanted {
    Symbol,
    Name,
    Statement,
    Closer,
    Token(&'static str),
    /// Something that can be assigned to or called.
    Target,
    /// The end of a long string or comment.
    LongEnd,
    /// These very words.
    Said(&'static str),
    Unknown,
}

fn wanted(said: &str) -> Wanted {
    let table: [(&str, Wanted); 30] = [
        ("expected 'end'", Wanted::Closer),
        ("expected end of block", Wanted::Closer),
        ("expected 'until'", Wanted::Closer),
        ("expected ')'", Wanted::Closer),
        ("expected '}'", Wanted::Closer),
        ("unexpected end of table", Wanted::Closer),
        ("table constructor was not", Wanted::Closer),
        ("expected ']'", Wanted::Token("]")),
        ("expected 'then'", Wanted::Token("then")),
        ("expected 'do'", Wanted::Token("do")),
        ("expected 'in'", Wanted::Token("in")),
        ("expected '(' to", Wanted::Token("(")),
        ("expected '::'", Wanted::Token("::")),
        ("expected '>'", Wanted::Token(">")),
        ("expected ',' after start", Wanted::Token(",")),
        ("expected '=' for assignment", Wanted::Statement),
        ("expected '=' after", Wanted::Token("=")),
        ("expected '=' for numeric", Wanted::Token("=' or 'in")),
        ("invalid left-hand", Wanted::Target),
        ("expected 'function', variable", Wanted::Name),
        (
            "colon accessor",
            Wanted::Said("function arguments expected"),
        ),
        ("unfinished string", Wanted::Said("unfinished string")),
        ("unfinished long", Wanted::LongEnd),
        (
            "invalid long string",
            Wanted::Said("invalid long string delimiter"),
        ),
        ("bitwise operation", Wanted::Symbol),
        ("integer division", Wanted::Symbol),
        ("ternary operator", Wanted::Symbol),
        ("local attribute", Wanted::Symbol),
        ("vararg '...' must", Wanted::Token(")")),
        (
            "expected parameter name",
            Wanted::Said("<name> or '...' expected"),
        ),
    ];
    if let Some((_, wanted)) = table.into_iter().find(|(start, _)| said.starts_with(start)) {
        return wanted;
    }
    if said.contains("after number literal") {
        Wanted::Said("malformed number")
    } else if said.contains(" name") {
        Wanted::Name
    } else if said.contains("expression") || said.starts_with("unexpected") {
        Wanted::Symbol
    } else {
        Wanted::Unknown
    }
}

/// Where the last complete part of the construct that opens at `start` ends.
fn stopped_inside(tree: &LuaSyntaxTree, start: u32) -> Option<u32> {
    let opener = tree
        .get_red_root()
        .token_at_offset(TextSize::from(start))
        .right_biased()?;
    let part = opener.parent()?.children().last()?;
    let mut last = part.last_token()?;
    while last.text().trim().is_empty() || last.text().starts_with("--") {
        last = last.prev_token()?;
    }
    Some(u32::from(last.text_range().end()))
}

fn near_text(tokens: &Tokens<'_>, near: usize, dialect: Dialect) -> String {
    if near < tokens.len() {
        format!(
            "'{}'",
            String::from_utf8_lossy(spoken(tokens, near, dialect))
        )
    } else if dialect.is_old() {
        "'<eof>'".to_owned()
    } else {
        "<eof>".to_owned()
    }
}

/// A token as the dialect's lexer cuts it: old ones know no `//` and `<<`, and a bad number goes on to its end.
fn spoken<'a>(tokens: &Tokens<'a>, near: usize, dialect: Dialect) -> &'a [u8] {
    let text = tokens.text(near);
    match tokens.kind(near) {
        Kind::TkInt | Kind::TkFloat | Kind::TkComplex => tokens.run_from(near, continues_number),
        Kind::TkIDiv | Kind::TkShl | Kind::TkShr if dialect < Dialect::Lua53 => {
            text.get(..1).unwrap_or(text)
        }
        Kind::TkDbColon if dialect == Dialect::Lua51 => text.get(..1).unwrap_or(text),
        _ => text,
    }
}

/// Whether a token can only end what was opened before it.
#[must_use]
pub(crate) const fn is_closer(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkRightParen
            | Kind::TkRightBrace
            | Kind::TkRightBracket
            | Kind::TkEnd
            | Kind::TkUntil
    )
}
