//! Explain: why each unit was or was not reloaded, and what happened to its state.

use serde::{Deserialize, Serialize};

use crate::{
    lenient::null_is_absent,
    message::Request,
    ms::Ms,
    place::Uri,
    reload::{Cause, Outcome},
    status::{Host, Status},
};

/// `hotsave/explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainRequest {
    /// Which generation; the last one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Which folder; that of the most recently opened document if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Uri>,
}

impl Request for ExplainRequest {
    const METHOD: &'static str = "hotsave/explain";
    type Answer = Explanation;
}

/// The answer to [`ExplainRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The generation explained; 0 if nothing was reloaded yet.
    pub generation: u64,
    /// How it ended; left out while it is open and for generation 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Who caused it; left out for generation 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The files that caused it.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub trigger: Vec<Uri>,
    /// The hosts concerned.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub hosts: Vec<Host>,
    /// What became of each unit, in dependency order.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub units: Vec<ExplainedUnit>,
    /// What was left alone.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub skipped: Vec<Skipped>,
    /// What became of each build target; left out if none was concerned.
    #[serde(
        default,
        deserialize_with = "null_is_absent",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub builds: Vec<ExplainedBuild>,
    /// All of it as Markdown, ready to show.
    pub text: String,
    /// The current status of the folder: the way to ask for it.
    pub status: Status,
}

words! {
    /// What was decided about a unit.
    Decision {
        /// It took its new text.
        Replaced = "replaced",
        /// It ran again with its old text.
        Rerun = "rerun",
        /// What it took from its dependencies had not changed.
        Skipped = "skipped",
        /// Its file is gone and so is it.
        Removed = "removed",
        /// It may not be reloaded.
        Pinned = "pinned",
        /// No host has it.
        NotLoaded = "notLoaded",
        /// Its newest text was refused; the last good one runs.
        Pending = "pending",
    }
}

/// What became of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedUnit {
    /// Its name.
    pub name: String,
    /// Its file.
    pub uri: Uri,
    /// Name of the host.
    pub host: String,
    /// What was decided.
    pub decision: Decision,
    /// Why: the chain of edges from the changed file, a sentence each.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub because: Vec<String>,
    /// What happened to its values.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub state: Vec<Note>,
    /// What happened to its functions.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub functions: Functions,
    /// Who still holds old functions of it.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub holders: Vec<Holder>,
    /// What still runs its old code.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub old: Vec<Old>,
    /// Time the host took for it.
    pub ms: Ms,
}

/// What happened to one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its path in the unit, such as `M.config.speed` or `~counter`.
    pub path: String,
    /// The merge rule that decided: `same`, `take`, `keep`, `conflict` and so on; an open set.
    pub rule: String,
    /// The value after the last load, printed in at most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The value in the running program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<String>,
    /// The value that the new text gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// How many functions of a unit went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Functions {
    /// Old ones replaced by new ones wherever they were held.
    pub redirected: u64,
    /// Closures made after load that got the new code.
    pub grafted: u64,
    /// Old ones still held.
    pub stale: u64,
}

/// Who still holds an old function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The function.
    #[serde(rename = "fn")]
    pub function: String,
    /// Where it is held.
    #[serde(rename = "where")]
    pub place: String,
    /// How often.
    pub count: u64,
}

words! {
    /// What still runs old code.
    OldKind {
        /// A suspended coroutine.
        Coroutine = "coroutine",
        /// A function that has not returned.
        Frame = "frame",
    }
}

/// Old code that still runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Old {
    /// What runs it.
    pub what: OldKind,
    /// At which line of the old text, 1-based.
    pub line: u32,
    /// The generation of that text.
    #[serde(rename = "gen")]
    pub generation: u64,
}

/// A unit or file that was left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// Why, one sentence.
    pub why: String,
}

words! {
    /// What was decided about a build target.
    BuildDecision {
        /// It was built.
        Run = "run",
        /// Its last result still holds.
        Kept = "kept",
        /// Nothing of it changed.
        Skipped = "skipped",
        /// Something it needs failed.
        Blocked = "blocked",
    }
}

/// What became of a build target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedBuild {
    /// The target.
    pub target: String,
    /// Its run, if it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// What was decided.
    pub decision: BuildDecision,
    /// Why, one sentence.
    pub why: String,
    /// The time line: name of a moment → time since the save.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub ms: std::collections::BTreeMap<String, Ms>,
}
