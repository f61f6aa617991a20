//! One host instance as the server sees it: a state machine from events to actions.
//!
//! Knows no process, pipe or clock: `now` is an argument, and what is to be done is returned. [`super::Host`] does it.
//! Must stay true: every submitted generation ends in exactly one [`Report::Done`] or [`Report::Superseded`]; one
//! transaction is outstanding at most and `tx` only rises; nothing is sent to a process that has not said `hello`;
//! a process that was given up is never heard again; after a kill the accepted texts and their state are back before
//! the transaction that caused it is reported as rolled back.

mod loss;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use loss::Loss;

use super::{
    accepted::Accepted,
    kills::Kills,
    merge::merge,
    report::{Action, HostEvent, HostEventKind, HostState, Report, Settings},
};
use crate::wire::{
    Act, Beat, Begin, Bye, Done, FromHost, Hello, LINE_TOO_LONG, Level, Log, Outcome, PROTOCOL,
    PolicyChange, Refuse, Restore, ToHost, Tx, Unit, Update, Welcome,
};

/// A process that has not said what it has by then is killed.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Before `begin` only the compiler runs; a host that does not come so far is killed.
const PREPARE_LIMIT: Duration = Duration::from_secs(10);
/// More time for each unit of a transaction over ten.
const PER_UNIT: Duration = Duration::from_millis(20);
/// From the deadline, at which the runtime itself raises, to the kill.
const GRACE: Duration = Duration::from_millis(500);
/// How often an idle host is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(2);
/// How long it may fail to answer.
const PING_LIMIT: Duration = Duration::from_secs(6);
/// How long a host may take to end when asked to.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(3);

/// State machine of one host.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    phase: Phase,
    /// Number of the process started last.
    process: u64,
    last_tx: u64,
    generation: u64,
    running: Option<Running>,
    waiting_update: Option<Update>,
    waiting_restore: Option<Restore>,
    is_wanted: bool,
    accepted: Accepted,
    kills: Kills,
    rebuild: VecDeque<Job>,
    is_rebuilding: bool,
    n_lost_rebuilds: u32,
    /// Held back until the rebuild is over.
    owed: Option<Done>,
    ping: Ping,
    bye: Option<String>,
    has_crashed: bool,
    reported: HostState,
    actions: Vec<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Absent,
    Starting { kill_at: Instant },
    Up,
    Stopping { kill_at: Instant },
}

/// The outstanding transaction.
#[derive(Debug)]
struct Running {
    tx: u64,
    job: Job,
    /// Time from `begin` to the kill.
    limit: Duration,
    kill_at: Instant,
}

#[derive(Clone, Debug)]
enum Job {
    Update(Update),
    Restore(Restore),
    RebuildTexts(Update),
    RebuildState(Restore),
}

impl Job {
    /// The generation the server submitted it for; `None` for a step of a rebuild.
    const fn submitted(&self) -> Option<u64> {
        match self {
            Self::Update(update) => Some(update.generation),
            Self::Restore(restore) => Some(restore.generation),
            Self::RebuildTexts(_) | Self::RebuildState(_) => None,
        }
    }
}

#[derive(Debug, Default)]
struct Ping {
    n: u64,
    next: Option<Instant>,
    silent_since: Option<Instant>,
}

impl Session {
    /// A host without a process; the first need starts one.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Absent,
            process: 0,
            last_tx: 0,
            generation: 0,
            running: None,
            waiting_update: None,
            waiting_restore: None,
            is_wanted: false,
            accepted: Accepted::default(),
            kills: Kills::default(),
            rebuild: VecDeque::new(),
            is_rebuilding: false,
            n_lost_rebuilds: 0,
            owed: None,
            ping: Ping::default(),
            bye: None,
            has_crashed: false,
            reported: HostState::Absent,
            actions: Vec::new(),
        }
    }

    /// Carries out `update` as soon as nothing is outstanding; its `tx` is set here.
    ///
    /// *Shape*: at most one update waits, a newer one is merged over it and the older generation is superseded.
    pub fn submit(&mut self, now: Instant, update: Update) -> Vec<Action> {
        let merged = match self.waiting_update.take() {
            Some(older) => {
                self.report(Report::Superseded {
                    generation: older.generation,
                    by: update.generation,
                });
                merge(older, update)
            }
            None => update,
        };
        self.waiting_update = Some(merged);
        self.pump(now);
        self.finish()
    }

    /// Writes captured state as soon as nothing is outstanding, after a waiting update; a newer restore replaces a
    /// waiting one.
    pub fn restore(&mut self, now: Instant, restore: Restore) -> Vec<Action> {
        let by = restore.generation;
        if let Some(older) = self.waiting_restore.replace(restore) {
            self.report(Report::Superseded {
                generation: older.generation,
                by,
            });
        }
        self.pump(now);
        self.finish()
    }

    /// Withdraws the transaction of this generation if it has not begun.
    pub fn cancel(&mut self, now: Instant, generation: u64) -> Vec<Action> {
        if let Some(update) = self
            .waiting_update
            .take_if(|it| it.generation == generation)
        {
            self.report_done(ended(update.generation, Outcome::Cancelled));
        }
        if let Some(restore) = self
            .waiting_restore
            .take_if(|it| it.generation == generation)
        {
            self.report_done(ended(restore.generation, Outcome::Cancelled));
        }
        if let Some(running) = self
            .running
            .as_ref()
            .filter(|it| it.job.submitted() == Some(generation))
        {
            let tx = running.tx;
            self.send(ToHost::Cancel(Tx { tx }));
        }
        self.pump(now);
        self.finish()
    }

    /// Starts the process before there is work for it.
    pub fn start(&mut self, now: Instant) -> Vec<Action> {
        self.is_wanted = true;
        self.pump(now);
        self.finish()
    }

    /// Sends a message that is no transaction (`state`, `answer`, `query`, `capture`); lost if no host is up, and
    /// then false.
    pub fn tell(&mut self, message: ToHost) -> (bool, Vec<Action>) {
        let is_up = self.phase == Phase::Up;
        if is_up {
            self.send(message);
        }
        (is_up, self.finish())
    }

    /// Changes the settings, of a running host too.
    pub fn configure(&mut self, settings: Settings) -> Vec<Action> {
        if self.phase == Phase::Up && self.settings != settings {
            self.send(ToHost::Policy(PolicyChange {
                policies: settings.policies.clone(),
                limits: Some(settings.limits),
                overlay: Some(settings.overlay),
            }));
        }
        self.settings = settings;
        self.finish()
    }

    /// Ends the process, by force after three seconds; what waits is cancelled. The accepted texts are kept, and the
    /// next need brings them back; [`Session::forget`] drops them.
    pub fn stop(&mut self, now: Instant) -> Vec<Action> {
        self.is_wanted = false;
        self.cancel_waiting();
        self.rebuild.clear();
        self.is_rebuilding = false;
        self.pay(None);
        match self.phase {
            Phase::Absent | Phase::Stopping { .. } => {}
            Phase::Starting { .. } => {
                self.kill();
                self.phase = Phase::Absent;
            }
            Phase::Up => {
                self.send(ToHost::Stop);
                self.phase = Phase::Stopping {
                    kill_at: now + STOP_LIMIT,
                };
            }
        }
        self.has_crashed = false;
        self.finish()
    }

    /// Forgets the accepted texts and their state: the next process starts with nothing loaded.
    pub fn forget(&mut self) {
        self.accepted.clear();
        self.kills = Kills::default();
    }

    /// Learns the text of a unit that the host loaded by itself, because something required it: a rebuild then loads
    /// this text and not what the file holds by that time.
    pub fn adopt(&mut self, unit: Unit) {
        self.accepted.adopt(unit);
    }

    /// Takes in what a process said or did. Everything that has arrived is to be handled before [`Session::tick`].
    pub fn handle(&mut self, now: Instant, event: HostEvent) -> Vec<Action> {
        if let HostEventKind::Output(log) = event.kind {
            self.report(Report::Log(log));
        } else if event.process == self.process && self.phase != Phase::Absent {
            match event.kind {
                HostEventKind::Message(message) => self.hear(now, message),
                HostEventKind::Output(_) => {}
                HostEventKind::Malformed(why) => {
                    self.warn(format!("the Lua host sent no message: {why}"))
                }
                HostEventKind::TooLong => {
                    self.send(ToHost::Bye(Bye {
                        reason: LINE_TOO_LONG.into(),
                    }));
                    self.kill();
                    self.lose(
                        now,
                        Loss::Ended(format!("sent a line over the limit ({LINE_TOO_LONG})")),
                    );
                }
                HostEventKind::Unsendable => self.refuse_running(now),
                HostEventKind::SpawnFailed(why) => {
                    self.phase = Phase::Absent;
                    self.fail_start(&format!("cannot start the Lua host: {why}"));
                }
                HostEventKind::Exited(how) => {
                    // The group may have outlived its leader.
                    self.actions.push(Action::Kill(self.process));
                    let how = self.bye.take().unwrap_or(how);
                    self.lose(now, Loss::Ended(how));
                }
            }
        }
        self.finish()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) -> Vec<Action> {
        match self.phase {
            Phase::Starting { kill_at } if kill_at <= now => {
                self.kill();
                self.fail_start("the Lua host did not start within 10 s");
            }
            Phase::Stopping { kill_at } if kill_at <= now => {
                self.kill();
                self.lose(now, Loss::Ended("did not end when asked to".into()));
            }
            Phase::Up => self.tick_up(now),
            _ => {}
        }
        self.finish()
    }

    /// When to call [`Session::tick`]; earlier or later does no harm.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match (self.phase, &self.running) {
            (Phase::Absent, _) => None,
            (Phase::Starting { kill_at } | Phase::Stopping { kill_at }, _) => Some(kill_at),
            (Phase::Up, Some(running)) => Some(running.kill_at),
            (Phase::Up, None) => {
                let silent_until = self.ping.silent_since.map(|it| it + PING_LIMIT);
                self.ping.next.into_iter().chain(silent_until).min()
            }
        }
    }

    /// What `hotsave/status` should say.
    #[must_use]
    pub fn state(&self) -> HostState {
        match (self.phase, &self.running) {
            (Phase::Absent, _) if self.has_crashed => HostState::Crashed,
            (Phase::Absent, _) => HostState::Absent,
            (Phase::Starting { .. }, _) => HostState::Starting,
            (Phase::Up, _) if self.is_rebuilding => HostState::Starting,
            (Phase::Up, None) => HostState::Ready,
            (Phase::Up, Some(_)) | (Phase::Stopping { .. }, _) => HostState::Busy,
        }
    }

    /// Is this unit's text accepted, that is: loaded, or back as soon as the host is up?
    #[must_use]
    pub fn is_loaded(&self, unit: &str) -> bool {
        self.accepted.contains(unit)
    }

    /// The settings in force.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The accepted units in load order.
    pub fn accepted(&self) -> impl Iterator<Item = &Unit> {
        self.accepted.units()
    }

    fn hear(&mut self, now: Instant, message: FromHost) {
        match message {
            FromHost::Hello(hello) => self.welcome(now, hello),
            FromHost::Loaded(loaded) => {
                if matches!(self.phase, Phase::Starting { .. }) {
                    self.phase = Phase::Up;
                    self.plan_rebuild(&loaded);
                }
                self.report(Report::Loaded(loaded));
                self.rest(now);
                self.pump(now);
            }
            FromHost::Begin(begin) => self.begin(now, begin),
            FromHost::Done(done) => match self.running.take_if(|it| it.tx == done.tx) {
                Some(running) => {
                    self.settle(running.job, *done);
                    self.rest(now);
                    self.pump(now);
                }
                None => self.warn(format!(
                    "the Lua host ended transaction {}, which is not outstanding",
                    done.tx
                )),
            },
            FromHost::Pong(_) => self.ping.silent_since = None,
            FromHost::Bye(bye) => self.bye = Some(format!("said {:?}", bye.reason)),
            FromHost::Swept(swept) => self.report(Report::Swept(swept)),
            FromHost::Register(register) => self.report(Report::Register(register)),
            FromHost::Ask(ask) => self.report(Report::Ask(ask)),
            FromHost::Reply(reply) => self.report(Report::Reply(reply)),
            FromHost::Captured(captured) => self.report(Report::Captured(captured)),
            FromHost::Trace(trace) => self.report(Report::Trace(trace.edges)),
            FromHost::Fault(fault) => self.report(Report::Fault(fault)),
            FromHost::Log(log) => self.report(Report::Log(log)),
            FromHost::Other => {}
        }
    }

    fn welcome(&mut self, now: Instant, hello: Box<Hello>) {
        if !matches!(self.phase, Phase::Starting { .. }) {
            return self.warn("the Lua host said hello twice".into());
        }
        if hello.protocol != PROTOCOL {
            let message = format!(
                "the Lua host speaks protocol {}, the server {PROTOCOL}",
                hello.protocol
            );
            self.send(ToHost::Refuse(Refuse {
                reason: "protocol".into(),
                message: message.clone(),
            }));
            self.kill();
            return self.fail_start(&message);
        }
        let Settings {
            limits,
            overlay,
            policies,
        } = self.settings.clone();
        self.send(ToHost::Welcome(Welcome {
            protocol: PROTOCOL,
            generation: self.generation,
            limits,
            overlay,
            policies,
        }));
        self.phase = Phase::Starting {
            kill_at: now + START_LIMIT,
        };
        self.report(Report::Hello(hello));
    }

    fn begin(&mut self, now: Instant, begin: Begin) {
        let Some(running) = self.running.as_mut().filter(|it| it.tx == begin.tx) else {
            return self.warn(format!(
                "the Lua host began transaction {}, which is not outstanding",
                begin.tx
            ));
        };
        running.kill_at = now + running.limit;
        if let Some(generation) = running.job.submitted() {
            self.report(Report::Began {
                generation,
                captured: begin.captured,
            });
        }
    }

    /// A transaction has its `done`.
    fn settle(&mut self, job: Job, mut done: Done) {
        let is_applied = done.outcome == Outcome::Applied;
        match job {
            Job::Update(update) => {
                self.kills.clear(&update);
                if is_applied && !update.dry {
                    self.accepted.apply(update);
                    self.remember_state(&mut done);
                }
                self.report_done(done);
            }
            Job::Restore(_) => {
                if is_applied {
                    self.remember_state(&mut done);
                }
                self.report_done(done);
            }
            Job::RebuildTexts(_)
                if matches!(done.outcome, Outcome::Applied | Outcome::Unchanged) => {}
            Job::RebuildTexts(_) => self.rebuild_refused(&done),
            Job::RebuildState(_) if is_applied => {}
            Job::RebuildState(_) => {
                let why = done
                    .problems
                    .first()
                    .map_or("no reason given", |it| it.message.as_str());
                self.warn(format!("some state could not be restored: {why}"));
            }
        }
    }

    /// Keeps the state report for a rebuild; nobody else has a use for it.
    fn remember_state(&mut self, done: &mut Done) {
        if let Some(dirty) = done.dirty.take() {
            self.accepted.set_dirty(dirty);
        }
    }

    /// Sends the next piece of work if the host is free, and starts one if there is none.
    fn pump(&mut self, now: Instant) {
        while self.running.is_none() {
            match self.phase {
                Phase::Starting { .. } | Phase::Stopping { .. } => return,
                Phase::Absent => {
                    let has_work = self.waiting_update.is_some() || self.waiting_restore.is_some();
                    if has_work || self.owed.is_some() || self.is_wanted {
                        self.spawn(now);
                    }
                    return;
                }
                Phase::Up => {}
            }
            if let Some(job) = self.rebuild.pop_front() {
                self.run(now, job);
            } else if self.is_rebuilding {
                self.is_rebuilding = false;
                self.n_lost_rebuilds = 0;
                self.pay(None);
            } else if let Some(update) = self.waiting_update.take() {
                match self.kills.blocked(&update) {
                    Some(unit) => self.refuse_blocked(&update, &unit),
                    None => self.run(now, Job::Update(self.fitted(update))),
                }
            } else if let Some(restore) = self.waiting_restore.take() {
                self.run(now, Job::Restore(restore));
            } else {
                return;
            }
        }
    }

    fn run(&mut self, now: Instant, mut job: Job) {
        self.last_tx += 1;
        let tx = self.last_tx;
        let (message, deadline_ms, n_units) = match &mut job {
            Job::Update(update) | Job::RebuildTexts(update) => {
                update.tx = tx;
                (
                    ToHost::Update(update.clone()),
                    update.deadline_ms,
                    update.units.len(),
                )
            }
            Job::Restore(restore) | Job::RebuildState(restore) => {
                restore.tx = tx;
                (
                    ToHost::Restore(restore.clone()),
                    self.settings.limits.deadline_ms,
                    0,
                )
            }
        };
        let more = PER_UNIT * u32::try_from(n_units.saturating_sub(10)).unwrap_or(u32::MAX);
        let limit = (Duration::from_millis(deadline_ms.into()) + GRACE).saturating_add(more);
        self.generation = job.submitted().unwrap_or_default().max(self.generation);
        self.running = Some(Running {
            tx,
            job,
            limit,
            kill_at: now + PREPARE_LIMIT + limit,
        });
        self.ping = Ping {
            n: self.ping.n,
            ..Ping::default()
        };
        self.send(message);
    }

    /// What was planned as a first load may have been loaded by the transaction before.
    fn fitted(&self, mut update: Update) -> Update {
        if update.deadline_ms == 0 {
            update.deadline_ms = self.settings.limits.deadline_ms;
        }
        for unit in update.units.iter_mut().filter(|it| it.act == Act::Load) {
            if self.accepted.contains(&unit.name) {
                unit.act = Act::Replace;
            }
        }
        update
    }

    fn tick_up(&mut self, now: Instant) {
        if let Some(running) = &self.running {
            if running.kill_at <= now {
                let limit = running.limit;
                self.set_state(HostState::NotResponding);
                self.kill();
                self.lose(now, Loss::TimedOut(limit));
            }
        } else if self
            .ping
            .silent_since
            .is_some_and(|it| it + PING_LIMIT <= now)
        {
            self.set_state(HostState::NotResponding);
            self.kill();
            self.lose(now, Loss::TimedOut(PING_LIMIT));
        } else if self.ping.next.is_some_and(|it| it <= now) {
            self.ping.n += 1;
            self.ping.next = Some(now + PING_EVERY);
            self.ping.silent_since.get_or_insert(now);
            self.send(ToHost::Ping(Beat { n: self.ping.n }));
        }
    }

    fn rest(&mut self, now: Instant) {
        self.ping.next = Some(now + PING_EVERY);
    }

    fn spawn(&mut self, now: Instant) {
        self.process += 1;
        self.phase = Phase::Starting {
            kill_at: now + START_LIMIT,
        };
        self.bye = None;
        self.has_crashed = false;
        self.is_wanted = false;
        self.ping = Ping::default();
        self.actions.push(Action::Spawn(self.process));
    }

    fn kill(&mut self) {
        self.actions.push(Action::Kill(self.process));
    }

    fn cancel_waiting(&mut self) {
        let update = self.waiting_update.take().map(|it| it.generation);
        let restore = self.waiting_restore.take().map(|it| it.generation);
        for generation in update.into_iter().chain(restore) {
            self.report_done(ended(generation, Outcome::Cancelled));
        }
    }

    fn send(&mut self, message: ToHost) {
        self.actions.push(Action::Send(Box::new(message)));
    }

    fn report(&mut self, report: Report) {
        self.actions.push(Action::Report(report));
    }

    fn report_done(&mut self, done: Done) {
        self.report(Report::Done(Box::new(done)));
    }

    fn warn(&mut self, text: String) {
        self.report(Report::Log(Log {
            level: Level::Warn,
            text,
            dropped: None,
        }));
    }

    fn set_state(&mut self, state: HostState) {
        if self.reported != state {
            self.reported = state;
            self.report(Report::State(state));
        }
    }

    fn finish(&mut self) -> Vec<Action> {
        self.set_state(self.state());
        std::mem::take(&mut self.actions)
    }
}

/// A `done` that no host sent.
fn ended(generation: u64, outcome: Outcome) -> Done {
    Done {
        generation,
        outcome,
        ..Done::default()
    }
}

#[cfg(test)]
mod tests;
