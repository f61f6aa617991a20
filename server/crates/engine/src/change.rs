//! Changes: one file, one content, whoever told of it; and the intake that keeps echoes out.
//!
//! Knows no file system: whoever makes a change has read the text already.

use std::{path::Path, sync::Arc};

use crate::text::SourceText;

/// Who told of a change; decides its settle window (design, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The editor's `didSave`.
    Save,
    /// The editor's or our own file watcher.
    Watcher,
    /// A watcher that sees a mass of files, or a version-control lock.
    Bulk,
    /// A person asked for it: settles at once.
    Command,
}

/// What happened to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It now has this text (created or modified).
    Text(SourceText),
    /// It is gone.
    Removed,
}

/// One file's new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Absolute, normalized path.
    pub path: Arc<Path>,
    /// What it holds now.
    pub content: Content,
    /// Who told.
    pub source: Source,
}
