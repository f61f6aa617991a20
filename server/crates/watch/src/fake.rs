//! Fake: a watcher for other crates' tests that reports what the test says and touches no disk.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crossbeam_channel::Sender;
use hotsave_engine::change::Source;

use crate::event::{Kind, Watch, WatchEvent, WatchRoot};

/// Clones are handles on the same fake: give one away and keep one to speak through.
#[derive(Clone, Debug)]
pub struct FakeWatch {
    events: Sender<WatchEvent>,
    roots: Arc<Mutex<Vec<WatchRoot>>>,
}

impl FakeWatch {
    /// Reports go to `events`.
    #[must_use]
    pub fn new(events: Sender<WatchEvent>) -> Self {
        Self {
            events,
            roots: Arc::default(),
        }
    }

    /// The roots that are watched now, in the order in which they were added.
    #[must_use]
    pub fn roots(&self) -> Vec<WatchRoot> {
        self.lock().clone()
    }

    /// Reports `kind` for each watched root that `path` lies in, as the real one would.
    pub fn tell(&self, path: &Path, source: Source, kind: &Kind) {
        for root in self
            .roots()
            .into_iter()
            .filter(|it| path.starts_with(&it.path))
        {
            let event = WatchEvent {
                root: root.path.into(),
                source,
                kind: kind.clone(),
            };
            if self.events.send(event).is_err() {
                tracing::debug!("nobody listens to the fake watcher");
            }
        }
    }

    /// Reports that one file changed.
    pub fn change(&self, path: impl Into<PathBuf>) {
        let path = path.into();
        let kind = Kind::Changed {
            paths: vec![path.clone()],
        };
        self.tell(&path, Source::Watcher, &kind);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<WatchRoot>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for FakeWatch {
    fn add_root(&mut self, root: WatchRoot) {
        let mut roots = self.lock();
        roots.retain(|it| it.path != root.path);
        roots.push(root);
    }

    fn remove_root(&mut self, path: &Path) {
        self.lock().retain(|it| it.path != path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_go_to_the_roots_that_hold_the_path() {
        let (events, reports) = crossbeam_channel::unbounded();
        let fake = FakeWatch::new(events);
        let mut given_away: Box<dyn Watch> = Box::new(fake.clone());
        for path in ["/a", "/b"] {
            given_away.add_root(WatchRoot {
                path: path.into(),
                ignore: Vec::new(),
            });
        }
        fake.change("/a/x.lua");
        given_away.remove_root(Path::new("/b"));
        fake.change("/b/x.lua");
        let roots: Vec<_> = reports.try_iter().map(|it| it.root).collect();
        assert_eq!(roots, [Arc::from(Path::new("/a"))]);
    }
}
