//! The pool: work that would hold up the main loop, and what comes back from it.
//!
//! Jobs get everything they need by value and return one [`JobDone`]; they never touch the loop's state. A job that
//! panics is logged and answered like any other, so that nothing waits for it for ever.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    thread,
};

use crossbeam_channel::{Sender, unbounded};
use hotsave_engine::{
    change::{Change, Content, Source},
    generation::Generation,
    problem::Problem,
    text::SourceText,
};

use super::indexing::Indexed;

/// What a finished job hands to the loop.
#[expect(
    missing_docs,
    reason = "the fields say what they are; each variant says when"
)]
pub enum JobDone {
    /// The project's Lua files were read and indexed.
    Indexed {
        domain: u32,
        job: u64,
        indexed: Box<Indexed>,
    },
    /// Files that a watcher named were read.
    Read { domain: u32, changes: Vec<Change> },
    /// A file that is not open was checked.
    Checked {
        domain: u32,
        path: Arc<Path>,
        generation: Generation,
        problems: Vec<Problem>,
    },
    /// A job panicked; the text says which.
    Panicked { domain: u32, what: &'static str },
}

impl JobDone {
    /// The domain it was done for.
    #[must_use]
    pub const fn domain(&self) -> u32 {
        match self {
            Self::Indexed { domain, .. }
            | Self::Read { domain, .. }
            | Self::Checked { domain, .. }
            | Self::Panicked { domain, .. } => *domain,
        }
    }
}

type Job = Box<dyn FnOnce() -> JobDone + Send>;

/// Threads that run jobs; they end when the pool is dropped and their queue is empty.
pub struct Pool {
    jobs: Sender<(u32, &'static str, Job)>,
}

impl Pool {
    /// Starts min(4, cores) threads that report to `done`.
    #[must_use]
    pub fn new(done: &Sender<JobDone>) -> Self {
        let (jobs, queue) = unbounded::<(u32, &'static str, Job)>();
        let n_threads = thread::available_parallelism()
            .map_or(2, usize::from)
            .min(4);
        for _ in 0..n_threads {
            let (queue, done) = (queue.clone(), done.clone());
            thread::spawn(move || {
                for (domain, what, job) in queue {
                    let result = catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| {
                        tracing::error!("job panicked: {what}");
                        JobDone::Panicked { domain, what }
                    });
                    if done.send(result).is_err() {
                        return;
                    }
                }
            });
        }
        Self { jobs }
    }

    /// Queues `job`; `what` names it in the log if it panics.
    pub fn run(
        &self,
        domain: u32,
        what: &'static str,
        job: impl FnOnce() -> JobDone + Send + 'static,
    ) {
        let _ = self.jobs.send((domain, what, Box::new(job)));
    }
}

/// Reads what a file holds now: its text, or that it is gone. A directory and an unreadable file count as gone; the
/// latter is logged.
#[must_use]
pub fn read_change(path: &Arc<Path>, source: Source) -> Change {
    let content = match std::fs::read(path) {
        Ok(bytes) => Content::Text(SourceText::new(bytes)),
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!("cannot read {}: {error}", path.display());
            }
            Content::Removed
        }
    };
    Change {
        path: Arc::clone(path),
        content,
        source,
    }
}
