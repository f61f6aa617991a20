//! Settling: decides when a burst of changes is over.
//!
//! Knows no file, no editor and no clock: `now` is an argument, so a test plays a day in a microsecond.
//! Must stay true: a change once pushed comes out in exactly one set (or is replaced by a later change of its path), and
//! unless paused never later than the limit of its source.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::change::{Change, Source};

/// How long a source must be quiet, and the longest it may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Time without a further change of this source; zero settles at once.
    pub quiet: Duration,
    /// Time after the set's first change of this source.
    pub limit: Duration,
}

impl Window {
    /// A window of these milliseconds.
    #[must_use]
    pub const fn from_ms(quiet_ms: u64, limit_ms: u64) -> Self {
        Self {
            quiet: Duration::from_millis(quiet_ms),
            limit: Duration::from_millis(limit_ms),
        }
    }
}

/// The `[settle]` table (design, sections 3 and 6); a command has no window, it settles at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// `save_ms`, `save_max_ms`.
    pub save: Window,
    /// `watch_ms`, `watch_max_ms`.
    pub watch: Window,
    /// `bulk_ms`, `bulk_max_ms`.
    pub bulk: Window,
}

impl Windows {
    /// Everything settles at once: each change is a set of its own.
    pub const NONE: Self = Self {
        save: Window::from_ms(0, 0),
        watch: Window::from_ms(0, 0),
        bulk: Window::from_ms(0, 0),
    };

    /// The window of a source.
    #[must_use]
    pub const fn of(&self, source: Source) -> Window {
        match source {
            Source::Save => self.save,
            Source::Watcher => self.watch,
            Source::Bulk => self.bulk,
            Source::Command => Window::from_ms(0, 0),
        }
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            save: Window::from_ms(20, 200),
            watch: Window::from_ms(50, 500),
            bulk: Window::from_ms(250, 5000),
        }
    }
}

/// A burst that is over: the changes of one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// One per path, in the order in which the paths first came.
    pub changes: Vec<Change>,
    /// What it counts as: a command before a save before a watcher, whoever came first.
    pub source: Source,
}

/// Collects changes until their burst is over.
#[derive(Debug, Default)]
pub struct Settler {
    windows: Windows,
    changes: Vec<Change>,
    places: HashMap<Arc<Path>, usize>,
    bursts: Vec<Burst>,
    is_paused: bool,
}

/// What one source contributed to the pending set.
#[derive(Clone, Copy, Debug)]
struct Burst {
    source: Source,
    first: Instant,
    last: Instant,
}

impl Settler {
    /// Nothing pending, not paused.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self {
            windows,
            ..Self::default()
        }
    }

    /// Other windows from now on, for what is pending too.
    pub fn set_windows(&mut self, windows: Windows) {
        self.windows = windows;
    }

    /// Adds a change; a later one of the same path replaces the earlier one but not the time it has waited.
    pub fn push(&mut self, now: Instant, change: Change) {
        self.mark(now, change.source);
        match self
            .places
            .get(&change.path)
            .and_then(|&place| self.changes.get_mut(place))
        {
            Some(earlier) => {
                let is_claimed = change.source == Source::Save;
                let teller = std::mem::replace(earlier, change).source;
                if is_claimed {
                    self.forget_watcher(teller);
                }
            }
            None => {
                self.places
                    .insert(Arc::clone(&change.path), self.changes.len());
                self.changes.push(change);
            }
        }
    }

    /// Takes a pending change back: the file is what it was before. Its source keeps the time it has waited.
    pub fn withdraw(&mut self, path: &Path) {
        let Some(place) = self.places.remove(path) else {
            return;
        };
        let source = self.changes.remove(place).source;
        for other in self.places.values_mut().filter(|it| **it > place) {
            *other -= 1;
        }
        if self.changes.iter().all(|it| it.source != source) {
            self.bursts.retain(|it| it.source != source);
        }
    }

    /// The editor tells of a save that a watcher was faster to tell of: the pending change counts as the editor's from
    /// now on, with the editor's window. Nothing happens if the path is not pending.
    pub fn claim(&mut self, now: Instant, path: &Path) {
        let pending = self
            .places
            .get(path)
            .and_then(|&place| self.changes.get_mut(place));
        let Some(change) = pending.filter(|it| matches!(it.source, Source::Watcher | Source::Bulk))
        else {
            return;
        };
        let teller = std::mem::replace(&mut change.source, Source::Save);
        self.forget_watcher(teller);
        self.mark(now, Source::Save);
    }

    /// The editor speaks for a file that `teller` told of: its window counts, not that of a watcher which may have seen
    /// the file half-written, unless other files wait for that one.
    fn forget_watcher(&mut self, teller: Source) {
        let is_watcher = matches!(teller, Source::Watcher | Source::Bulk);
        if is_watcher && self.changes.iter().all(|it| it.source != teller) {
            self.bursts.retain(|it| it.source != teller);
        }
    }

    /// Settles what is pending at once, because a person asked; nothing pending stays nothing.
    pub fn hasten(&mut self, now: Instant) {
        if !self.changes.is_empty() {
            self.mark(now, Source::Command);
        }
    }

    /// The moment at which [`Self::take`] will give a set, `None` if nothing is pending or it is paused.
    ///
    /// The latest end of quiet over all pending sources, but never beyond the earliest of their limits.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.is_paused {
            return None;
        }
        let command = self.bursts.iter().find(|it| it.source == Source::Command);
        if let Some(burst) = command {
            return Some(burst.first);
        }
        let quiet = self
            .bursts
            .iter()
            .map(|it| it.last + self.windows.of(it.source).quiet)
            .max()?;
        let limit = self
            .bursts
            .iter()
            .map(|it| it.first + self.windows.of(it.source).limit)
            .min()?;
        Some(quiet.min(limit))
    }

    /// The set, if its burst is over by `now`; the next change then begins a new one.
    #[must_use]
    pub fn take(&mut self, now: Instant) -> Option<ChangeSet> {
        if now < self.deadline()? {
            return None;
        }
        let sources = [Source::Command, Source::Save, Source::Watcher, Source::Bulk];
        let source = sources
            .into_iter()
            .find(|&source| self.bursts.iter().any(|it| it.source == source))?;
        self.bursts.clear();
        self.places.clear();
        let changes = std::mem::take(&mut self.changes);
        Some(ChangeSet { changes, source })
    }

    /// How many paths wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.changes.len()
    }

    /// Whether it only collects.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Collects without end until [`Self::resume`]; even a command waits. Returns whether this changed anything.
    pub fn pause(&mut self) -> bool {
        !std::mem::replace(&mut self.is_paused, true)
    }

    /// Goes on; all that was collected settles at once, as one set. Returns whether this changed anything.
    pub fn resume(&mut self, now: Instant) -> bool {
        let was_paused = std::mem::replace(&mut self.is_paused, false);
        if was_paused {
            self.hasten(now);
        }
        was_paused
    }

    fn mark(&mut self, now: Instant, source: Source) {
        match self.bursts.iter_mut().find(|it| it.source == source) {
            Some(burst) => burst.last = burst.last.max(now),
            None => self.bursts.push(Burst {
                source,
                first: now,
                last: now,
            }),
        }
    }
}
