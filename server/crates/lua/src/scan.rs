//! The require scan: what a text loads, when, and where that is written, from its tokens alone.
//!
//! No parser runs here, so that ten thousand files cost a fraction of a second and a file that does not compile still has
//! its edges. Must stay true: a require that certainly runs at load is never called late.

mod calls;
mod fold;
mod lines;
mod reads;

use std::ops::Range;

use hotsave_engine::text::{ContentHash, SourceText};

pub(crate) use self::reads::field_key;
pub use self::{fold::Name, lines::LineMap};
use crate::tokens::Tokens;

/// What the tokens of one text say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Hash of the text without comments, whitespace and line ends: equal means the same program.
    pub code: ContentHash,
    /// In text order.
    pub requires: Box<[Require]>,
    /// Whether the text ends in a top-level `return` of something, and so is a module.
    pub returns: bool,
    /// Keys of the fields read as values from something unknown, ascending.
    pub(crate) field_reads: Box<[u32]>,
}

/// One place that loads a module or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Require {
    /// What it loads.
    pub name: Name,
    /// What kind of loading.
    pub form: Form,
    /// Whether it runs while the file itself loads.
    pub when: When,
    /// The argument: the string literal with its quotes, or the expression.
    pub argument: Range<u32>,
    /// From the loading function's name to the end of the call.
    pub call: Range<u32>,
}

/// The kinds of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `require` or one of the configured loaders.
    Plain,
    /// Inside `pcall` or `xpcall`: the module may be absent.
    Optional,
    /// A file read by its path: `dofile`, `loadfile`, `love.filesystem.load`, `io.open`.
    File,
}

/// When a require runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// At top level, or in a function that the top level calls.
    Load,
    /// In any other function body: no cascade.
    Late,
}

/// Scans `text`; `loaders` are the functions besides `require` that load modules, such as `import` or `app.import`.
#[must_use]
pub fn scan(text: &SourceText, loaders: &[String]) -> Scan {
    let tokens = Tokens::of(text);
    let (requires, returns) = calls::requires(&tokens, loaders);
    Scan {
        code: tokens.code_hash(),
        requires: requires.into(),
        returns,
        field_reads: reads::field_reads(&tokens),
    }
}

#[cfg(test)]
mod tests;
