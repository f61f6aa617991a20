//! When a process is lost: who is to blame, what is told, and how the next one gets back to where the last one was.
//!
//! Part of [`Session`]. Must stay true: a transaction that cost the process its life is reported only after the rebuild
//! has succeeded or was given up, and no text is loaded for ever again that kills whoever loads it.

use std::time::{Duration, Instant};

use super::{Job, Phase, Running, Session, ended};
use crate::{
    errors::codes,
    host::report::{HostState, Report},
    wire::{
        Act, Cause, Done, Journal, LINE_TOO_LONG, Loaded, Outcome, Problem, Restore, Unit, Update,
    },
};

/// So many processes may be lost in a row while they are rebuilt.
const MAX_REBUILDS: u32 = 3;
/// Bytes of one rebuild message before JSON escapes them, which must not bring it over [`crate::wire::MAX_LINE`]. Large,
/// because texts of one message may require each other in any order.
const BATCH_BYTES: usize = 6 << 20;

/// Why a process is gone.
pub(super) enum Loss {
    TimedOut(Duration),
    Ended(String),
}

impl Session {
    /// The process is gone, whatever it was doing.
    pub(super) fn lose(&mut self, now: Instant, loss: Loss) {
        let phase = std::mem::replace(&mut self.phase, Phase::Absent);
        self.rebuild.clear();
        self.is_rebuilding = false;
        let message = match &loss {
            Loss::TimedOut(limit) => format!(
                "the Lua host gave no answer for {} ms and was killed",
                limit.as_millis()
            ),
            Loss::Ended(how) => format!("the Lua host is gone: {how}"),
        };
        match (phase, self.running.take()) {
            (Phase::Stopping { .. }, running) => {
                if let Some(generation) = running.and_then(|it| it.job.submitted()) {
                    self.report_done(ended(generation, Outcome::Cancelled));
                }
            }
            (
                _,
                Some(Running {
                    job: Job::Update(update),
                    tx,
                    ..
                }),
            ) => {
                self.kills.count(&update);
                let problem = blame(&update, &loss, &message);
                self.owe(tx, update.generation, problem);
            }
            (
                _,
                Some(Running {
                    job: Job::Restore(restore),
                    tx,
                    ..
                }),
            ) => {
                let problem = Problem {
                    code: codes::HOST_LOST.into(),
                    message,
                    ..host_problem()
                };
                self.owe(tx, restore.generation, problem);
            }
            (_, Some(_)) => {
                self.n_lost_rebuilds += 1;
                if self.n_lost_rebuilds >= MAX_REBUILDS {
                    self.give_up(message);
                } else {
                    self.is_wanted = true;
                }
            }
            (Phase::Starting { .. }, None) => return self.fail_start(&message),
            (_, None) => {
                self.has_crashed = true;
                self.set_state(HostState::Crashed);
                self.report(Report::Lost {
                    message,
                    forgotten: Vec::new(),
                });
            }
        }
        self.pump(now);
    }

    /// Holds back the end of a transaction until the state before it is back.
    pub(super) fn owe(&mut self, tx: u64, generation: u64, problem: Problem) {
        self.set_state(HostState::Crashed);
        self.owed = Some(Done {
            tx,
            stage: Some("host".into()),
            reason: Some("rebuilt".into()),
            problems: vec![problem],
            ..ended(generation, Outcome::RolledBack)
        });
    }

    /// Reports what was held back; with `failure`, the state before it could not be brought back.
    pub(super) fn pay(&mut self, failure: Option<&str>) {
        let Some(mut done) = self.owed.take() else {
            return;
        };
        if let Some(failure) = failure {
            done.outcome = Outcome::NeedsRestart;
            done.reason = None;
            done.problems.push(Problem {
                message: failure.into(),
                ..host_problem()
            });
        }
        self.report_done(done);
    }

    /// No process comes up: everything that needs one has failed. The next need tries again.
    pub(super) fn fail_start(&mut self, message: &str) {
        self.phase = Phase::Absent;
        self.has_crashed = true;
        self.is_wanted = false;
        self.pay(Some(message));
        let update = self.waiting_update.take().map(|it| it.generation);
        let restore = self.waiting_restore.take().map(|it| it.generation);
        for generation in update.into_iter().chain(restore) {
            self.report_done(rejected(
                generation,
                Problem {
                    message: message.into(),
                    ..host_problem()
                },
            ));
        }
        self.report(Report::Lost {
            message: message.into(),
            forgotten: Vec::new(),
        });
    }

    /// The accepted texts kill every process that gets them: start over with nothing.
    pub(super) fn give_up(&mut self, message: String) {
        self.n_lost_rebuilds = 0;
        self.has_crashed = true;
        let forgotten = self.accepted.clear();
        self.pay(Some(&message));
        self.report(Report::Lost { message, forgotten });
    }

    /// A text that was accepted once does not load any more: go on without it, in a fresh process.
    pub(super) fn rebuild_refused(&mut self, done: &Done) {
        let named = done
            .problems
            .iter()
            .filter_map(|it| it.unit.clone())
            .filter(|it| self.accepted.contains(it));
        let mut forgotten: Vec<String> = named.collect();
        let why = done
            .problems
            .first()
            .map_or("no reason given", |it| it.message.as_str());
        let message = format!("the Lua host could not be rebuilt as it was: {why}");
        for unit in &forgotten {
            self.accepted.forget(unit);
        }
        if forgotten.is_empty() {
            forgotten = self.accepted.clear();
        }
        self.kill();
        self.phase = Phase::Absent;
        self.rebuild.clear();
        self.is_rebuilding = false;
        self.is_wanted = true;
        self.report(Report::Lost { message, forgotten });
    }

    /// Plans what brings a fresh process to the accepted texts and state.
    pub(super) fn plan_rebuild(&mut self, loaded: &Loaded) {
        self.is_rebuilding = true;
        let has = |unit: &Unit| {
            loaded
                .units
                .iter()
                .any(|it| it.name == unit.name && it.hash.as_deref() == Some(unit.hash.as_str()))
        };
        if loaded.units.len() >= self.accepted.units().count() && self.accepted.units().all(has) {
            return;
        }
        let generation = self.generation;
        let deadline_ms = self.settings.limits.deadline_ms;
        let texts = self.accepted.batches(BATCH_BYTES).into_iter().map(|units| {
            Job::RebuildTexts(Update {
                generation,
                cause: Cause::Startup,
                units,
                journal: Journal::default(),
                deadline_ms,
                ..Update::default()
            })
        });
        let state = self.accepted.dirty().cloned().into_iter();
        let state = state.map(|content| {
            Job::RebuildState(Restore {
                tx: 0,
                generation,
                content,
            })
        });
        self.rebuild = texts.chain(state).collect();
    }

    pub(super) fn refuse_blocked(&mut self, update: &Update, unit: &str) {
        let chunk = update
            .units
            .iter()
            .find(|it| it.name == unit)
            .map(|it| it.chunk.clone());
        let problem = Problem {
            unit: Some(unit.into()),
            chunk: chunk.unwrap_or_default(),
            message: "this text had the Lua host killed three times and waits until it changes"
                .into(),
            ..host_problem()
        };
        self.report_done(rejected(update.generation, problem));
    }

    /// The outstanding transaction does not fit a line.
    pub(super) fn refuse_running(&mut self, now: Instant) {
        let Some(running) = self.running.take() else {
            return;
        };
        match running.job {
            Job::Update(Update { generation, .. }) | Job::Restore(Restore { generation, .. }) => {
                let problem = Problem {
                    message: format!("the change is too large ({LINE_TOO_LONG})"),
                    ..host_problem()
                };
                self.report_done(rejected(generation, problem));
            }
            Job::RebuildTexts(update) => {
                for unit in &update.units {
                    self.accepted.forget(&unit.name);
                }
                let forgotten = update.units.into_iter().map(|it| it.name).collect();
                self.report(Report::Lost {
                    message: format!("texts are too large ({LINE_TOO_LONG})"),
                    forgotten,
                });
            }
            Job::RebuildState(_) => self.warn(format!(
                "some state is too large to restore ({LINE_TOO_LONG})"
            )),
        }
        self.rest(now);
        self.pump(now);
    }
}

fn rejected(generation: u64, problem: Problem) -> Done {
    Done {
        stage: Some("host".into()),
        problems: vec![problem],
        ..ended(generation, Outcome::Rejected)
    }
}

fn host_problem() -> Problem {
    Problem {
        code: codes::HOST_LOST.into(),
        severity: 1,
        stage: "host".into(),
        ..Problem::default()
    }
}

/// What to tell about a transaction that cost the host its life: it stands on the first text that was new.
fn blame(update: &Update, loss: &Loss, message: &str) -> Problem {
    let is_new = |it: &&Unit| matches!(it.act, Act::Load | Act::Replace);
    let unit = update
        .units
        .iter()
        .find(is_new)
        .or_else(|| update.units.first());
    let code = match loss {
        Loss::TimedOut(_) => codes::TIMEOUT,
        Loss::Ended(_) => codes::HOST_LOST,
    };
    Problem {
        code: code.into(),
        severity: 1,
        stage: "run".into(),
        unit: unit.map(|it| it.name.clone()),
        chunk: unit.map(|it| it.chunk.clone()).unwrap_or_default(),
        message: message.into(),
        ..Problem::default()
    }
}
