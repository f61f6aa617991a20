//! What goes into a session and what comes out of it.

use crate::wire::{
    Ask, Captured, Content, Done, Edge, Fault, FromHost, Hello, Limits, Loaded, Log, Policies,
    Register, Reply, Swept, ToHost,
};

/// What `hotsave/status` says of a host (2.1); `untrusted` and `elsewhere` are the server's own findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// No process; not an error.
    Absent,
    /// A process is coming up, or getting its texts and state back.
    Starting,
    /// Waiting for work.
    Ready,
    /// In a transaction.
    Busy,
    /// Over its time; about to be killed.
    NotResponding,
    /// The process ended by itself or could not be started; the next need starts another.
    Crashed,
}

/// What a host is told when it starts, and again when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Limits of section 9.
    pub limits: Limits,
    /// Show the overlay?
    pub overlay: bool,
    /// Policies by unit name.
    pub policies: Policies,
}

/// Something a process said or did; `process` is the number given with [`Action::Spawn`].
#[derive(Clone, Debug, PartialEq)]
pub struct HostEvent {
    /// Which process.
    pub process: u64,
    /// What happened.
    pub kind: HostEventKind,
}

/// What can happen to a process.
#[derive(Clone, Debug, PartialEq)]
pub enum HostEventKind {
    /// It sent a message.
    Message(FromHost),
    /// It printed, outside messages.
    Output(Log),
    /// It sent a line that is no message; why not.
    Malformed(String),
    /// It sent a line over the limit.
    TooLong,
    /// What it should be sent is over the limit.
    Unsendable,
    /// It could not be started; why not.
    SpawnFailed(String),
    /// It ended; how (`exit status: 1`).
    Exited(String),
}

/// What is to be done now, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start a process and number its events so.
    Spawn(u64),
    /// Send this to the process started last.
    Send(Box<ToHost>),
    /// Kill the process group of the process with this number.
    Kill(u64),
    /// Tell the server.
    Report(Report),
}

/// What the server learns.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The host's state changed.
    State(HostState),
    /// Who it is: dialect, capabilities, `package.path`.
    Hello(Box<Hello>),
    /// What it had when it started.
    Loaded(Loaded),
    /// A submitted transaction is at its safe point.
    Began {
        /// Its generation.
        generation: u64,
        /// What `capture` asked for.
        captured: Option<Content>,
    },
    /// A submitted transaction has ended.
    Done(Box<Done>),
    /// A submitted transaction was merged into a later one before it was sent.
    Superseded {
        /// Its generation.
        generation: u64,
        /// The generation that took over.
        by: u64,
    },
    /// The process is gone.
    Lost {
        /// One line.
        message: String,
        /// Units that will not come back by themselves.
        forgotten: Vec<String>,
    },
    /// End of a sweep.
    Swept(Swept),
    /// A module registered itself.
    Register(Box<Register>),
    /// The program asks for a reload.
    Ask(Ask),
    /// Answer to a query.
    Reply(Reply),
    /// Answer to a capture.
    Captured(Captured),
    /// Requires seen outside transactions.
    Trace(Vec<Edge>),
    /// An error in running code.
    Fault(Box<Fault>),
    /// A line for the log.
    Log(Log),
}
