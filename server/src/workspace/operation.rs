//! The generation under way: what it has sent, what came back, who waits for it.
//!
//! A save is one transaction; the start of a host may be several, each of them all or nothing.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
    sync::Arc,
    time::Instant,
};

use hotsave_engine::{
    change::{Change, Content},
    generation::Generation,
    outcome::{Outcome, Stage, Tag},
    problem::Problem,
};
use hotsave_lua::wire;
use hotsave_protocol::{self as protocol, Cause};

use super::{
    event::{Answer, Reply},
    output::Unit,
    request::Force,
    transaction::Transaction,
    units::Units,
};

/// One generation between its start and its finish.
pub(super) struct Operation {
    pub(super) generation: Generation,
    pub(super) began: Instant,
    pub(super) cause: Cause,
    pub(super) trigger: Vec<Arc<Path>>,
    pub(super) replies: Vec<Reply<Answer>>,
    /// What is to be reloaded, changed or not.
    pub(super) force: Force,
    /// What changed, refused changes that are tried again among it.
    pub(super) changes: Vec<Change>,
    /// Refused files that are not tried again any more, because they failed in this very operation.
    pub(super) left_alone: BTreeSet<Arc<Path>>,
    /// Units that are not loaded when a host starts, because they failed.
    pub(super) left_out: HashSet<u32>,
    /// The files whose newest content is at stake.
    pub(super) files: BTreeMap<Arc<Path>, Content>,
    /// What the host works on.
    pub(super) in_flight: Option<Transaction>,
    /// Reloaded units in dependency order.
    pub(super) units: Vec<Unit>,
    /// The same with reasons, for `explain`.
    pub(super) explained: Vec<(Arc<Path>, protocol::ExplainedUnit)>,
    /// What was left out, and why.
    pub(super) skipped: Vec<protocol::Skipped>,
    /// Errors so far.
    pub(super) problems: Vec<Problem>,
    outcomes: Vec<Outcome>,
    has_applied: bool,
}

impl Operation {
    pub(super) fn new(
        generation: Generation,
        began: Instant,
        cause: Cause,
        trigger: Vec<Arc<Path>>,
        replies: Vec<Reply<Answer>>,
    ) -> Self {
        Self {
            generation,
            began,
            cause,
            trigger,
            replies,
            force: Force::Nothing,
            changes: Vec::new(),
            left_alone: BTreeSet::new(),
            left_out: HashSet::new(),
            files: BTreeMap::new(),
            in_flight: None,
            units: Vec::new(),
            explained: Vec::new(),
            skipped: Vec::new(),
            problems: Vec::new(),
            outcomes: Vec::new(),
            has_applied: false,
        }
    }

    /// Leaves out what a starting host need not wait for: files that do not parse. Returns whether that changes anything.
    pub(super) fn leaves_broken_out(&mut self, outcome: &Outcome, units: &Units) -> bool {
        if self.force != Force::Startup || outcome.stage != Some(Stage::Parse) {
            return false;
        }
        let broken: BTreeSet<&Arc<Path>> =
            outcome.problems.iter().map(|it| &it.place.path).collect();
        let before = (self.changes.len(), self.left_out.len());
        self.changes.retain(|it| !broken.contains(&it.path));
        let ids = broken.iter().filter_map(|it| units.index.id(it));
        self.left_out.extend(ids);
        (self.changes.len(), self.left_out.len()) != before
    }

    /// Whether one of its transactions is over.
    pub(super) fn has_ended_something(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// Whether anything new runs because of it.
    pub(super) const fn has_applied(&self) -> bool {
        self.has_applied
    }

    /// Notes how one transaction ended.
    pub(super) fn note(&mut self, outcome: Outcome) {
        self.has_applied |= outcome.tag == Tag::Applied;
        self.problems.extend(outcome.problems.iter().cloned());
        self.outcomes.push(outcome);
    }

    /// The worst outcome of its transactions (Lua specification, 5.3), with the problems of all; `unchanged` if there
    /// was none.
    pub(super) fn worst_outcome(&mut self) -> Outcome {
        let mut worst = std::mem::take(&mut self.outcomes)
            .into_iter()
            .max_by_key(|it| it.tag)
            .unwrap_or_else(|| Outcome::new(Tag::Unchanged).because("sameText"));
        worst.problems.clone_from(&self.problems);
        worst
    }
}

/// The protocol's cause as the wire's.
pub(super) const fn wire_cause(cause: Cause) -> wire::Cause {
    match cause {
        Cause::Save => wire::Cause::Save,
        Cause::Watcher => wire::Cause::Watcher,
        Cause::Startup => wire::Cause::Startup,
        Cause::Config => wire::Cause::Config,
        Cause::Command | Cause::Other => wire::Cause::Command,
    }
}
