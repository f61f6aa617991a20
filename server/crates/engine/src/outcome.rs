//! Outcomes: how a generation ended.
//!
//! The words are those of the protocol (design, section 7); what they look like on a screen is decided elsewhere.

use crate::{generation::Generation, problem::Problem};

/// The one word for how it ended. Ordered from good to bad: the worst host decides for a generation
/// (Lua specification, 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// Nothing to do: same text, only comments, not loaded.
    Unchanged,
    /// The new code runs.
    Applied,
    /// The client withdrew it before it began.
    Cancelled,
    /// A later generation took over before this one began.
    Superseded,
    /// Only a fresh program can take it; the old one goes on.
    NeedsRestart,
    /// Refused before anything was touched.
    Rejected,
    /// Failed after it began; everything is as before.
    RolledBack,
}

/// The step that refused (Lua specification, 5.1, and editors, 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A text does not parse.
    Parse,
    /// A static rule refused it.
    Check,
    /// The plan holds something that cannot be reloaded.
    Plan,
    /// A host's compiler refused it.
    Compile,
    /// A dry run failed.
    Preflight,
    /// A top level raised.
    Run,
    /// The new value is not acceptable.
    Validate,
    /// State could not be merged.
    Merge,
    /// Functions could not be redirected.
    Redirect,
    /// An author's hook raised.
    Hooks,
    /// Not allowed to run anything here.
    Trust,
    /// The configuration is invalid.
    Config,
    /// The host died or did not answer.
    Host,
}

/// How a generation ended, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The word.
    pub tag: Tag,
    /// The step that refused; `None` unless something did.
    pub stage: Option<Stage>,
    /// One sentence or one of the fixed words of the Lua specification, 5.4 (`sameText`, `commentOnly`, …).
    pub reason: Option<String>,
    /// What is wrong, errors first.
    pub problems: Vec<Problem>,
    /// The generation that took over, for [`Tag::Superseded`].
    pub by: Option<Generation>,
}

impl Outcome {
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

    /// The same with a reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The same with the step that refused.
    #[must_use]
    pub const fn at(mut self, stage: Stage) -> Self {
        self.stage = Some(stage);
        self
    }
}
