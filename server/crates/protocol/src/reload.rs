//! Reloads: a start, and exactly one finish of the same generation.

use serde::{Deserialize, Serialize};

use crate::{
    handshake::EventGroup,
    lenient::null_is_absent,
    message::EventBody,
    ms::Ms,
    place::{Problem, Uri},
};

words! {
    /// Who caused a generation.
    Cause {
        /// A save in the editor.
        Save = "save",
        /// A file changed on disk.
        Watcher = "watcher",
        /// A person asked.
        Command = "command",
        /// The server or a host started.
        Startup = "startup",
        /// `hotsave.toml` or a setting changed.
        Config = "config",
    }
}

words! {
    /// What kind of generation it is.
    ReloadKind {
        /// Code is exchanged in the running program.
        Hot = "hot",
        /// The program is built up anew from the current texts.
        Full = "full",
        /// Only build targets are concerned.
        Build = "build",
    }
}

words! {
    /// How a generation ended, in one word.
    Tag {
        /// The new code runs.
        Applied = "applied",
        /// Nothing to do: same text, only comments, not loaded.
        Unchanged = "unchanged",
        /// Refused before anything was touched.
        Rejected = "rejected",
        /// Failed after it began; everything is as before.
        RolledBack = "rolledBack",
        /// Only a fresh program can take it; the old one goes on.
        NeedsRestart = "needsRestart",
        /// The client withdrew it before it was applied.
        Cancelled = "cancelled",
        /// A later generation took over.
        Superseded = "superseded",
    }
}

words! {
    /// The step that refused. Up to `preflight` nothing was touched; `run` to `hooks` were undone.
    Stage {
        /// A text does not parse.
        Parse = "parse",
        /// A static rule refused it.
        Check = "check",
        /// The plan holds something that cannot be reloaded.
        Plan = "plan",
        /// A host's compiler refused it.
        Compile = "compile",
        /// A dry run failed.
        Preflight = "preflight",
        /// A top level raised.
        Run = "run",
        /// The new value is not acceptable.
        Validate = "validate",
        /// State could not be merged.
        Merge = "merge",
        /// Functions could not be redirected.
        Redirect = "redirect",
        /// An author's hook raised.
        Hooks = "hooks",
        /// Not allowed to run anything here.
        Trust = "trust",
        /// The configuration is invalid.
        Config = "config",
        /// The host died or did not answer.
        Host = "host",
        /// A build failed.
        Build = "build",
        /// The program did not start.
        Launch = "launch",
    }
}

/// How a generation ended, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The word.
    pub tag: Tag,
    /// The step that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// One sentence, or one of the fixed words of the reference (`sameText`, `commentOnly`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is wrong, errors first, at most [`Self::MAX_PROBLEMS`]; left out if empty.
    #[serde(
        default,
        deserialize_with = "null_is_absent",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub problems: Vec<Problem>,
    /// The generation that took over, with [`Tag::Superseded`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u64>,
}

impl Outcome {
    /// Problems named in an outcome; the diagnostics have them all.
    pub const MAX_PROBLEMS: usize = 20;

    /// An outcome of one word.
    #[must_use]
    pub const fn new(tag: Tag) -> Self {
        Self {
            tag,
            stage: None,
            reason: None,
            problems: Vec::new(),
            by: None,
        }
    }
}

/// `hotsave/reloadStarted`: settling ended and a generation began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadStarted {
    /// Who caused it.
    pub cause: Cause,
    /// The files that caused it, at most [`Self::MAX_TRIGGER`].
    #[serde(default, deserialize_with = "null_is_absent")]
    pub trigger: Vec<Uri>,
    /// What kind it is.
    pub kind: ReloadKind,
}

impl ReloadStarted {
    /// Files named in `trigger`.
    pub const MAX_TRIGGER: usize = 100;
}

impl EventBody for ReloadStarted {
    const METHOD: &'static str = "hotsave/reloadStarted";
    const GROUP: EventGroup = EventGroup::Reload;
}

/// `hotsave/reloadFinished`: the generation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReloadFinished {
    /// How.
    pub outcome: Outcome,
    /// The reloaded units in dependency order.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub units: Vec<Unit>,
    /// Time since settling ended.
    pub duration_ms: Ms,
}

impl EventBody for ReloadFinished {
    const METHOD: &'static str = "hotsave/reloadFinished";
    const GROUP: EventGroup = EventGroup::Reload;
}

/// One reloaded unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its name, such as the module name.
    pub name: String,
    /// Its file.
    pub uri: Uri,
    /// Name of the host it runs in.
    pub host: String,
    /// Values that stayed.
    pub kept: u64,
    /// Values that came from the source.
    pub taken: u64,
    /// Values where program and source disagreed.
    pub conflicts: u64,
    /// Time the host took for it.
    pub duration_ms: Ms,
}
