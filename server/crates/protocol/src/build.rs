//! Builds: runs of a target, and launches of the program they make.

use serde::{Deserialize, Serialize};

use crate::{handshake::EventGroup, message::EventBody, ms::Ms, place::Uri};

words! {
    /// How far a run is; the last five are final.
    BuildState {
        /// Waiting for its turn.
        Queued = "queued",
        /// The build command runs.
        Running = "running",
        /// It ended well.
        Succeeded = "succeeded",
        /// It ended with an error.
        Failed = "failed",
        /// The command could not be started.
        CouldNotStart = "couldNotStart",
        /// Ended because something newer or somebody wanted it to.
        Cancelled = "cancelled",
        /// Ended because it took too long.
        TimedOut = "timedOut",
    }
}

/// `hotsave/buildStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildStatus {
    /// The target.
    pub target: String,
    /// Number of the run; rises within a target.
    pub run: u64,
    /// How far it is.
    pub state: BuildState,
    /// Exit code of the build command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Time it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Ms>,
    /// Errors found in its output.
    pub errors: u64,
    /// Warnings found in its output.
    pub warnings: u64,
    /// Its whole output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Uri>,
}

impl EventBody for BuildStatus {
    const METHOD: &'static str = "hotsave/buildStatus";
    const GROUP: EventGroup = EventGroup::Build;
}

words! {
    /// How a launched program is doing.
    RunnerState {
        /// Not running.
        Absent = "absent",
        /// Started, not ready yet.
        Starting = "starting",
        /// Running.
        Ready = "ready",
        /// Asked to end.
        Stopping = "stopping",
        /// Ended by itself with 0, or as asked.
        Exited = "exited",
        /// Ended otherwise.
        Crashed = "crashed",
    }
}

/// `hotsave/runnerStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunnerStatus {
    /// The target.
    pub target: String,
    /// Number of the launch; rises within a target.
    pub launch: u64,
    /// How the program is doing.
    pub state: RunnerState,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The first run whose result the program lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_date_since: Option<u64>,
}

impl EventBody for RunnerStatus {
    const METHOD: &'static str = "hotsave/runnerStatus";
    const GROUP: EventGroup = EventGroup::Runner;
}
