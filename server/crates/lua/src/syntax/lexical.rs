//! What the parser's lexer lets pass and every compiler of the dialect refuses.

use super::Dialect;
use crate::tokens::{Kind, Tokens};

/// The first such token and what the compiler says of it, without `near`.
pub(crate) fn first_fault(tokens: &Tokens<'_>, dialect: Dialect) -> Option<(usize, &'static str)> {
    (0..tokens.len()).find_map(|idx| Some((idx, fault(tokens, idx, dialect)?)))
}

fn fault(tokens: &Tokens<'_>, idx: usize, dialect: Dialect) -> Option<&'static str> {
    match tokens.kind(idx) {
        Kind::TkInt | Kind::TkFloat | Kind::TkComplex if is_malformed(tokens, idx) => {
            Some("malformed number")
        }
        // LuaJIT takes any byte above ASCII in a name.
        Kind::TkName if dialect != Dialect::LuaJit && !tokens.text(idx).is_ascii() => {
            Some("unexpected symbol")
        }
        Kind::TkDbColon if dialect == Dialect::Lua51 => Some("unexpected symbol"),
        Kind::TkSemicolon if dialect == Dialect::Lua51 && begins_statement(tokens, idx) => {
            Some("unexpected symbol")
        }
        _ => None,
    }
}

/// Compilers read on while letters, digits and dots follow, and only then look at the number.
fn is_malformed(tokens: &Tokens<'_>, idx: usize) -> bool {
    let text = tokens.text(idx);
    let is_hex = matches!(text, [b'0', b'x' | b'X', ..]);
    let lacks_digits = match text.last() {
        Some(b'x' | b'X' | b'p' | b'P' | b'+' | b'-') => true,
        Some(b'e' | b'E') => !is_hex,
        _ => false,
    };
    let runs_on = tokens
        .get(idx)
        .zip(tokens.get(idx + 1))
        .is_some_and(|(number, next)| {
            number.end == next.start
                && tokens
                    .bytes_of(next)
                    .first()
                    .is_some_and(|&it| continues_number(it))
        });
    lacks_digits || runs_on
}

/// Whether a number that has begun goes on with this byte.
pub(crate) const fn continues_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// In 5.1 a semicolon ends a statement and is none.
fn begins_statement(tokens: &Tokens<'_>, idx: usize) -> bool {
    matches!(
        tokens.kind_before(idx),
        None | Some(Kind::TkSemicolon | Kind::TkThen | Kind::TkDo | Kind::TkElse | Kind::TkRepeat)
    )
}
