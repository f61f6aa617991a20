//! Places and problems, as in the LSP but without its library.

use serde::{Deserialize, Serialize};

/// A URI as text; the client's own spelling where it named the file or folder first.
pub type Uri = String;

/// A place between two characters.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// Line, 0-based.
    pub line: u32,
    /// Column, 0-based, in units of the position encoding negotiated by `initialize`.
    pub character: u32,
}

/// A piece of a text, its end excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Range {
    /// Its first character.
    pub start: Position,
    /// Behind its last character.
    pub end: Position,
}

/// How bad a problem is; a number on the wire, as in the LSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum Severity {
    /// Rejected or rolled back.
    Error = 1,
    /// Applied with loss, or needs a restart.
    Warning = 2,
    /// Worth knowing.
    Information = 3,
    /// State conflict, name not known statically; also what a number of a later version reads as.
    Hint = 4,
}

impl From<u8> for Severity {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Error,
            2 => Self::Warning,
            3 => Self::Information,
            _ => Self::Hint,
        }
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> Self {
        severity as Self
    }
}

/// One thing wrong at one place; the full form is the diagnostic of the same generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file.
    pub uri: Uri,
    /// Where in it.
    pub range: Range,
    /// How bad it is.
    pub severity: Severity,
    /// Stable code such as `lua/syntax`.
    pub code: String,
    /// What is wrong; the first line stands alone.
    pub message: String,
}
