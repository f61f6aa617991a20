//! Root: one watched folder, from the system's signals to the caller's events.
//!
//! A signal is only a hint: what is reported follows from what is on the disk when it is looked at.
//! Must stay true: a directory is watched before it is listed; what leaves the disk and is not back at the second look
//! is reported; the set of `directories` is what is watched or polled, without the ignored ones.

use std::{
    collections::BTreeSet,
    fs::{self, FileType},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{SendError, Sender};
use hotsave_engine::change::Source;

use crate::{
    backend::{Refused, Signal, Watches},
    crowd::Crowd,
    disk::Options,
    event::{Cause, Kind, WatchEvent, WatchRoot},
    ignore::Ignore,
    lock::{Locks, REPOSITORIES},
    poll::Polled,
    vanish::{Due, Vanished},
};

/// Polling takes at most one part in this many of the time.
const POLL_SHARE: u32 = 20;

pub(crate) struct Root {
    pub(crate) path: Arc<Path>,
    globs: Vec<String>,
    poll_every: Duration,
    ignore: Ignore,
    directories: BTreeSet<PathBuf>,
    polled: Polled,
    /// When to look at polled directories, or for a root that is not there.
    look_at: Instant,
    is_present: bool,
    vanished: Vanished,
    crowd: Crowd,
    locks: Locks,
    is_locked: bool,
    polling_because: Option<String>,
    /// What the last `Degraded` said, until `Recovered`.
    trouble: Option<String>,
    /// What is to be told at the next flush.
    kinds: Vec<Kind>,
    changed: BTreeSet<PathBuf>,
    /// Directories whose `.gitignore` changed; a save makes several signals, and one walk is enough.
    new_rules: BTreeSet<PathBuf>,
}

impl Root {
    /// Watches everything below the folder; the next flush tells `Ready`.
    pub(crate) fn open(
        spec: WatchRoot,
        options: &Options,
        now: Instant,
        watches: &mut Watches,
    ) -> Self {
        let mut root = Self {
            ignore: Ignore::new(&spec.path, &spec.ignore),
            path: spec.path.into(),
            globs: spec.ignore,
            poll_every: options.poll_every,
            directories: BTreeSet::new(),
            polled: Polled::default(),
            look_at: now,
            is_present: false,
            vanished: Vanished::new(options.recheck_after),
            crowd: Crowd::default(),
            locks: Locks::default(),
            is_locked: false,
            polling_because: None,
            trouble: None,
            kinds: Vec::new(),
            changed: BTreeSet::new(),
            new_rules: BTreeSet::new(),
        };
        let files = root.enter(now, watches);
        root.kinds.push(Kind::Ready { files });
        root
    }

    /// Lets go of every watch.
    pub(crate) fn close(&mut self, watches: &mut Watches) {
        let path = Arc::clone(&self.path);
        self.release_below(&path, watches);
        for directory in self.locks.directories() {
            watches.release(&self.path, directory);
        }
        self.locks = Locks::default();
    }

    /// Looks at what a signal hints at; a signal about another root does nothing.
    pub(crate) fn apply(&mut self, now: Instant, signal: &Signal, watches: &mut Watches) {
        match signal {
            Signal::Lost => {
                let path = Arc::clone(&self.path);
                if self.is_present {
                    self.rescan(&path, Cause::Lost, watches);
                }
            }
            Signal::Moved { from, to } => {
                let (from, to) = (self.spelled(from), self.spelled(to));
                if self.directories.contains(&from) && !from.exists() {
                    self.vanished.moved(now, &from, &to);
                }
            }
            Signal::Left(path) => {
                let path = self.spelled(path);
                if self.directories.contains(&path) {
                    // Even if a directory of this name is there again, it is another one.
                    self.vanished.missed(now, &path);
                } else {
                    if path.is_dir() && !self.ignore.is_ignored(&path, false) {
                        self.changed.insert(path.clone()); // A directory took a file's place.
                    }
                    self.look(now, &path, watches);
                }
            }
            Signal::Touched(path) => {
                let path = self.spelled(path);
                self.look(now, &path, watches);
            }
            Signal::Appeared(path) => {
                let path = self.spelled(path);
                let is_replaced = self.directories.contains(&path)
                    && path != *self.path
                    && path.is_dir()
                    && self.vanished.seen(&path);
                if is_replaced {
                    self.rescan(&path, Cause::Replaced, watches);
                } else {
                    self.look(now, &path, watches);
                }
            }
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let needs_look = !self.is_present || !self.polled.is_empty();
        let look_at = needs_look.then_some(self.look_at);
        self.vanished.next().into_iter().chain(look_at).min()
    }

    /// Does what is due: second looks, new ignore rules, polling, looking for a root that is not there.
    pub(crate) fn tick(&mut self, now: Instant, watches: &mut Watches) {
        for due in self.vanished.take_due(now) {
            self.look_again(now, due, watches);
        }
        for directory in std::mem::take(&mut self.new_rules) {
            if self.directories.contains(&directory) {
                self.rescan(&directory, Cause::Rules, watches);
            }
        }
        if now < self.look_at {
            return;
        }
        if !self.is_present {
            self.look_at = now + self.poll_every;
            if self.path.is_dir() {
                self.enter(now, watches);
                self.push_rescan(&Arc::clone(&self.path), Cause::Replaced);
            }
        } else if !self.polled.is_empty() {
            self.poll(now, watches);
            let end = Instant::now();
            self.look_at = end + self.poll_every.max((end - now) * POLL_SHARE);
        }
    }

    /// Sends what there is to tell.
    ///
    /// *Errors*: nobody listens any more.
    pub(crate) fn flush(
        &mut self,
        now: Instant,
        clock: SystemTime,
        events: &Sender<WatchEvent>,
    ) -> Result<(), SendError<WatchEvent>> {
        let was_locked = self.is_locked;
        self.is_locked = self.locks.are_held(clock);
        let mut kinds = Vec::new();
        if self.is_locked && !was_locked {
            kinds.push(Kind::Lock { held: true });
        }
        let gone = self.kinds.iter().filter_map(|kind| match kind {
            Kind::Gone { directory, .. } => Some(directory.as_path()),
            _ => None,
        });
        let paths = self.changed.iter().map(PathBuf::as_path).chain(gone);
        let is_crowd = self.crowd.push(now, paths);
        let source = if is_crowd || self.is_locked || was_locked {
            Source::Bulk
        } else {
            Source::Watcher
        };
        kinds.append(&mut self.kinds);
        if !self.changed.is_empty() {
            let paths = std::mem::take(&mut self.changed).into_iter().collect();
            kinds.push(Kind::Changed { paths });
        }
        if was_locked && !self.is_locked {
            kinds.push(Kind::Lock { held: false });
        }
        for kind in kinds {
            let root = Arc::clone(&self.path);
            events.send(WatchEvent { root, source, kind })?;
        }
        Ok(())
    }

    /// Begins with the root as it is now on the disk; returns its files.
    fn enter(&mut self, now: Instant, watches: &mut Watches) -> Vec<PathBuf> {
        let path = Arc::clone(&self.path);
        self.is_present = path.is_dir();
        self.look_at = now + self.poll_every;
        if !self.is_present {
            self.tell_trouble();
            return Vec::new();
        }
        self.ignore = Ignore::new(&path, &self.globs);
        self.find_locks(watches);
        let files = self.adopt(&path, watches);
        self.tell_trouble();
        files
    }

    /// Looks at one path and reports what became of it.
    fn look(&mut self, now: Instant, path: &Path, watches: &mut Watches) {
        if !path.starts_with(&self.path) || path == &*self.path || self.locks.contains(path) {
            return;
        }
        if path
            .file_name()
            .is_some_and(|name| REPOSITORIES.iter().any(|it| name == *it))
        {
            self.find_locks(watches);
            return;
        }
        let was_directory = self.directories.contains(path);
        match fs::symlink_metadata(path).map(|it| it.file_type()) {
            Err(_) => {
                if !self.ignore.is_ignored(path, was_directory) {
                    self.vanished.missed(now, path);
                }
            }
            Ok(file_type) if file_type.is_dir() => {
                if !was_directory && !self.ignore.is_ignored(path, true) {
                    let files = self.adopt(path, watches);
                    files.iter().for_each(|file| _ = self.vanished.seen(file));
                    if self.vanished.seen(path) {
                        self.changed.insert(path.to_path_buf()); // A directory took a file's place.
                    }
                    self.changed.extend(files);
                    self.tell_trouble();
                }
            }
            Ok(file_type) => {
                if was_directory {
                    self.leave(path, None, watches);
                }
                if self.is_own_file(path, file_type) && !self.ignore.is_ignored(path, false) {
                    self.vanished.seen(path);
                    self.push_changed(path);
                }
            }
        }
    }

    /// The second look at a path that was missing.
    fn look_again(&mut self, now: Instant, Due { path, moved_to }: Due, watches: &mut Watches) {
        if path == *self.path {
            self.close(watches);
            self.enter(now, watches);
            if self.is_present {
                self.push_rescan(&path, Cause::Replaced);
            } else {
                self.kinds.push(Kind::Gone {
                    directory: path,
                    moved_to: None,
                });
            }
        } else if !self.directories.contains(&path) {
            if !self.ignore.is_ignored(&path, false) {
                self.push_changed(&path);
            }
        } else if path.is_dir() {
            self.rescan(&path, Cause::Replaced, watches);
        } else {
            let moved_to = moved_to.filter(|it| self.directories.contains(it));
            self.leave(&path, moved_to, watches);
        }
    }

    fn poll(&mut self, now: Instant, watches: &mut Watches) {
        let mut signals = Vec::new();
        // The limit may have been raised since.
        while let Some(directory) = self.polled.first().map(Path::to_path_buf) {
            if watches.hold(&self.path, &directory).is_err() {
                break;
            }
            signals.extend(self.polled.hand_over(&directory, &mut self.ignore));
        }
        signals.extend(self.polled.look(&mut self.ignore));
        for signal in signals {
            self.apply(now, &signal, watches);
        }
        self.tell_trouble();
    }

    /// Watches `directory` and everything below; returns the files there.
    fn adopt(&mut self, directory: &Path, watches: &mut Watches) -> Vec<PathBuf> {
        let (root, polled) = (Arc::clone(&self.path), &mut self.polled);
        let is_covered = watches.covers_subtrees();
        let (mut to_poll, mut denied) = (Vec::new(), Vec::new());
        let tree = self.ignore.walk_below(directory, |it| {
            if is_covered && it != &*root {
                return;
            }
            polled.remove(it);
            match watches.hold(&root, it) {
                Ok(()) | Err(Refused::Missing) => {}
                Err(Refused::Denied) => {
                    tracing::warn!(directory = %it.display(), "no permission to watch a folder");
                    denied.push(it.to_path_buf());
                }
                Err(Refused::Poll { why }) => to_poll.push((it.to_path_buf(), why)),
            }
        });
        self.directories.extend(tree.directories);
        // Unknown to us, so that it is adopted when its permissions change.
        denied.iter().for_each(|it| _ = self.directories.remove(it));
        let mut files = tree.files;
        for (directory, why) in to_poll {
            self.adopt_polled(directory, why, &mut files, watches);
        }
        files.sort_unstable();
        files.dedup();
        files
    }

    /// Polls one directory; adds what appeared in it since the walk.
    fn adopt_polled(
        &mut self,
        directory: PathBuf,
        why: Option<String>,
        files: &mut Vec<PathBuf>,
        watches: &mut Watches,
    ) {
        if let Some(why) = why {
            self.polling_because = Some(why);
        }
        for signal in self.polled.insert(directory, &mut self.ignore) {
            match signal {
                Signal::Touched(file) => files.push(file),
                Signal::Appeared(it) if !self.directories.contains(&it) => {
                    files.extend(self.adopt(&it, watches))
                }
                _ => {}
            }
        }
    }

    /// Watches anew below `directory`, ends what is no longer found there, and asks the receiver to compare.
    fn rescan(&mut self, directory: &Path, because: Cause, watches: &mut Watches) {
        let before: Vec<PathBuf> = self.below(directory).collect();
        for it in &before {
            self.directories.remove(it);
        }
        self.ignore.forget();
        self.adopt(directory, watches);
        for it in before {
            if !self.directories.contains(&it) {
                self.polled.remove(&it);
                watches.release(&self.path, &it);
            }
        }
        // What was changed a moment ago may be ignored now.
        let ignore = &mut self.ignore;
        self.changed.retain(|it| !ignore.is_ignored(it, false));
        self.tell_trouble();
        self.push_rescan(directory, because);
    }

    fn leave(&mut self, directory: &Path, moved_to: Option<PathBuf>, watches: &mut Watches) {
        self.release_below(directory, watches);
        let directory = directory.to_path_buf();
        self.kinds.push(Kind::Gone {
            directory,
            moved_to,
        });
    }

    fn release_below(&mut self, directory: &Path, watches: &mut Watches) {
        for it in self.below(directory).collect::<Vec<_>>() {
            self.directories.remove(&it);
            self.polled.remove(&it);
            watches.release(&self.path, &it);
        }
    }

    /// `directory` and what lies below; paths are ordered by component, so these are neighbors.
    fn below(&self, directory: &Path) -> impl Iterator<Item = PathBuf> {
        self.directories
            .range(directory.to_path_buf()..)
            .take_while(move |it| it.starts_with(directory))
            .cloned()
    }

    fn find_locks(&mut self, watches: &mut Watches) {
        let locks = Locks::find(&self.path);
        for directory in self.locks.directories() {
            watches.release(&self.path, directory);
        }
        for directory in locks.directories() {
            // Without the watch the lock is still noticed with the first change it allows.
            let is_covered = watches.covers_subtrees() && directory.starts_with(&self.path);
            if !is_covered && let Err(refused) = watches.hold(&self.path, directory) {
                tracing::debug!(directory = %directory.display(), ?refused, "a lock is not watched");
            }
        }
        self.locks = locks;
    }

    /// Tells what is wrong, if that is news.
    fn tell_trouble(&mut self) {
        let path = self.path.display();
        let trouble = if !self.is_present {
            Some(format!(
                "cannot watch {path}: no such folder; it is watched again as soon as it is there"
            ))
        } else if self.polled.is_empty() {
            None
        } else {
            let every = self.poll_every.as_millis();
            let because = self.polling_because.as_ref();
            because
                .map(|why| format!("folders in {path} are only looked at every {every} ms: {why}"))
        };
        if trouble == self.trouble {
            return;
        }
        self.kinds.push(match &trouble {
            Some(message) => Kind::Degraded {
                message: message.clone(),
            },
            None => Kind::Recovered,
        });
        self.trouble = trouble;
    }

    fn push_changed(&mut self, file: &Path) {
        self.changed.insert(file.to_path_buf());
        if file.file_name().is_some_and(|name| name == ".gitignore")
            && let Some(directory) = file.parent()
        {
            self.ignore.forget();
            self.new_rules.insert(directory.to_path_buf());
        }
    }

    fn push_rescan(&mut self, directory: &Path, because: Cause) {
        let directory = directory.to_path_buf();
        let rescan = Kind::Rescan { directory, because };
        if !self.kinds.contains(&rescan) {
            self.kinds.push(rescan);
        }
    }

    fn is_own_file(&self, path: &Path, file_type: FileType) -> bool {
        file_type.is_file() || file_type.is_symlink() && self.ignore.leads_to_own_file(path)
    }

    /// The path as the caller spells it: some systems report it with all symbolic links resolved.
    fn spelled(&self, path: &Path) -> PathBuf {
        if path.starts_with(&self.path) {
            return path.to_path_buf();
        }
        path.strip_prefix(&self.ignore.real_root)
            .map_or_else(|_| path.to_path_buf(), |below| self.path.join(below))
    }
}
