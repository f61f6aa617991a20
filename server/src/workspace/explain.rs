//! Explain: what a generation did to each unit and why, kept for the last one and told in words.

use std::{fmt::Write as _, path::Path, sync::Arc, time::Duration};

use hotsave_engine::{
    generation::Generation,
    outcome::{Outcome, Tag},
};
use hotsave_protocol::{self as protocol, Cause};

use super::{
    domain::Domain,
    event::{Explanation, RequestError},
    operation::Operation,
};

/// What is remembered of a generation.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) generation: Generation,
    outcome: Outcome,
    cause: Cause,
    trigger: Vec<Arc<Path>>,
    units: Vec<(Arc<Path>, protocol::ExplainedUnit)>,
    skipped: Vec<protocol::Skipped>,
    n_kept: u64,
    n_units: usize,
    duration: Duration,
}

impl Account {
    pub(super) fn of(operation: &Operation, outcome: &Outcome, duration: Duration) -> Self {
        Self {
            generation: operation.generation,
            outcome: outcome.clone(),
            cause: operation.cause,
            trigger: operation.trigger.clone(),
            units: operation.explained.clone(),
            skipped: operation.skipped.clone(),
            n_kept: operation.units.iter().map(|it| it.kept).sum(),
            n_units: operation.units.len(),
            duration,
        }
    }

    /// One line for log and terminal: `gen 17 applied · 3 modules · 4 ms · 2 kept`.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{} {}", self.generation, spoken(self.outcome.tag));
        if self.outcome.tag == Tag::Applied {
            let plural = if self.n_units == 1 { "" } else { "s" };
            let ms = self.duration.as_secs_f64() * 1000.0;
            let _ = write!(
                line,
                " · {} module{plural} · {ms:.1} ms · {} kept",
                self.n_units, self.n_kept
            );
        } else if let Some(problem) = self.outcome.problems.first() {
            let (at, _) = problem.place.text.line_column(problem.place.span.start);
            let file = problem
                .place
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            let first_line = problem.message.lines().next().unwrap_or_default();
            let _ = write!(line, ": {file}:{}: {first_line}", at + 1);
        } else if let Some(reason) = &self.outcome.reason {
            let _ = write!(line, ": {reason}");
        }
        line
    }

    fn text(&self, root: &Path) -> String {
        let mut text = self.line();
        if !self.trigger.is_empty() {
            let names: Vec<String> = self.trigger.iter().map(|it| shown(root, it)).collect();
            let _ = write!(text, "\n{} of {}", self.cause, names.join(", "));
        }
        for (path, unit) in &self.units {
            let _ = write!(
                text,
                "\n{} {} ({})",
                unit.name,
                unit.decision,
                shown(root, path)
            );
            for because in &unit.because {
                let _ = write!(text, "\n  because {because}");
            }
            for note in &unit.state {
                let values = [
                    ("base", &note.base),
                    ("live", &note.live),
                    ("source", &note.source),
                ];
                let values: Vec<String> = values
                    .into_iter()
                    .filter_map(|(name, value)| value.as_ref().map(|it| format!("{name} {it}")))
                    .collect();
                let _ = write!(
                    text,
                    "\n  {}: {} ({})",
                    note.path,
                    note.rule,
                    values.join(", ")
                );
            }
        }
        for skipped in &self.skipped {
            let _ = write!(text, "\n{} skipped: {}", skipped.name, skipped.why);
        }
        text
    }
}

/// Answers `hotsave/explain` for the last generation.
///
/// # Errors
/// Another generation was asked for: only the last one is remembered.
pub(super) fn explain(
    domain: &Domain,
    generation: Option<u64>,
) -> Result<Box<Explanation>, RequestError> {
    let account = domain.last_explanation.as_ref();
    let last = account.map_or(domain.generation, |it| it.generation);
    if let Some(asked) = generation.filter(|it| *it != last.number()) {
        let message = format!(
            "generation {asked} is not remembered; the last one is {}",
            last.number()
        );
        return Err(RequestError::InvalidParams(message));
    }
    let text = account.map_or_else(
        || "nothing was reloaded yet".to_owned(),
        |it| it.text(domain.root()),
    );
    Ok(Box::new(Explanation {
        generation: last,
        outcome: account.map(|it| it.outcome.clone()),
        cause: account.map(|it| it.cause),
        trigger: account.map(|it| it.trigger.clone()).unwrap_or_default(),
        hosts: domain.hosts(),
        units: account.map(|it| it.units.clone()).unwrap_or_default(),
        skipped: account.map(|it| it.skipped.clone()).unwrap_or_default(),
        text,
        status: super::status::of(domain),
    }))
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The outcome's word on a screen.
const fn spoken(tag: Tag) -> &'static str {
    match tag {
        Tag::Unchanged => "unchanged",
        Tag::Applied => "applied",
        Tag::Cancelled => "cancelled",
        Tag::Superseded => "superseded",
        Tag::NeedsRestart => "needs a restart",
        Tag::Rejected => "rejected",
        Tag::RolledBack => "rolled back",
    }
}
