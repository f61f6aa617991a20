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
