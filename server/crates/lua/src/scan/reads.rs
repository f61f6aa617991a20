//! Which fields a text reads as values from something it does not know: a function stored there may be held by it.

use hotsave_engine::text::ContentHash;

use crate::tokens::{Kind, Tokens};

/// A field's name in the set of a scan: 32 bits of its hash, so that ten thousand files fit. Two names that share them
/// make one look read, which costs a walk and no mistake.
pub(crate) fn field_key(name: &[u8]) -> u32 {
    let hash = ContentHash::of(name).to_u64();
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// Ascending. `local f = m.f` at top level does not count where `m` is a local made by `require`: hosts look there.
pub(super) fn field_reads(tokens: &Tokens<'_>) -> Box<[u32]> {
    let mut reads = Vec::new();
    let mut modules: Vec<&[u8]> = Vec::new();
    // Whether each open block is a function.
    let mut open = Vec::new();
    let mut n_functions = 0_usize;
    for (idx, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::TkFunction => {
                open.push(true);
                n_functions += 1;
            }
            Kind::TkIf | Kind::TkDo | Kind::TkRepeat => open.push(false),
            Kind::TkEnd | Kind::TkUntil => n_functions -= usize::from(open.pop().unwrap_or(false)),
            Kind::TkLocal if n_functions == 0 && tokens.is_name(idx + 3, "require") => {
                modules.push(tokens.text(idx + 1))
            }
            Kind::TkName
                if tokens.kind_before(idx) == Some(Kind::TkDot)
                    && is_value(tokens.kind(idx + 1)) =>
            {
                let is_of_module = n_functions == 0
                    && idx >= 2
                    && tokens.kind(idx - 2) == Kind::TkName
                    && !matches!(
                        tokens.kind_before(idx - 2),
                        Some(Kind::TkDot | Kind::TkColon)
                    )
                    && modules.contains(&tokens.text(idx - 2));
                if !is_of_module {
                    reads.push(field_key(tokens.bytes_of(*token)));
                }
            }
            Kind::TkString
                if tokens.kind_before(idx) == Some(Kind::TkLeftBracket)
                    && tokens.kind(idx + 1) == Kind::TkRightBracket
                    && is_value(tokens.kind(idx + 2)) =>
            {
                let text = tokens.bytes_of(*token);
                reads.push(field_key(
                    text.get(1..text.len().saturating_sub(1))
                        .unwrap_or_default(),
                ));
            }
            _ => {}
        }
    }
    reads.sort_unstable();
    reads.dedup();
    reads.into()
}

/// Whether a field before such a token is taken: not called, indexed or assigned.
fn is_value(next: Kind) -> bool {
    !matches!(
        next,
        Kind::TkLeftParen
            | Kind::TkString
            | Kind::TkLongString
            | Kind::TkLeftBrace
            | Kind::TkDot
            | Kind::TkColon
            | Kind::TkLeftBracket
            | Kind::TkAssign
    )
}
