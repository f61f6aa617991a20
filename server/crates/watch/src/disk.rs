//! Disk: the real watcher, one thread that owns everything.
//!
//! Callers only post to it and never wait. It sleeps until the system reports something or a second look is due, so an
//! idle project costs nothing. Nothing is held back to collect a burst: what has arrived by the time it is looked at
//! goes out together.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::{
    backend::{Backend, Notify, PollOnly, Signal, Watches},
    event::{Watch, WatchEvent, WatchRoot},
    root::Root,
};

/// How many inputs are looked at before a report goes out.
const MOST_AT_ONCE: usize = 4096;

/// How to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// By the system's reports, or by looking.
    pub mode: Mode,
    /// How long a path may be missing before it counts as removed. Shorter than the watcher's settle window, so that
    /// the two halves of a rename are one change set.
    pub recheck_after: Duration,
    /// How often to look where the system does not report.
    pub poll_every: Duration,
}

/// Where the knowledge of a change comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The system reports; what it refuses to watch is polled, with a `Degraded`.
    System,
    /// Everything is polled, for network drives and shared folders on which nothing is reported.
    Poll,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::System,
            recheck_after: Duration::from_millis(30),
            poll_every: Duration::from_millis(500),
        }
    }
}

/// Why there is no watcher at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system gives no thread.
    #[error("cannot start the watcher's thread")]
    Thread(#[source] io::Error),
}

/// Watches the disk until it is dropped, or until nobody listens to its events.
#[derive(Debug)]
pub struct DiskWatch {
    inputs: Sender<Input>,
}

#[derive(Debug)]
enum Input {
    Signal(Signal),
    Add(WatchRoot),
    Remove(PathBuf),
    Stop,
}

impl DiskWatch {
    /// Starts the watcher's thread; reports go to `events`.
    ///
    /// *Errors*: only [`Error::Thread`]. A system that gives no watcher is a `Degraded` with each root.
    pub fn new(events: Sender<WatchEvent>, options: Options) -> Result<Self, Error> {
        Self::start(events, options, |inputs, mode| {
            let on_signal = move |signal| _ = inputs.send(Input::Signal(signal));
            match mode {
                Mode::Poll => Box::new(PollOnly { why: None }),
                Mode::System => match Notify::new(on_signal) {
                    Ok(notify) => Box::new(notify),
                    Err(why) => Box::new(PollOnly { why: Some(why) }),
                },
            }
        })
    }

    fn start(
        events: Sender<WatchEvent>,
        options: Options,
        backend: impl FnOnce(Sender<Input>, Mode) -> Box<dyn Backend> + Send + 'static,
    ) -> Result<Self, Error> {
        let (sender, inputs) = unbounded();
        let to_backend = sender.clone();
        let worker = move || {
            Worker {
                watches: Watches::new(backend(to_backend, options.mode)),
                roots: Vec::new(),
                options,
                inputs,
                events,
            }
            .run();
        };
        thread::Builder::new()
            .name("hotsave-watch".into())
            .spawn(worker)
            .map_err(Error::Thread)?;
        Ok(Self { inputs: sender })
    }

    /// The thread outlives nobody: if it has ended, there is nobody to tell.
    fn post(&self, input: Input) {
        if self.inputs.send(input).is_err() {
            tracing::debug!("the watcher has ended");
        }
    }
}

impl Watch for DiskWatch {
    fn add_root(&mut self, root: WatchRoot) {
        self.post(Input::Add(root));
    }

    fn remove_root(&mut self, path: &Path) {
        self.post(Input::Remove(path.to_path_buf()));
    }
}

impl Drop for DiskWatch {
    fn drop(&mut self) {
        self.post(Input::Stop);
    }
}

struct Worker {
    watches: Watches,
    roots: Vec<Root>,
    options: Options,
    inputs: Receiver<Input>,
    events: Sender<WatchEvent>,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

impl Worker {
    fn run(mut self) {
        while self.step() == Flow::On {}
    }

    fn step(&mut self) -> Flow {
        let next_tick = self.roots.iter().filter_map(Root::next_tick).min();
        let first = match next_tick {
            Some(at) => self.inputs.recv_deadline(at),
            None => self
                .inputs
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        let mut batch = match first {
            Ok(input) => vec![input],
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return Flow::Stop,
        };
        batch.extend(self.inputs.try_iter().take(MOST_AT_ONCE));

        // One loss is as bad as ten, and answered once, after the rest.
        let is_loss = |it: &Input| matches!(it, Input::Signal(Signal::Lost));
        if batch.iter().any(is_loss) {
            batch.retain(|it| !is_loss(it));
            batch.push(Input::Signal(Signal::Lost));
        }
        let now = Instant::now();
        for input in batch {
            if self.take(now, input) == Flow::Stop {
                return Flow::Stop;
            }
        }
        for root in &mut self.roots {
            root.tick(now, &mut self.watches);
            if root.flush(now, SystemTime::now(), &self.events).is_err() {
                return Flow::Stop;
            }
        }
        Flow::On
    }

    fn take(&mut self, now: Instant, input: Input) -> Flow {
        match input {
            Input::Signal(signal) => {
                for root in &mut self.roots {
                    root.apply(now, &signal, &mut self.watches);
                }
            }
            Input::Add(spec) => {
                self.remove(&spec.path);
                let root = Root::open(spec, &self.options, now, &mut self.watches);
                self.roots.push(root);
            }
            Input::Remove(path) => self.remove(&path),
            Input::Stop => return Flow::Stop,
        }
        Flow::On
    }

    fn remove(&mut self, path: &Path) {
        for mut root in self.roots.extract_if(.., |it| *it.path == *path) {
            root.close(&mut self.watches);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;
    use crate::{
        backend::Refused,
        event::{Cause, Kind},
    };

    const PATIENCE: Duration = Duration::from_secs(20);

    /// The system with a limit of its own, which a test can raise.
    struct Limited {
        notify: Notify,
        limit: Arc<AtomicUsize>,
        watched: BTreeSet<PathBuf>,
    }

    impl Backend for Limited {
        fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
            let is_full = self.limit.load(Ordering::SeqCst) <= self.watched.len();
            if is_full && !self.watched.contains(directory) {
                let why = Some("the limit is reached; raise it".to_owned());
                return Err(Refused::Poll { why });
            }
            self.notify.watch(directory)?;
            self.watched.insert(directory.to_path_buf());
            Ok(())
        }

        fn unwatch(&mut self, directory: &Path) {
            self.watched.remove(directory);
            self.notify.unwatch(directory);
        }

        fn covers_subtrees(&self) -> bool {
            false
        }
    }

    struct Fixture {
        root: tempfile::TempDir,
        watch: DiskWatch,
        limit: Arc<AtomicUsize>,
        events: Receiver<WatchEvent>,
    }

    /// Three directories, each with a file, under a system that watches `limit` of them.
    fn fixture(limit: usize) -> Fixture {
        let root = tempfile::tempdir().unwrap();
        for directory in ["a", "b/c"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
            fs::write(root.path().join(directory).join("m.lua"), "return 0").unwrap();
        }
        let limit = Arc::new(AtomicUsize::new(limit));
        let (sender, events) = unbounded();
        let options = Options {
            poll_every: Duration::from_millis(10),
            ..Options::default()
        };
        let backend_limit = Arc::clone(&limit);
        let backend = move |inputs: Sender<Input>, _| -> Box<dyn Backend> {
            let on_signal = move |signal| _ = inputs.send(Input::Signal(signal));
            Box::new(Limited {
                notify: Notify::new(on_signal).unwrap(),
                limit: backend_limit,
                watched: BTreeSet::new(),
            })
        };
        let mut watch = DiskWatch::start(sender, options, backend).unwrap();
        watch.add_root(WatchRoot {
            path: root.path().to_path_buf(),
            ignore: Vec::new(),
        });
        Fixture {
            root,
            watch,
            limit,
            events,
        }
    }

    impl Fixture {
        /// All kinds up to the first that `is_last`.
        fn until(&self, is_last: impl Fn(&Kind) -> bool) -> Vec<Kind> {
            let mut kinds = Vec::new();
            while !kinds.last().is_some_and(&is_last) {
                kinds.push(self.events.recv_timeout(PATIENCE).unwrap().kind);
            }
            kinds
        }

        /// Writes a file and waits for the report.
        fn write(&self, name: &str, text: &str) -> Vec<Kind> {
            let file = self.root.path().join(name);
            fs::write(&file, text).unwrap();
            self.until(|kind| matches!(kind, Kind::Changed { paths } if paths.contains(&file)))
        }
    }

    fn is_ready(kind: &Kind) -> bool {
        matches!(kind, Kind::Ready { .. })
    }

    #[test]
    fn what_the_system_refuses_is_polled_with_one_warning_that_names_the_remedy() {
        let fixture = fixture(2);
        let kinds = fixture.until(is_ready);
        let [Kind::Degraded { message }, Kind::Ready { files }] = kinds.as_slice() else {
            panic!("{kinds:?}");
        };
        assert!(
            message.contains("every 10 ms: the limit is reached; raise it"),
            "{message}"
        );
        assert_eq!(files.len(), 2);
        for name in ["a/m.lua", "b/c/m.lua", "b/c/new.lua", "b/new.lua"] {
            let kinds = fixture.write(name, "return 'longer than before'");
            assert!(
                !kinds.iter().any(|it| matches!(it, Kind::Degraded { .. })),
                "said again"
            );
        }
    }

    #[test]
    fn a_raised_limit_ends_the_polling_and_loses_nothing() {
        let fixture = fixture(1);
        fixture.until(is_ready);
        fixture.limit.store(usize::MAX, Ordering::SeqCst);
        fixture.until(|kind| *kind == Kind::Recovered);
        fixture.write("b/c/m.lua", "return 'watched now'");
    }

    #[test]
    fn lost_reports_are_one_rescan_and_watching_goes_on() {
        let fixture = fixture(usize::MAX);
        fixture.until(is_ready);
        let lost = || fixture.watch.post(Input::Signal(Signal::Lost));
        lost();
        let rescan = Kind::Rescan {
            directory: fixture.root.path().to_path_buf(),
            because: Cause::Lost,
        };
        let kinds = fixture.until(|kind| *kind == rescan);
        assert_eq!(kinds, [rescan]);
        fixture.write("b/c/m.lua", "return 1");
    }

    #[test]
    fn without_any_watcher_the_message_says_why() {
        let (sender, events) = unbounded();
        let backend = |_, _| -> Box<dyn Backend> {
            Box::new(PollOnly {
                why: Some("cannot start inotify".into()),
            })
        };
        let mut watch = DiskWatch::start(sender, Options::default(), backend).unwrap();
        let root = tempfile::tempdir().unwrap();
        watch.add_root(WatchRoot {
            path: root.path().into(),
            ignore: Vec::new(),
        });
        let Kind::Degraded { message } = events.recv_timeout(PATIENCE).unwrap().kind else {
            panic!("no warning");
        };
        assert!(
            message.ends_with("every 500 ms: cannot start inotify"),
            "{message}"
        );
    }
}
