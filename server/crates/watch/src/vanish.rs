//! Vanish: looks a second time before a missing path counts as removed.
//!
//! Many editors save by moving the old file away and writing a new one; for a moment there is none.
//! Must stay true: a path that vanished and was not seen again falls due exactly once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Paths that were missing when looked at.
#[derive(Debug)]
pub(crate) struct Vanished {
    after: Duration,
    pending: HashMap<PathBuf, Missing>,
}

#[derive(Debug)]
struct Missing {
    due: Instant,
    moved_to: Option<PathBuf>,
}

/// A path whose second look is due.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) path: PathBuf,
    /// Where a rename took it, if one did.
    pub(crate) moved_to: Option<PathBuf>,
}

impl Vanished {
    /// Looks again `after` the first miss.
    pub(crate) fn new(after: Duration) -> Self {
        Self {
            after,
            pending: HashMap::new(),
        }
    }

    /// The path is missing. Missing it again does not put off the second look.
    pub(crate) fn missed(&mut self, now: Instant, path: &Path) {
        let due = now + self.after;
        self.pending.entry(path.to_path_buf()).or_insert(Missing {
            due,
            moved_to: None,
        });
    }

    /// The path is missing because it was renamed.
    pub(crate) fn moved(&mut self, now: Instant, from: &Path, to: &Path) {
        self.missed(now, from);
        if let Some(missing) = self.pending.get_mut(from) {
            missing.moved_to = Some(to.to_path_buf());
        }
    }

    /// The path is there: no second look needed. Tells whether one was planned.
    pub(crate) fn seen(&mut self, path: &Path) -> bool {
        self.pending.remove(path).is_some()
    }

    /// When to look next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.pending.values().map(|missing| missing.due).min()
    }

    /// Takes the paths whose second look is due, sorted: a directory comes before what was in it.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Due> {
        let mut due: Vec<Due> = self
            .pending
            .extract_if(|_, missing| missing.due <= now)
            .map(|(path, missing)| Due {
                path,
                moved_to: missing.moved_to,
            })
            .collect();
        due.sort();
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AFTER: Duration = Duration::from_millis(30);

    fn due(path: &str) -> Due {
        Due {
            path: path.into(),
            moved_to: None,
        }
    }

    #[test]
    fn a_missing_path_falls_due_once_and_not_early() {
        let (mut vanished, now) = (Vanished::new(AFTER), Instant::now());
        vanished.missed(now, Path::new("/a"));
        vanished.missed(now + AFTER / 2, Path::new("/a"));
        assert_eq!(vanished.next(), Some(now + AFTER));
        assert_eq!(
            vanished.take_due(now + AFTER - Duration::from_nanos(1)),
            vec![]
        );
        assert_eq!(vanished.take_due(now + AFTER), vec![due("/a")]);
        assert_eq!(vanished.take_due(now + AFTER * 9), vec![]);
        assert_eq!(vanished.next(), None);
    }

    #[test]
    fn a_path_that_is_back_in_time_never_falls_due() {
        let (mut vanished, now) = (Vanished::new(AFTER), Instant::now());
        vanished.missed(now, Path::new("/a"));
        assert!(vanished.seen(Path::new("/a")));
        assert!(!vanished.seen(Path::new("/a")));
        assert_eq!(vanished.take_due(now + AFTER * 9), vec![]);
    }

    #[test]
    fn a_rename_is_remembered_whichever_report_came_first() {
        let (mut vanished, now) = (Vanished::new(AFTER), Instant::now());
        vanished.missed(now, Path::new("/a"));
        vanished.moved(now, Path::new("/a"), Path::new("/b"));
        let moved = Due {
            path: "/a".into(),
            moved_to: Some("/b".into()),
        };
        assert_eq!(vanished.take_due(now + AFTER), vec![moved]);
    }

    proptest! {
        /// Against the naive model: the last of missed/seen decides, and the time of the first miss since.
        #[test]
        fn each_miss_ends_in_exactly_one_due_or_one_seen(steps in prop::collection::vec((0u8..4, any::<bool>(), 0u64..40), 0..60)) {
            let mut vanished = Vanished::new(AFTER);
            let mut now = Instant::now();
            let mut open: HashMap<PathBuf, Instant> = HashMap::new();
            for (file, is_there, wait_ms) in steps {
                now += Duration::from_millis(wait_ms);
                let mut expected: Vec<PathBuf> = open.iter().filter(|(_, at)| **at + AFTER <= now).map(|(path, _)| path.clone()).collect();
                expected.sort();
                let taken: Vec<PathBuf> = vanished.take_due(now).into_iter().map(|it| it.path).collect();
                prop_assert_eq!(&taken, &expected);
                open.retain(|path, _| !expected.contains(path));
                let path = PathBuf::from(format!("/{file}"));
                if is_there {
                    prop_assert_eq!(vanished.seen(&path), open.remove(&path).is_some());
                } else {
                    vanished.missed(now, &path);
                    open.entry(path).or_insert(now);
                }
            }
            prop_assert_eq!(vanished.next().is_some(), !open.is_empty());
        }
    }
}
