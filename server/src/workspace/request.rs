//! What a domain is asked to do next: changed files, or a person's command.
//!
//! Requests that wait for the same slot merge into one, so that they become one generation.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use hotsave_engine::change::{Change, Source};
use hotsave_protocol::Cause;

use super::event::{Answer, Reply};

/// What to reload although its text is the running one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Force {
    /// Nothing: only what changed.
    #[default]
    Nothing,
    /// These files and what depends on them.
    Files(BTreeSet<Arc<Path>>),
    /// Every loaded unit.
    All,
    /// What the configuration loads when the host starts.
    Startup,
}

/// One generation's worth of work.
#[derive(Default)]
pub(super) struct Request {
    /// The newest change of each file, in the order in which the files first came.
    pub(super) changes: Vec<Change>,
    /// What to reload besides.
    pub(super) force: Force,
    /// Whether everything that was refused is to be tried again.
    pub(super) retries: bool,
    /// Why; `None` only for a request that nobody made.
    pub(super) cause: Option<Cause>,
    /// Who waits for the outcome.
    pub(super) replies: Vec<Reply<Answer>>,
}

impl Request {
    /// A settled change set.
    pub(super) fn of_changes(changes: Vec<Change>, source: Source) -> Self {
        let cause = match source {
            Source::Command => Cause::Command,
            Source::Save => Cause::Save,
            Source::Watcher | Source::Bulk => Cause::Watcher,
        };
        Self {
            changes,
            cause: Some(cause),
            ..Self::default()
        }
    }

    /// Both as one: the newer change of a file counts, the stronger force and the newer cause.
    pub(super) fn merge(mut older: Self, newer: Self) -> Self {
        for change in newer.changes {
            match older.changes.iter_mut().find(|it| it.path == change.path) {
                Some(known) => *known = change,
                None => older.changes.push(change),
            }
        }
        older.force = match (older.force, newer.force) {
            (Force::Startup, _) | (_, Force::Startup) => Force::Startup,
            (Force::All, _) | (_, Force::All) => Force::All,
            (Force::Files(mut files), Force::Files(more)) => {
                files.extend(more);
                Force::Files(files)
            }
            (Force::Files(files), Force::Nothing) | (Force::Nothing, Force::Files(files)) => {
                Force::Files(files)
            }
            (Force::Nothing, Force::Nothing) => Force::Nothing,
        };
        older.retries |= newer.retries;
        older.cause = newer.cause.or(older.cause);
        older.replies.extend(newer.replies);
        older
    }

    /// Whether a person withdrew it and nothing else is in it.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.changes.is_empty()
            && !self.replies.is_empty()
            && self.replies.iter().all(Reply::is_cancelled)
    }
}
