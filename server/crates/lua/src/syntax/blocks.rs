//! Which brackets and blocks are open at a token.

use super::words::is_closer;
use crate::tokens::{Kind, Tokens};

/// The opening token of the innermost construct that is open before token `near`.
///
/// A closer that fits nothing is passed over, as the parser does.
pub(crate) fn open_at(tokens: &Tokens<'_>, near: usize) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut loops_waiting_for_do = 0_usize;
    for (idx, token) in tokens.iter().enumerate().take(near) {
        match token.kind {
            Kind::TkWhile | Kind::TkFor => {
                open.push(idx);
                loops_waiting_for_do += 1;
            }
            Kind::TkDo if loops_waiting_for_do > 0 => loops_waiting_for_do -= 1,
            Kind::TkDo | Kind::TkIf | Kind::TkFunction | Kind::TkRepeat => open.push(idx),
            Kind::TkLeftParen | Kind::TkLeftBrace | Kind::TkLeftBracket => open.push(idx),
            kind if is_closer(kind)
                && open.last().is_some_and(|&it| closes(tokens.kind(it), kind)) =>
            {
                open.pop();
            }
            _ => {}
        }
    }
    open.last().copied()
}

fn closes(opener: Kind, kind: Kind) -> bool {
    match kind {
        Kind::TkRightParen => opener == Kind::TkLeftParen,
        Kind::TkRightBrace => opener == Kind::TkLeftBrace,
        Kind::TkRightBracket => opener == Kind::TkLeftBracket,
        Kind::TkUntil => opener == Kind::TkRepeat,
        _ => matches!(
            opener,
            Kind::TkDo | Kind::TkIf | Kind::TkFunction | Kind::TkWhile | Kind::TkFor
        ),
    }
}

/// What closes a construct, as the compilers write it.
pub(crate) const fn closer(opener: Kind) -> &'static str {
    match opener {
        Kind::TkLeftParen => ")",
        Kind::TkLeftBrace => "}",
        Kind::TkLeftBracket => "]",
        Kind::TkRepeat => "until",
        _ => "end",
    }
}

/// Whether a block ends before such a token.
pub(crate) const fn ends_block(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkEnd | Kind::TkElse | Kind::TkElseIf | Kind::TkUntil
    )
}
