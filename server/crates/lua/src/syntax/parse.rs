//! The door to the parser: what it must not see, and what it must not do to us.
//!
//! `emmylua_parser` and its tree recurse. A text that is nested too deep for any Lua compiler, or chained too far for our
//! stack, is not parsed at all and gets no verdict: the host's compiler is the judge.

use std::panic::{AssertUnwindSafe, catch_unwind};

use emmylua_parser::{LuaParseError, LuaParser, LuaSyntaxTree};
use hotsave_engine::text::SourceText;

use super::{Dialect, words::is_closer};
use crate::tokens::{Kind, Token, Tokens, readable};

/// Lua's own limit is 200 levels in every dialect.
const MAX_NESTING: usize = 200;
/// Operators and suffixes of one expression; each is a level of the tree. 10,000 fit a stack of 8 MiB.
const MAX_CHAIN: usize = 1500;

/// A parsed text; with errors the tree is what the parser made of it.
pub(crate) struct Parsed<'a> {
    pub(crate) tokens: Tokens<'a>,
    pub(crate) tree: LuaSyntaxTree,
    /// The lexer's first complaint and the parser's first.
    pub(crate) errors: Vec<LuaParseError>,
}

/// Parses `text`; `None` if it is too deep or the parser gave up.
pub(crate) fn parse(text: &SourceText, dialect: Dialect) -> Option<Parsed<'_>> {
    let readable = readable(text.bytes(), Some(dialect));
    let (tokens, lexer_errors) = Tokens::in_dialect(text, &readable, dialect);
    if !is_shallow(&tokens) {
        return None;
    }
    // The parser finds its own end of file better after a line end.
    let mut readable = readable.into_owned();
    readable.push('\n');
    if dialect == Dialect::LuaJit {
        readable = with_goto_as_name(readable, &tokens)?;
    }
    let parse = AssertUnwindSafe(|| LuaParser::parse(&readable, dialect.parser_config()));
    let tree = catch_unwind(parse).ok()?;
    let n_lexer_errors = lexer_errors.len();
    let parser_error = tree.get_errors().get(n_lexer_errors).cloned();
    let errors = lexer_errors
        .into_iter()
        .take(1)
        .chain(parser_error)
        .collect();
    Some(Parsed {
        tokens,
        tree,
        errors,
    })
}

/// To `LuaJIT` `goto` is a name unless a statement begins with it and a label follows.
fn with_goto_as_name(readable: String, tokens: &Tokens<'_>) -> Option<String> {
    let mut bytes = readable.into_bytes();
    for (idx, token) in tokens.iter().enumerate() {
        let is_label_next = matches!(tokens.kind(idx + 1), Kind::TkName | Kind::TkGoto);
        let is_statement = tokens
            .kind_before(idx)
            .is_none_or(|it| ends_operand(it) || opens_block(it) || it == Kind::TkGoto);
        if token.kind == Kind::TkGoto && !(is_label_next && is_statement) {
            *bytes.get_mut(token.start as usize)? = b'_';
        }
    }
    String::from_utf8(bytes).ok()
}

const fn opens_block(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkDo
            | Kind::TkThen
            | Kind::TkElse
            | Kind::TkRepeat
            | Kind::TkSemicolon
            | Kind::TkDbColon
            | Kind::TkBreak
    )
}

/// Whether an expression may end with such a token.
pub(crate) const fn ends_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkName
            | Kind::TkString
            | Kind::TkLongString
            | Kind::TkInt
            | Kind::TkFloat
            | Kind::TkComplex
            | Kind::TkNil
            | Kind::TkTrue
            | Kind::TkFalse
            | Kind::TkDots
            | Kind::TkRightParen
            | Kind::TkRightBrace
            | Kind::TkRightBracket
            | Kind::TkEnd
    )
}

/// Bounds the depth of the tree from above: what is open, and the length of the expression in each of them.
fn is_shallow(tokens: &Tokens<'_>) -> bool {
    let mut outer: Vec<usize> = Vec::new();
    let (mut chain, mut total) = (0_usize, 0_usize);
    let mut before = None;
    for Token { kind, .. } in tokens.iter() {
        let starts_anew =
            ends_expression(*kind) || (begins_statement(*kind) && before.is_some_and(ends_operand));
        if starts_anew {
            total -= chain;
            chain = 0;
        } else if !ends_operand(*kind) {
            chain += 1;
            total += 1;
        }
        if opens(*kind) {
            outer.push(std::mem::take(&mut chain));
        } else if is_closer(*kind)
            && let Some(before) = outer.pop()
        {
            total -= chain;
            chain = before;
        }
        if outer.len() > MAX_NESTING || total > MAX_CHAIN {
            return false;
        }
        before = Some(*kind);
    }
    true
}

const fn ends_expression(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkComma
            | Kind::TkSemicolon
            | Kind::TkAssign
            | Kind::TkThen
            | Kind::TkDo
            | Kind::TkElse
            | Kind::TkLocal
            | Kind::TkReturn
    )
}

/// Whether a new statement begins with such a token, if an expression could end before it.
const fn begins_statement(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkName
            | Kind::TkFunction
            | Kind::TkIf
            | Kind::TkWhile
            | Kind::TkFor
            | Kind::TkRepeat
            | Kind::TkBreak
            | Kind::TkGoto
            | Kind::TkDbColon
    )
}

const fn opens(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkLeftParen
            | Kind::TkLeftBrace
            | Kind::TkLeftBracket
            | Kind::TkFunction
            | Kind::TkIf
            | Kind::TkDo
            | Kind::TkRepeat
    )
}
