//! What a domain is asked to do next: changed files, or a person's command.
//!
//! Requests that wait for the same slot merge into one, so that they become one generation.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

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
    /// Whether something in it has nobody who waits, and so nobody who could withdraw it.
    pub(super) stays: bool,
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
        let places = older.changes.iter().enumerate();
        let places: HashMap<Arc<Path>, usize> =
            places.map(|(at, it)| (Arc::clone(&it.path), at)).collect();
        for change in newer.changes {
            match places
                .get(&change.path)
                .and_then(|&at| older.changes.get_mut(at))
            {
                Some(known) => *known = change,
                None => older.changes.push(change),
            }
        }
        older.stays |= older.replies.is_empty() || newer.stays || newer.replies.is_empty();
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
            && !self.stays
            && !self.replies.is_empty()
            && self.replies.iter().all(Reply::is_cancelled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn command() -> (
        Request,
        oneshot::Receiver<Result<Answer, super::super::event::RequestError>>,
    ) {
        let (sender, receiver) = oneshot::channel();
        let request = Request {
            replies: vec![Reply(sender)],
            ..Request::default()
        };
        (request, receiver)
    }

    #[test]
    fn a_withdrawn_command_takes_nothing_with_it_that_nobody_withdrew() {
        let (alone, receiver) = command();
        assert!(!alone.is_withdrawn());
        drop(receiver);
        assert!(alone.is_withdrawn());
        let startup = Request {
            force: Force::Startup,
            ..Request::default()
        };
        let both = Request::merge(startup, alone);
        assert!(!both.is_withdrawn());
        let (third, receiver) = command();
        drop(receiver);
        assert!(!Request::merge(both, third).is_withdrawn());
    }
}
