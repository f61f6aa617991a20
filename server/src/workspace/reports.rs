//! What a host reports, and what that means for the generation under way.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration, time::Instant};

use hotsave_engine::{
    change::Content,
    outcome::{Outcome, Stage, Tag},
    plan::Act,
    problem::Severity,
};
use hotsave_lua::{
    host::{HostEvent, Report},
    wire,
};
use hotsave_protocol as protocol;

use super::{
    domain::{Domain, Surroundings},
    event::HostAddress,
    output::{Level, Output, Unit},
    request::Force,
    transaction::Transaction,
    units::Units,
};

impl Domain {
    /// Something the host's process said or did.
    pub(super) fn handle_host(
        &mut self,
        now: Instant,
        from: HostAddress,
        event: HostEvent,
        around: &Surroundings,
    ) {
        let reports = self.host.handle(now, from, event);
        self.take_reports(now, reports, around);
        self.start_next(now, around);
    }

    pub(super) fn take_reports(
        &mut self,
        now: Instant,
        reports: Vec<Report>,
        around: &Surroundings,
    ) {
        for report in reports {
            match report {
                Report::Done(done) => self.done(now, &done, around),
                Report::Lost { message, forgotten } => {
                    tracing::error!("{message}");
                    self.host.note_lost(Some(message));
                    if let Some(units) = &mut self.units {
                        units.forget(&forgotten);
                    }
                }
                Report::Log(log) => around.say(Output::Log {
                    level: level_of(log.level),
                    text: log.text,
                }),
                Report::Hello(hello) => tracing::info!("Lua host {} is up", hello.lua),
                Report::Fault(fault) => tracing::error!("{}", fault.problem.message),
                // Counted by `LuaHost`, or of use to hosts of a later version only.
                Report::State(_)
                | Report::Loaded(_)
                | Report::Began { .. }
                | Report::Superseded { .. }
                | Report::Swept(_)
                | Report::Register(_)
                | Report::Ask(_)
                | Report::Reply(_)
                | Report::Captured(_)
                | Report::Trace(_) => {}
            }
        }
    }

    /// A transaction has ended.
    fn done(&mut self, now: Instant, done: &wire::Done, around: &Surroundings) {
        let Some(operation) = self
            .operation
            .as_mut()
            .filter(|it| it.generation.number() == done.generation)
        else {
            tracing::debug!(
                "a host ended generation {}, which nobody waits for",
                done.generation
            );
            return;
        };
        let Some(transaction) = operation.in_flight.take() else {
            return;
        };
        let Some(units) = &mut self.units else { return };
        let outcome = outcome_of(
            done,
            units.problems_of_done(done, &transaction, &operation.trigger),
        );
        if matches!(outcome.tag, Tag::Applied | Tag::Unchanged) {
            for unit in units.commit(&transaction, done, operation.generation) {
                self.host.adopt(unit);
            }
            for part in &transaction.parts {
                let warnings = outcome
                    .problems
                    .iter()
                    .filter(|it| it.place.path == part.path)
                    .cloned()
                    .collect();
                units.set_warnings(part.id, warnings);
            }
            for part in transaction.parts.iter().filter(|it| it.act != Act::Rerun) {
                self.refusals.resolve(&part.path);
                operation.files.remove(&part.path);
            }
            operation.units.extend(reloaded(&transaction, done, units));
            operation.explained.extend(explained(&transaction, done));
            operation.note(Outcome {
                problems: Vec::new(),
                ..outcome
            });
            self.after_transaction(now, around);
            return;
        }
        let culprit = done
            .problems
            .iter()
            .filter(|it| it.severity <= 1)
            .find_map(|it| it.unit.clone());
        let culprit = culprit.and_then(|name| transaction.parts.iter().find(|it| it.name == name));
        let was_taken_along = culprit.is_some_and(|it| transaction.taken_along.contains(&it.path));
        if was_taken_along {
            // The refused file fails again and must not hold up the good one (5.3).
            operation
                .left_alone
                .extend(culprit.map(|it| Arc::clone(&it.path)));
            self.go_on(now, around);
            return;
        }
        operation.explained.extend(explained(&transaction, done));
        if operation.force == Force::Startup {
            let mut names = done.problems.iter().filter_map(|it| it.unit.as_deref());
            // The one that failed may have been found by the host, and be no part of what it was sent.
            let found = names.find_map(|it| units.index.resolve(it));
            let culprit = culprit.map(|it| it.id).or(found);
            let is_progress = culprit.is_some_and(|it| operation.left_out.insert(it));
            if let Some(culprit) = culprit
                && let Some(text) = units.newest_text(culprit)
            {
                let path = Arc::from(units.index.path(culprit));
                operation.files.insert(path, Content::Text(text));
            }
            operation.note(outcome);
            if is_progress {
                self.go_on(now, around);
            } else {
                // The same would be sent again, and fail again.
                let outcome = operation.worst_outcome();
                self.finish(now, outcome, around);
            }
            return;
        }
        if operation.files.is_empty()
            && let Some(part) = culprit.or(transaction.parts.first())
        {
            // A command reloaded what had not changed; what fails then is failing all the same.
            operation
                .files
                .insert(Arc::clone(&part.path), Content::Text(part.text.clone()));
        }
        if outcome.tag == Tag::NeedsRestart {
            self.needs_restart = Some(outcome.reason.clone().unwrap_or_default());
            self.restart_files = operation.files.keys().cloned().collect();
        }
        operation.note(outcome);
        self.after_transaction(now, around);
    }

    /// A starting host may have more to load; anything else is one transaction.
    fn after_transaction(&mut self, now: Instant, around: &Surroundings) {
        let Some(operation) = &mut self.operation else {
            return;
        };
        if operation.force == Force::Startup {
            self.go_on(now, around);
        } else {
            let outcome = operation.worst_outcome();
            self.finish(now, outcome, around);
        }
    }
}

/// The wire's outcome as the engine's.
fn outcome_of(done: &wire::Done, problems: Vec<hotsave_engine::problem::Problem>) -> Outcome {
    let tag = match done.outcome {
        wire::Outcome::Applied => Tag::Applied,
        wire::Outcome::Unchanged => Tag::Unchanged,
        wire::Outcome::Rejected => Tag::Rejected,
        wire::Outcome::NeedsRestart => Tag::NeedsRestart,
        wire::Outcome::Cancelled => Tag::Cancelled,
        wire::Outcome::Superseded => Tag::Superseded,
        wire::Outcome::RolledBack => Tag::RolledBack,
    };
    let stage = done.stage.as_deref().and_then(|it| {
        Some(match it {
            "parse" => Stage::Parse,
            "check" => Stage::Check,
            "plan" => Stage::Plan,
            "compile" => Stage::Compile,
            "preflight" => Stage::Preflight,
            "run" => Stage::Run,
            "validate" => Stage::Validate,
            "merge" => Stage::Merge,
            "redirect" => Stage::Redirect,
            "hooks" => Stage::Hooks,
            "host" => Stage::Host,
            _ => return None,
        })
    });
    let first_error = problems.iter().find(|it| it.severity == Severity::Error);
    let reason = done
        .reason
        .clone()
        .or_else(|| first_error.and_then(|it| it.message.lines().next().map(str::to_owned)));
    Outcome {
        tag,
        stage,
        reason,
        problems,
        by: None,
    }
}

/// The units that ran or went, dependencies first: what the host found by itself was needed by what it was sent.
fn reloaded(transaction: &Transaction, done: &wire::Done, units: &Units) -> Vec<Unit> {
    let paths: HashMap<&str, &Arc<Path>> = transaction
        .parts
        .iter()
        .map(|it| (&*it.name, &it.path))
        .collect();
    let found = done.units.iter().filter(|it| it.chunk.is_some());
    let sent = done.units.iter().filter(|it| it.chunk.is_none());
    found
        .chain(sent)
        .filter(|it| it.ran || it.act == wire::Act::Remove)
        .filter_map(|unit| {
            let path = match paths.get(&*unit.name) {
                Some(path) => Arc::clone(path),
                None => units.path_of(unit.chunk.as_deref()?),
            };
            Some(Unit {
                name: unit.name.clone(),
                path,
                host: "worker".to_owned(),
                kept: unit.kept.into(),
                taken: unit.taken.into(),
                conflicts: unit.conflicts.into(),
                duration: duration_of(unit.ms),
            })
        })
        .collect()
}

fn explained(
    transaction: &Transaction,
    done: &wire::Done,
) -> Vec<(Arc<Path>, protocol::ExplainedUnit)> {
    let by_name: HashMap<&str, &wire::DoneUnit> =
        done.units.iter().map(|it| (&*it.name, it)).collect();
    let units = transaction.parts.iter().map(|part| {
        let unit = by_name.get(&*part.name).copied();
        let decision = match (part.act, unit) {
            (Act::Remove, _) => protocol::Decision::Removed,
            (_, Some(unit)) if !unit.ran => protocol::Decision::Skipped,
            (Act::Rerun, _) => protocol::Decision::Rerun,
            (Act::Load | Act::Replace, _) => protocol::Decision::Replaced,
        };
        let notes = done.notes.iter().filter(|it| it.unit == part.name);
        let explained = protocol::ExplainedUnit {
            name: part.name.clone(),
            uri: String::new(),
            host: "worker".to_owned(),
            decision,
            because: part.because.clone(),
            state: notes
                .map(|it| protocol::Note {
                    path: it.path.clone(),
                    rule: it.rule.clone(),
                    base: it.base.clone(),
                    live: it.live.clone(),
                    source: it.source.clone(),
                })
                .collect(),
            functions: unit.map_or_else(Default::default, |it| protocol::Functions {
                redirected: it.redirected.into(),
                grafted: it.grafted.into(),
                stale: it.stale.into(),
            }),
            holders: Vec::new(),
            old: Vec::new(),
            ms: protocol::Ms::from(duration_of(unit.map_or(0.0, |it| it.ms))),
        };
        (Arc::clone(&part.path), explained)
    });
    units.collect()
}

fn duration_of(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

const fn level_of(level: wire::Level) -> Level {
    match level {
        wire::Level::Err => Level::Error,
        wire::Level::Warn => Level::Warning,
        wire::Level::Info => Level::Info,
        _ => Level::Debug,
    }
}
