//! Status: how a workspace folder is doing. Idempotent; only the newest matters.

use serde::{Deserialize, Serialize};

use crate::{
    handshake::EventGroup,
    lenient::{is_unset, null_is_absent},
    message::EventBody,
    place::Uri,
};

words! {
    /// Whether everything is well.
    Health {
        /// It is.
        Ok = "ok",
        /// It works, with less comfort or with loss.
        Warning = "warning",
        /// Something saved does not run.
        Error = "error",
    }
}

words! {
    /// What the server is doing for the folder.
    Phase {
        /// Indexing, or a host starts.
        Starting = "starting",
        /// Nothing.
        Idle = "idle",
        /// A generation is open.
        Reloading = "reloading",
        /// A target is built.
        Building = "building",
    }
}

words! {
    /// What kind of process a host is.
    HostKind {
        /// The server's own Lua.
        Worker = "worker",
        /// An interpreter that the server started.
        Interpreter = "interpreter",
        /// The user's own running program.
        App = "app",
    }
}

words! {
    /// What a host is doing.
    HostState {
        /// Not there, which is not an error.
        Absent = "absent",
        /// Not started, for want of trust.
        Untrusted = "untrusted",
        /// Starting.
        Starting = "starting",
        /// Waiting for work.
        Ready = "ready",
        /// In a transaction.
        Busy = "busy",
        /// Silent for too long.
        NotResponding = "notResponding",
        /// Gone without being asked to.
        Crashed = "crashed",
        /// Served by another server, which owns the project.
        Elsewhere = "elsewhere",
    }
}

words! {
    /// Whether programs of the folder may be run.
    TrustState {
        /// They may.
        Granted = "granted",
        /// Something would run if it were allowed.
        Needed = "needed",
    }
}

/// A place where units live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What kind of process it is.
    pub kind: HostKind,
    /// What it is doing.
    pub state: HostState,
}

/// `hotsave/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether everything is well.
    pub health: Health,
    /// What the server is doing.
    pub phase: Phase,
    /// The generation that runs; 0 if none does.
    pub last_good_generation: u64,
    /// Files whose newest text was refused.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub failing: Vec<Uri>,
    /// Changes seen and not yet applied.
    pub pending: u64,
    /// Where units live.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub hosts: Vec<Host>,
    /// One line for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Changes are collected, not applied; left out unless set.
    #[serde(
        default,
        deserialize_with = "null_is_absent",
        skip_serializing_if = "is_unset"
    )]
    pub paused: bool,
    /// Whether programs may be run; left out if nothing would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustState>,
}

impl EventBody for Status {
    const METHOD: &'static str = "hotsave/status";
    const GROUP: EventGroup = EventGroup::Status;
}
