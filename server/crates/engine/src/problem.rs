//! Problems: what is wrong in a user's file, as data.
//!
//! Knows no diagnostic format; the editor front end and the terminal each print it their own way. A problem carries the
//! text it was judged on, so that its columns stay right whatever the buffer says by now.

use std::{ops::Range, path::Path, sync::Arc};

use crate::text::SourceText;

/// How bad a problem is; the numbers are those of the LSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Rejected or rolled back.
    Error = 1,
    /// Applied with loss, or needs a restart.
    Warning = 2,
    /// Worth knowing.
    Information = 3,
    /// State conflict, name not known statically.
    Hint = 4,
}

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Absolute, normalized path.
    pub path: Arc<Path>,
    /// The text the span is of; empty if the file could not be read, the span then is `0..0`.
    pub text: SourceText,
    /// Byte offsets into [`Self::text`], start ≤ end.
    pub span: Range<u32>,
}

/// A second place that explains the first: a traceback frame, a link of the require chain, the changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where it is.
    pub place: Place,
    /// One line, lower case, no period.
    pub message: String,
}

/// One thing wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// How bad it is.
    pub severity: Severity,
    /// Stable code such as `lua/syntax`; a page of the documentation has the same name.
    pub code: &'static str,
    /// Lower case, names the thing, no period; the first line stands alone.
    pub message: String,
    /// Other places, the nearest cause first.
    pub related: Vec<Related>,
    /// What a quick fix needs, as pairs of key and value; empty for most.
    pub data: Vec<(&'static str, String)>,
}
