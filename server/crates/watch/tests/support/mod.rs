//! A folder with a watcher on it, and ways to wait for what the watcher tells.

#![allow(dead_code, reason = "each test program uses its own part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests that is not itself a test"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crossbeam_channel::{Receiver, unbounded};
use hotsave_watch::{DiskWatch, Ignore, Kind, Options, Watch, WatchEvent, WatchRoot};
use tempfile::TempDir;

/// Long enough for a busy machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A watched folder.
pub(crate) struct Bench {
    pub(crate) root: PathBuf,
    pub(crate) ready: Vec<PathBuf>,
    watch: DiskWatch,
    events: Receiver<WatchEvent>,
    _parent: Option<TempDir>,
}

/// Every write has a new content.
static N_WRITES: AtomicUsize = AtomicUsize::new(0);

/// A text that was never used before.
pub(crate) fn text() -> String {
    let number = N_WRITES.fetch_add(1, Ordering::Relaxed);
    format!("return {number}\n")
}

/// Writes a file with a content it never had, and the directories on the way to it.
pub(crate) fn write(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text()).unwrap();
}

impl Bench {
    /// A folder with these files (`name:content`, or any content), and a watcher that is ready.
    pub(crate) fn new(files: &[&str]) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("project");
        fs::create_dir(&root).unwrap();
        for file in files {
            match file.split_once(':') {
                Some((name, content)) => fs::write(root.join(name), content).unwrap(),
                None => write(&root.join(file)),
            }
        }
        Self::at(root, Some(parent), Options::default())
    }

    pub(crate) fn at(root: PathBuf, parent: Option<TempDir>, options: Options) -> Self {
        let (sender, events) = unbounded();
        let mut bench = Self {
            watch: DiskWatch::new(sender, options).unwrap(),
            root: root.clone(),
            ready: Vec::new(),
            events,
            _parent: parent,
        };
        bench.ready = bench.add(&root);
        bench
    }

    /// Watches one more root and waits until that is ready, skipping what comes before.
    pub(crate) fn add(&mut self, root: &Path) -> Vec<PathBuf> {
        self.watch.add_root(WatchRoot {
            path: root.to_path_buf(),
            ignore: Vec::new(),
        });
        loop {
            let event = self.next();
            if let Kind::Ready { files } = event.kind
                && *event.root == *root
            {
                return files;
            }
        }
    }

    pub(crate) fn remove(&mut self, root: &Path) {
        self.watch.remove_root(root);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn write(&self, name: &str) {
        write(&self.path(name));
    }

    pub(crate) fn walk(&self) -> Vec<PathBuf> {
        Ignore::new(&self.root, &[]).walk()
    }

    pub(crate) fn next(&self) -> WatchEvent {
        self.events
            .recv_timeout(PATIENCE)
            .expect("the watcher tells something")
    }

    /// The next event, if one comes within `wait`.
    pub(crate) fn next_within(&self, wait: Duration) -> Option<WatchEvent> {
        self.events.recv_timeout(wait).ok()
    }

    pub(crate) fn await_changed(&self, names: &[&str]) -> Vec<WatchEvent> {
        self.await_all(names, &[])
    }

    /// Waits until all these files were reported as changed, and all these kinds came; returns all that came.
    pub(crate) fn await_all(&self, names: &[&str], kinds: &[Kind]) -> Vec<WatchEvent> {
        let mut missing: BTreeSet<PathBuf> = names.iter().map(|it| self.path(it)).collect();
        let mut missing_kinds: Vec<&Kind> = kinds.iter().collect();
        let mut came = Vec::new();
        while !missing.is_empty() || !missing_kinds.is_empty() {
            let Ok(event) = self.events.recv_timeout(PATIENCE) else {
                panic!("never told: {missing:?} {missing_kinds:?}; told: {came:#?}");
            };
            missing_kinds.retain(|it| **it != event.kind);
            if let Kind::Changed { paths } = &event.kind {
                paths.iter().for_each(|it| _ = missing.remove(it));
            }
            came.push(event);
        }
        came
    }

    pub(crate) fn await_kind(&self, is_it: impl Fn(&Kind) -> bool) -> Vec<WatchEvent> {
        let mut came = Vec::new();
        loop {
            let event = self.next();
            let is_last = is_it(&event.kind);
            came.push(event);
            if is_last {
                return came;
            }
        }
    }

    /// The events until now: a last file is written, and all that comes before its report was told by now.
    pub(crate) fn until_now(&self) -> Vec<WatchEvent> {
        let number = N_WRITES.fetch_add(1, Ordering::Relaxed);
        let last = self.path(&format!("last-{number}"));
        write(&last);
        self.await_kind(|kind| matches!(kind, Kind::Changed { paths } if paths.contains(&last)))
    }

    /// The files reported until now.
    pub(crate) fn changed_until_now(&self) -> Vec<PathBuf> {
        let mut changed = BTreeSet::new();
        for event in self.until_now() {
            if let Kind::Changed { paths } = event.kind {
                changed.extend(paths);
            }
        }
        let is_last = |it: &Path| {
            it.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("last-"))
        };
        changed.into_iter().filter(|it| !is_last(it)).collect()
    }

    /// Drops the watcher; returns what came until its channel closed.
    pub(crate) fn stop(self) -> Vec<WatchEvent> {
        drop(self.watch);
        let mut came = Vec::new();
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(event) => came.push(event),
                Err(error) => {
                    assert!(error.is_disconnected(), "the watcher did not end");
                    return came;
                }
            }
        }
    }
}
