//! Backend: the operating system's watches, behind a seam.
//!
//! On Linux a watch covers one directory and not those below, which keeps ignored folders out of the system's budget;
//! elsewhere one watch covers a whole root. Directories are watched, never files: a save that replaces the file would
//! leave a file's watch behind on the old one.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{
    Config, ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};

/// A hint that something happened; whoever gets it looks at the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Created, or moved here: a directory of this name is a new one.
    Appeared(PathBuf),
    /// Written to.
    Touched(PathBuf),
    /// Removed, or moved away.
    Left(PathBuf),
    /// Renamed; `Left` and `Appeared` were signaled before.
    Moved { from: PathBuf, to: PathBuf },
    /// Some signals are missing, nobody knows which.
    Lost,
}

/// Why a directory is not watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is not there (any more).
    Missing,
    /// It may not be read, so polling would not help.
    Denied,
    /// It has to be polled; `why` names cause and remedy, if there is anything to mend.
    Poll { why: Option<String> },
}

/// Something that watches single directories, or everything below them.
pub(crate) trait Backend: Send {
    /// Watching what is watched already is no error, and is needed when a directory was replaced.
    fn watch(&mut self, directory: &Path) -> Result<(), Refused>;
    fn unwatch(&mut self, directory: &Path);
    fn covers_subtrees(&self) -> bool;
}

/// Which roots need the watch on a directory; the last one to let go ends it.
pub(crate) struct Watches {
    backend: Box<dyn Backend>,
    holders: HashMap<PathBuf, Vec<Arc<Path>>>,
}

impl Watches {
    pub(crate) fn new(backend: Box<dyn Backend>) -> Self {
        Self {
            backend,
            holders: HashMap::new(),
        }
    }

    pub(crate) fn covers_subtrees(&self) -> bool {
        self.backend.covers_subtrees()
    }

    pub(crate) fn hold(&mut self, root: &Arc<Path>, directory: &Path) -> Result<(), Refused> {
        self.backend.watch(directory)?;
        let holders = self.holders.entry(directory.to_path_buf()).or_default();
        if !holders.contains(root) {
            holders.push(Arc::clone(root));
        }
        Ok(())
    }

    pub(crate) fn release(&mut self, root: &Arc<Path>, directory: &Path) {
        let Some(holders) = self.holders.get_mut(directory) else {
            return;
        };
        holders.retain(|it| it != root);
        if holders.is_empty() {
            self.holders.remove(directory);
            self.backend.unwatch(directory);
        }
    }
}

/// The real one.
pub(crate) struct Notify {
    watcher: RecommendedWatcher,
}

impl Notify {
    /// `on_signal` is called on the backend's own thread.
    ///
    /// *Errors*: what to tell the user when the system gives no watcher at all.
    pub(crate) fn new(on_signal: impl Fn(Signal) + Send + 'static) -> Result<Self, String> {
        let handler = move |event: notify::Result<notify::Event>| match event {
            Ok(event) => signals(event).into_iter().for_each(&on_signal),
            Err(error) => {
                tracing::warn!(%error, "the watcher failed to report something");
                on_signal(Signal::Lost);
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        match RecommendedWatcher::new(handler, config) {
            Ok(watcher) => Ok(Self { watcher }),
            Err(error) if cfg!(target_os = "linux") => Err(format!(
                "cannot start inotify ({error}); raise its limit with `sudo sysctl fs.inotify.max_user_instances=1024`"
            )),
            Err(error) => Err(format!("cannot start the file watcher ({error})")),
        }
    }
}

impl Backend for Notify {
    fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
        let mode = if self.covers_subtrees() {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        self.watcher.watch(directory, mode).map_err(|error| match error.kind {
            ErrorKind::PathNotFound => Refused::Missing,
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound => Refused::Missing,
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => Refused::Denied,
            ErrorKind::MaxFilesWatch => Refused::Poll {
                why: Some("the inotify watch limit is reached; raise it with `sudo sysctl fs.inotify.max_user_watches=1048576`".into()),
            },
            kind => Refused::Poll {
                why: Some(format!("the system refuses to watch {} ({kind:?})", directory.display())),
            },
        })
    }

    fn unwatch(&mut self, directory: &Path) {
        // A removed directory took its watch along.
        if let Err(error) = self.watcher.unwatch(directory) {
            tracing::trace!(%error, "nothing to unwatch");
        }
    }

    fn covers_subtrees(&self) -> bool {
        !cfg!(any(target_os = "linux", target_os = "android"))
    }
}

/// Watches nothing, so that everything is polled.
pub(crate) struct PollOnly {
    pub(crate) why: Option<String>,
}

impl Backend for PollOnly {
    fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
        if directory.is_dir() {
            Err(Refused::Poll {
                why: self.why.clone(),
            })
        } else {
            Err(Refused::Missing)
        }
    }

    fn unwatch(&mut self, _directory: &Path) {}

    fn covers_subtrees(&self) -> bool {
        false
    }
}

/// What one event of the system means here; reading a file means nothing, and is most of the traffic.
fn signals(event: notify::Event) -> Vec<Signal> {
    if event.need_rescan() {
        return vec![Signal::Lost];
    }
    let signal: fn(PathBuf) -> Signal = match event.kind {
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
            return match <[PathBuf; 2]>::try_from(event.paths) {
                Ok([from, to]) => vec![Signal::Moved { from, to }],
                Err(paths) => paths.into_iter().map(Signal::Appeared).collect(),
            };
        }
        // Closing after writing matters: a memory-mapped write is seen by nothing else.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Signal::Touched,
        EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => {
            Signal::Left
        }
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Create(_) => Signal::Appeared,
        // Permissions included: a file may have become readable.
        EventKind::Modify(_) => Signal::Touched,
        EventKind::Any | EventKind::Other => Signal::Appeared,
    };
    event.paths.into_iter().map(signal).collect()
}

#[cfg(test)]
mod tests {
    use notify::{
        Event,
        event::{CreateKind, Flag},
    };

    use super::*;

    #[test]
    fn a_full_queue_is_a_loss_whatever_else_the_event_says() {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(signals(event), vec![Signal::Lost]);
    }

    #[test]
    fn reading_signals_nothing() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert_eq!(signals(Event::new(open).add_path("/a".into())), vec![]);
        let create = EventKind::Create(CreateKind::File);
        assert_eq!(
            signals(Event::new(create).add_path("/a".into())),
            vec![Signal::Appeared("/a".into())]
        );
    }

    #[test]
    fn a_watch_ends_when_its_last_holder_lets_go() {
        let (calls, log) = crossbeam_channel::unbounded();
        struct Logged(crossbeam_channel::Sender<String>);
        impl Backend for Logged {
            fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
                self.0
                    .send(format!("watch {}", directory.display()))
                    .unwrap();
                Ok(())
            }
            fn unwatch(&mut self, directory: &Path) {
                self.0
                    .send(format!("unwatch {}", directory.display()))
                    .unwrap();
            }
            fn covers_subtrees(&self) -> bool {
                false
            }
        }
        let mut watches = Watches::new(Box::new(Logged(calls)));
        let (outer, inner): (Arc<Path>, Arc<Path>) =
            (Path::new("/a").into(), Path::new("/a/b").into());
        let shared = Path::new("/a/b");
        watches.hold(&outer, shared).unwrap();
        watches.hold(&inner, shared).unwrap();
        watches.hold(&inner, shared).unwrap();
        watches.release(&inner, shared);
        watches.release(&inner, shared);
        assert_eq!(log.try_iter().filter(|it| it.starts_with("un")).count(), 0);
        watches.release(&outer, shared);
        assert_eq!(log.try_iter().collect::<Vec<_>>(), ["unwatch /a/b"]);
    }
}
