//! A transaction as the server sees it: what is sent to a host, and what it means for files.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use hotsave_engine::{plan::Act, text::SourceText};
use hotsave_lua::wire;

/// One `update`, all or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    /// What is sent, but for generation and cause; the deadline is what it needs beyond the configured one.
    pub(super) update: wire::Update,
    /// The same units as files and texts, in the same order.
    pub(super) parts: Vec<Part>,
    /// Refused files of earlier generations that are tried again with it (Lua specification, 5.3).
    pub(super) taken_along: BTreeSet<Arc<Path>>,
}

/// One unit's part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Number in the index.
    pub(super) id: u32,
    /// Unit name.
    pub(super) name: String,
    /// Its file.
    pub(super) path: Arc<Path>,
    /// What happens to it.
    pub(super) act: Act,
    /// The text it is to run; empty for a removal.
    pub(super) text: SourceText,
    /// Why, one link of the chain a line.
    pub(super) because: Vec<String>,
}
