//! Generations: one operation at a time, from its start to its finish.
//!
//! Must stay true: every start has exactly one finish of the same generation, and generations only rise.

use std::{collections::HashSet, path::Path, sync::Arc, time::Instant};

use hotsave_engine::{
    change::{Change, Content, Source},
    outcome::{Outcome, Stage, Tag},
};
use hotsave_protocol as protocol;

use super::{Domain, Surroundings};
use crate::workspace::{
    commands,
    config::HostChoice,
    explain::Account,
    operation::{self, Operation},
    output::{Finished, Level, Output, Started},
    planning::{Ask, Verdict},
    problems::Owner,
    request::{Force, Request},
};

impl Domain {
    pub(crate) fn request(&mut self, request: Request) {
        let cause = format!("{:?}", request.cause);
        self.slot.request(cause, request, Request::merge);
    }

    /// Serves timers that are due.
    pub(crate) fn tick(&mut self, now: Instant, around: &Surroundings) {
        let reports = self.host.tick(now);
        self.take_reports(now, reports, around);
        self.start_next(now, around);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let settles = self.settler.deadline().filter(|_| self.can_start());
        settles.into_iter().chain(self.host.next_deadline()).min()
    }

    pub(super) fn can_start(&self) -> bool {
        self.units.is_some() && self.operation.is_none() && !self.is_stopping
    }

    /// Starts generations until one has to wait for its host.
    pub(crate) fn start_next(&mut self, now: Instant, around: &Surroundings) {
        while self.can_start() {
            if let Some(set) = self.settler.take(now) {
                self.request(Request::of_changes(set.changes, set.source));
            }
            let Some(started) = self.slot.start() else {
                return;
            };
            tracing::debug!("starting: {}", started.cause);
            if started.request.is_withdrawn() {
                self.slot.abandon();
                continue;
            }
            self.start(now, started.request, around);
        }
    }

    fn start(&mut self, now: Instant, request: Request, around: &Surroundings) {
        self.generation = self.generation.next();
        around.options.state.used_generation(
            &self.folder.path,
            self.first_generation,
            self.generation,
        );
        let cause = request.cause.unwrap_or(protocol::Cause::Command);
        let trigger: Vec<Arc<Path>> = request
            .changes
            .iter()
            .take(100)
            .map(|it| Arc::clone(&it.path))
            .collect();
        let is_full = matches!(request.force, Force::All | Force::Startup);
        let kind = if is_full {
            protocol::ReloadKind::Full
        } else {
            protocol::ReloadKind::Hot
        };
        around.say(Output::Started(Started {
            workspace: Arc::clone(&self.workspace),
            generation: self.generation,
            cause,
            trigger: trigger.clone(),
            kind,
        }));
        let mut operation = Operation::new(self.generation, now, cause, trigger, request.replies);
        let Some(units) = &mut self.units else { return };

        let mut changes = request.changes;
        if request.retries || is_full {
            let changed: HashSet<Arc<Path>> =
                changes.iter().map(|it| Arc::clone(&it.path)).collect();
            let refused = self
                .refusals
                .files()
                .filter(|(path, _)| !changed.contains(*path));
            let refused: Vec<Change> = refused
                .map(|(path, text)| Change {
                    path: Arc::clone(path),
                    content: text.clone().map_or(Content::Removed, Content::Text),
                    source: Source::Command,
                })
                .collect();
            changes.extend(refused);
        }
        for change in &changes {
            let problems = units.take_in(change);
            self.problems
                .set(&Owner::Syntax, &change.path, self.generation, problems);
            operation
                .files
                .insert(Arc::clone(&change.path), change.content.clone());
        }
        let graph_problems = units.take_graph_problems();
        for (path, problems) in graph_problems {
            self.problems
                .set(&Owner::Graph, &path, self.generation, problems);
        }
        operation.force = request.force;
        operation.changes = changes;
        self.operation = Some(operation);
        self.go_on(now, around);
    }

    /// Plans what is left of the running operation and sends it, or finishes. Called again when a part of it failed that
    /// the rest does not need.
    pub(crate) fn go_on(&mut self, now: Instant, around: &Surroundings) {
        let may_run = self.may_run();
        let (Some(operation), Some(units)) = (&mut self.operation, &mut self.units) else {
            return;
        };
        let has_host = self.config.lua.host != HostChoice::None && units.runs_in_worker();
        let plan = units.plan(&Ask {
            changes: &operation.changes,
            force: &operation.force,
            refusals: &self.refusals,
            left_alone: &operation.left_alone,
            left_out: &operation.left_out,
            config: &self.config,
            has_host,
        });
        operation.skipped = plan.skipped;
        for path in &plan.settled {
            self.refusals.resolve(path);
            operation.files.remove(path);
        }
        match plan.verdict {
            Verdict::Over(outcome) if operation.leaves_broken_out(&outcome, units) => {
                operation.note(outcome);
                self.go_on(now, around);
            }
            Verdict::Over(outcome) => {
                // "Nothing left to do" is how every start of a host ends; a refusal of its rest is news.
                if !operation.has_ended_something() || outcome.tag != Tag::Unchanged {
                    operation.note(outcome);
                }
                let outcome = operation.worst_outcome();
                self.finish(now, outcome, around);
            }
            Verdict::Run(_) if !may_run => {
                self.trust_was_missed = true;
                let reason = "this folder is not trusted to run programs; allow it with `hotsave trust` or hotsave.trust";
                self.finish(
                    now,
                    Outcome::new(Tag::Rejected).at(Stage::Trust).because(reason),
                    around,
                );
            }
            Verdict::Run(transaction) => {
                let mut update = transaction.update.clone();
                update.generation = operation.generation.number();
                update.cause = operation::wire_cause(operation.cause);
                // On top of what the plan allows for.
                let limit_ms = self.config.lua.deadline_ms;
                update.deadline_ms = update.deadline_ms.saturating_add(limit_ms);
                operation.in_flight = Some(*transaction);
                let reports = self.host.submit(now, update, around);
                self.take_reports(now, reports, around);
            }
        }
    }

    /// Ends the running generation. What the outcome means for files and units has been noted before.
    pub(crate) fn finish(&mut self, now: Instant, outcome: Outcome, around: &Surroundings) {
        let Some(operation) = self.operation.take() else {
            return;
        };
        self.slot.abandon();
        if operation.has_applied() {
            self.last_good = self.generation;
        }
        let is_refused = matches!(
            outcome.tag,
            Tag::Rejected | Tag::RolledBack | Tag::NeedsRestart
        );
        if is_refused {
            let files = operation.files.iter().map(|(path, content)| {
                let text = match content {
                    Content::Text(text) => Some(text.clone()),
                    Content::Removed => None,
                };
                (Arc::clone(path), text)
            });
            if outcome.stage == Some(Stage::Trust) {
                files.for_each(|(path, text)| self.refusals.hold(path, text));
            } else {
                let is_failing = outcome.tag != Tag::NeedsRestart;
                self.refusals
                    .refuse(files.collect(), operation.problems.clone(), is_failing);
            }
        } else if matches!(outcome.tag, Tag::Applied | Tag::Unchanged) {
            for path in operation.files.keys() {
                self.refusals.resolve(path);
            }
        }
        // Success elsewhere makes no restart unnecessary.
        if !self
            .restart_files
            .iter()
            .any(|it| self.refusals.contains(it))
        {
            self.restart_files.clear();
            self.needs_restart = None;
        }
        self.set_host_problems();
        // Diagnostics of a generation leave before its finish (editors specification, 4.5).
        self.publish_problems(around);
        let duration = now.saturating_duration_since(operation.began);
        let account = Account::of(&operation, &outcome, duration);
        let message = account.line();
        let finished = Finished {
            workspace: Arc::clone(&self.workspace),
            generation: self.generation,
            units: operation.units.clone(),
            outcome: outcome.clone(),
            duration,
        };
        around.say(Output::Finished(Box::new(finished)));
        let level = if is_refused {
            Level::Error
        } else {
            Level::Info
        };
        around.say(Output::Log {
            level,
            text: message.clone(),
        });
        around.say(Output::LensesChanged);
        self.last_explanation = Some(account);
        for reply in operation.replies {
            reply.send(Ok(commands::answer(self, &message, Some(&outcome))));
        }
    }
}
