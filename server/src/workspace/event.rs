//! Everything that can happen to the main loop, as one closed enum.
//!
//! Knows no LSP: paths are normalized paths, requests carry a [`Reply`]. A virtual document (`untitled:` and the like)
//! has its URI text as a relative path and belongs to no domain.

use std::{fmt, path::Path, sync::Arc};

use hotsave_engine::{generation::Generation, outcome::Outcome};
use hotsave_protocol as protocol;
use hotsave_watch::WatchEvent;
use tokio::sync::oneshot;

use super::{jobs::JobDone, position::Encoding, settings::Settings};

/// What the loop is woken by; the order of the variants is the order in which ready sources are served.
pub enum Event {
    /// End everything that was started, then the loop.
    Stop(StopCause),
    /// A message of the editor or the terminal, with its arrival number (strictly rising).
    Editor(u64, EditorMessage),
    /// Something a Lua host said or did.
    Host(HostAddress, hotsave_lua::host::HostEvent),
    /// Files changed on disk.
    Watch(WatchEvent),
    /// A job of the pool is done.
    Job(JobDone),
}

/// Which host of which domain. A domain's next host numbers its processes anew, so that the last words of the one
/// before have to be told from its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The domain's number.
    pub domain: u32,
    /// How many hosts the domain had before.
    pub incarnation: u32,
}

/// Why the loop ends; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// `exit` after `shutdown`, Ctrl-C in a terminal: code 0.
    Asked,
    /// `exit` without `shutdown`, end of input, editor gone: code 1.
    Lost,
}

/// What `initialize` said, flattened to what the loop needs.
#[derive(Clone, Debug)]
pub struct Start {
    /// Workspace folders: normalized path and the URI as the client spells it.
    pub folders: Vec<Folder>,
    /// `initializationOptions.trust`; `None` lets the trust store decide.
    pub trust: Option<Trust>,
    /// The negotiated unit of columns in this connection.
    pub encoding: Encoding,
    /// Client settings from `initializationOptions`.
    pub settings: Settings,
    /// Whether the client reports file changes for the folders itself, so that no watcher of ours is needed there.
    pub client_watches: bool,
}

/// A workspace folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Normalized absolute path.
    pub path: Arc<Path>,
    /// The URI as the client spells it; used for everything sent back.
    pub uri: String,
}

/// What the editor says about running things in its folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Programs of the folder may run.
    Granted,
    /// They may not, whatever the store says.
    Denied,
}

/// One edit of `didChange`: a range in the negotiated encoding, or the whole text.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Start and end, `None` replaces everything.
    pub range: Option<(super::position::Position, super::position::Position)>,
    /// The new text.
    pub text: String,
}

/// A message of the client, already converted.
#[expect(missing_docs, reason = "the fields are named as in the LSP's messages")]
pub enum EditorMessage {
    /// `initialize` was accepted. Comes first.
    Start(Box<Start>),
    /// `initialized`: output may flow from here on.
    Ready,
    /// `didOpen`.
    Opened {
        path: Arc<Path>,
        uri: String,
        language: String,
        version: i32,
        text: String,
    },
    /// `didChange`.
    Changed {
        path: Arc<Path>,
        version: i32,
        edits: Vec<Edit>,
    },
    /// `willSave`; `manual` unless the client saved by itself (delay, focus lost).
    WillSave { path: Arc<Path>, manual: bool },
    /// `didSave`; without text the document, or the file, holds it.
    Saved {
        path: Arc<Path>,
        text: Option<String>,
    },
    /// `didClose`.
    Closed { path: Arc<Path> },
    /// `didChangeWatchedFiles`, `didCreateFiles`, `didRenameFiles`, `didDeleteFiles`: paths to look at again.
    FilesChanged { paths: Vec<Arc<Path>> },
    /// `didChangeWorkspaceFolders`.
    Folders {
        added: Vec<Folder>,
        removed: Vec<Arc<Path>>,
    },
    /// Client settings were read again.
    Settings(Box<Settings>),
    /// `workspace/executeCommand`.
    ///
    /// `path` is the argument's `uri`, normalized by the front end.
    Command {
        command: protocol::Command,
        path: Option<Arc<Path>>,
        argument: protocol::CommandArgument,
        reply: Reply<Answer>,
    },
    /// `textDocument/codeLens`.
    CodeLens {
        path: Arc<Path>,
        reply: Reply<Vec<Lens>>,
    },
    /// `hotsave/explain`.
    Explain {
        request: protocol::ExplainRequest,
        reply: Reply<Box<Explanation>>,
    },
    /// `shutdown`: answered when everything that was started has ended.
    Shutdown { reply: Reply<()> },
    /// Debug builds only: panics in the loop, for the test of that path.
    Panic,
}

/// A line above a module: what to show and what a click does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lens {
    /// Line, 0-based.
    pub line: u32,
    /// What it says.
    pub title: String,
    /// The command behind it.
    pub command: protocol::Command,
    /// Its argument.
    pub argument: protocol::CommandArgument,
}

/// Why a request is not answered with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields say what they are; each variant says when"
)]
pub enum RequestError {
    /// −32602: what is wrong with the argument.
    InvalidParams(String),
    /// −32800.
    Cancelled,
    /// −32803 with `data.code` `starting` or `hostLost`.
    Failed { code: &'static str, message: String },
}

/// What a command answers; the front end gives problems their columns.
#[derive(Clone, Debug)]
pub struct Answer {
    /// One line.
    pub message: String,
    /// The domain's folder URI; empty if the command was for all of several.
    pub workspace: Arc<str>,
    /// The generation the command made, if it made one.
    pub generation: Option<Generation>,
    /// How that ended.
    pub outcome: Option<Outcome>,
    /// Several lines, ready to show (`hotsave.explain`).
    pub text: Option<String>,
}

/// Why each unit of a generation was or was not reloaded.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The generation.
    pub generation: Generation,
    /// How it ended; `None` before the first.
    pub outcome: Option<Outcome>,
    /// What caused it.
    pub cause: Option<protocol::Cause>,
    /// The files that caused it.
    pub trigger: Vec<Arc<Path>>,
    /// The hosts as they are now.
    pub hosts: Vec<protocol::Host>,
    /// The units, each with its file; the front end fills in `uri`.
    pub units: Vec<(Arc<Path>, protocol::ExplainedUnit)>,
    /// What was left out, and why.
    pub skipped: Vec<protocol::Skipped>,
    /// The same as a text for people.
    pub text: String,
    /// The status as it is now.
    pub status: super::output::Status,
}

/// Where the answer of a request goes. Its receiver is dropped when the client cancels.
pub struct Reply<T>(pub oneshot::Sender<Result<T, RequestError>>);

impl<T> Reply<T> {
    /// Sends the answer; a request nobody waits for any more is not an error.
    pub fn send(self, answer: Result<T, RequestError>) {
        let _ = self.0.send(answer);
    }

    /// Whether the client has withdrawn the request.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_closed()
    }
}

impl fmt::Display for Event {
    /// The event's name, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop(_) => "stop",
            Self::Host(..) => "host",
            Self::Watch(_) => "watch",
            Self::Job(_) => "job",
            Self::Editor(_, message) => match message {
                EditorMessage::Start(_) => "initialize",
                EditorMessage::Ready => "initialized",
                EditorMessage::Opened { .. } => "didOpen",
                EditorMessage::Changed { .. } => "didChange",
                EditorMessage::WillSave { .. } => "willSave",
                EditorMessage::Saved { .. } => "didSave",
                EditorMessage::Closed { .. } => "didClose",
                EditorMessage::FilesChanged { .. } => "files changed",
                EditorMessage::Folders { .. } => "folders",
                EditorMessage::Settings(_) => "settings",
                EditorMessage::Command { .. } => "executeCommand",
                EditorMessage::CodeLens { .. } => "codeLens",
                EditorMessage::Explain { .. } => "explain",
                EditorMessage::Shutdown { .. } => "shutdown",
                EditorMessage::Panic => "panic",
            },
        })
    }
}

impl fmt::Debug for Event {
    /// Name and paths, never document text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Editor(arrival, message) => {
                write!(f, "#{arrival} {self}")?;
                match message {
                    EditorMessage::Opened { path, .. }
                    | EditorMessage::Changed { path, .. }
                    | EditorMessage::Saved { path, .. }
                    | EditorMessage::Closed { path } => write!(f, " {}", path.display()),
                    EditorMessage::Command { command, .. } => write!(f, " {command:?}"),
                    _ => Ok(()),
                }
            }
            _ => write!(f, "{self}"),
        }
    }
}
