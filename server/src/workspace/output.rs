//! Everything the main loop says, as one closed enum; the editor front end and the terminal each print it their way.
//!
//! Knows no LSP and assigns no `seq`: that is done where a message leaves.

use std::{path::Path, path::PathBuf, sync::Arc, time::Duration};

use hotsave_engine::{generation::Generation, outcome::Outcome, problem::Problem};
use hotsave_protocol as protocol;

/// What the loop tells its front end.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "the fields say what they are; each variant says when"
)]
pub enum Output {
    /// Settling ended and a reload began. Followed by exactly one [`Output::Finished`] of the same generation.
    Started(Started),
    /// A reload ended.
    Finished(Box<Finished>),
    /// All problems of one file, replacing what was shown for it; empty when the last one is gone.
    Problems(FileProblems),
    /// The state of a domain; only the newest matters.
    Status(Box<Status>),
    /// One line for a person, for clients that cannot show the status themselves.
    Message { level: Level, text: String },
    /// One line for the log.
    Log { level: Level, text: String },
    /// Code lenses of open files may read differently now.
    LensesChanged,
    /// The loop has ended.
    Ended { exit_code: u8 },
}

/// How much a line matters; the numbers of LSP's `MessageType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error = 1,
    /// Degraded.
    Warning = 2,
    /// Start and success.
    Info = 3,
    /// Program output and detail.
    Debug = 4,
}

/// Payload of `reloadStarted`.
#[derive(Clone, Debug)]
pub struct Started {
    /// The domain, as a folder URI.
    pub workspace: Arc<str>,
    /// Its new generation.
    pub generation: Generation,
    /// Who caused it.
    pub cause: protocol::Cause,
    /// The files that caused it, at most 100.
    pub trigger: Vec<Arc<Path>>,
    /// What kind of reload it is.
    pub kind: protocol::ReloadKind,
}

/// Payload of `reloadFinished`.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The domain, as a folder URI.
    pub workspace: Arc<str>,
    /// The generation of the matching start.
    pub generation: Generation,
    /// How it ended.
    pub outcome: Outcome,
    /// The reloaded units in dependency order.
    pub units: Vec<Unit>,
    /// Time since settling ended.
    pub duration: Duration,
}

/// One reloaded unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// Module name.
    pub name: String,
    /// Its file.
    pub path: Arc<Path>,
    /// The host it runs in.
    pub host: String,
    /// Slots whose live value stayed.
    pub kept: u64,
    /// Slots whose value came from the source.
    pub taken: u64,
    /// Slots where both disagreed.
    pub conflicts: u64,
    /// Time the host took for it.
    pub duration: Duration,
}

/// All problems of a file.
#[derive(Clone, Debug)]
pub struct FileProblems {
    /// The domain's folder URI.
    pub workspace: Arc<str>,
    /// The newest generation that produced one of them.
    pub generation: Generation,
    /// The file.
    pub path: Arc<Path>,
    /// The document's version, if the buffer still equals the text that was judged.
    pub version: Option<i32>,
    /// Errors first.
    pub problems: Vec<Problem>,
}

/// Payload of `status`, with paths instead of URIs.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The domain, as a folder URI.
    pub workspace: Arc<str>,
    /// The newest generation.
    pub generation: Generation,
    /// Health, computed here only (editors specification, section 1).
    pub health: protocol::Health,
    /// What it is doing.
    pub phase: protocol::Phase,
    /// The generation that runs.
    pub last_good: Generation,
    /// Files whose newest text was refused.
    pub failing: Vec<PathBuf>,
    /// Changes seen and not yet applied.
    pub pending: u64,
    /// Where units live.
    pub hosts: Vec<protocol::Host>,
    /// One line.
    pub message: Option<String>,
    /// Whether reloading is paused.
    pub paused: bool,
    /// Whether running things needs a permission that is missing.
    pub trust: Option<protocol::TrustState>,
}
