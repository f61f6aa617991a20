//! The server's side of a Lua host: its process, and the session that says what to do with it.
//!
//! ```text
//! server ── submit, restore, tick ─► Session ── Action ─► Host ── Send, Spawn, Kill ─► process
//!   ▲                                  ▲  └── Report ─┐                                  │
//!   └──────────────────────────────────┼──────────────┘                                  │
//!                                      └────────────── HostEvent ◄── reader threads ◄────┘
//! ```
//!
//! [`Session`] is pure and decides; [`Host`] owns one session and its process and obeys. What runs in the process is
//! the runtime's concern. Must stay true: a process never outlives its [`Host`], and no call waits for it.

mod accepted;
mod kills;
mod lines;
mod merge;
mod process;
mod report;
mod session;

use std::{
    fmt,
    time::{Duration, Instant},
};

pub use process::{Sink, SpawnSpec};
pub use report::{Action, HostEvent, HostEventKind, HostState, Report, Settings};
pub use session::Session;

use crate::wire::{Restore, ToHost, Unit, Update, WireError, encode};
use process::Process;

/// One host: its session and, when there is need of it, its process. Belongs to one thread; never waits.
pub struct Host {
    session: Session,
    spec: SpawnSpec,
    sink: Sink,
    process: Option<(u64, Process)>,
}

impl Host {
    /// A host without a process. What the process says or does later goes to `sink` and has to come back by
    /// [`Host::handle`] on the owner's thread.
    #[must_use]
    pub fn new(spec: SpawnSpec, settings: Settings, sink: Sink) -> Self {
        Self {
            session: Session::new(settings),
            spec,
            sink,
            process: None,
        }
    }

    /// Carries out `update` as soon as nothing is outstanding; starts the process if there is none. See
    /// [`Session::submit`].
    pub fn submit(&mut self, now: Instant, update: Update) -> Vec<Report> {
        let actions = self.session.submit(now, update);
        self.obey(now, actions)
    }

    /// Writes captured state. See [`Session::restore`].
    pub fn restore(&mut self, now: Instant, restore: Restore) -> Vec<Report> {
        let actions = self.session.restore(now, restore);
        self.obey(now, actions)
    }

    /// Withdraws the transaction of this generation if it has not begun.
    pub fn cancel(&mut self, now: Instant, generation: u64) -> Vec<Report> {
        let actions = self.session.cancel(now, generation);
        self.obey(now, actions)
    }

    /// Starts the process before there is work for it.
    pub fn start(&mut self, now: Instant) -> Vec<Report> {
        let actions = self.session.start(now);
        self.obey(now, actions)
    }

    /// Sends a message that is no transaction; false if no host is up to hear it.
    pub fn tell(&mut self, now: Instant, message: ToHost) -> (bool, Vec<Report>) {
        let (is_sent, actions) = self.session.tell(message);
        (is_sent, self.obey(now, actions))
    }

    /// Changes the settings, of a running host too; `spec` holds from the next process on.
    pub fn configure(&mut self, now: Instant, spec: SpawnSpec, settings: Settings) -> Vec<Report> {
        self.spec = spec;
        let actions = self.session.configure(settings);
        self.obey(now, actions)
    }

    /// Ends the process, by force after three seconds; accepted texts come back at the next need. See
    /// [`Session::stop`]; it is over when [`Host::has_process`] says no.
    pub fn stop(&mut self, now: Instant) -> Vec<Report> {
        let actions = self.session.stop(now);
        self.obey(now, actions)
    }

    /// Forgets what was loaded. See [`Session::forget`].
    pub fn forget(&mut self) {
        self.session.forget();
    }

    /// Learns the text of a unit that the host loaded by itself. See [`Session::adopt`].
    pub fn adopt(&mut self, unit: Unit) {
        self.session.adopt(unit);
    }

    /// Takes in an event of the sink. Everything that has arrived is to be handled before [`Host::tick`].
    pub fn handle(&mut self, now: Instant, event: HostEvent) -> Vec<Report> {
        let actions = self.session.handle(now, event);
        self.obey(now, actions)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) -> Vec<Report> {
        let actions = self.session.tick(now);
        self.obey(now, actions)
    }

    /// When to call [`Host::tick`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.session.next_deadline()
    }

    /// What `hotsave/status` should say.
    #[must_use]
    pub fn state(&self) -> HostState {
        self.session.state()
    }

    /// Is this unit's text accepted? See [`Session::is_loaded`].
    #[must_use]
    pub fn is_loaded(&self, unit: &str) -> bool {
        self.session.is_loaded(unit)
    }

    /// The accepted units in load order.
    pub fn accepted(&self) -> impl Iterator<Item = &Unit> {
        self.session.accepted()
    }

    /// Is a process alive, or not yet known to have ended?
    #[must_use]
    pub const fn has_process(&self) -> bool {
        self.process.is_some()
    }

    /// Id of the process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|(_, it)| it.id())
    }

    /// Carries out actions; what cannot be carried out goes back into the session as an event, after the others.
    fn obey(&mut self, now: Instant, actions: Vec<Action>) -> Vec<Report> {
        let mut reports = Vec::new();
        let mut failures = Vec::new();
        for action in actions {
            match action {
                Action::Report(report) => reports.push(report),
                Action::Spawn(number) => failures.extend(self.spawn(number).err()),
                Action::Send(message) => failures.extend(self.send(&message).err()),
                Action::Kill(number) => drop(self.process.take_if(|(it, _)| *it == number)),
            }
        }
        for event in failures {
            reports.extend(self.handle(now, event));
        }
        reports
    }

    fn spawn(&mut self, number: u64) -> Result<(), HostEvent> {
        self.process = None;
        let log_per_s = self.session.settings().limits.log_per_s;
        let process =
            Process::spawn(&self.spec, number, log_per_s, &self.sink).map_err(|why| HostEvent {
                process: number,
                kind: HostEventKind::SpawnFailed(why),
            })?;
        tracing::debug!("Lua host {number} is process {}", process.id());
        self.process = Some((number, process));
        Ok(())
    }

    fn send(&self, message: &ToHost) -> Result<(), HostEvent> {
        let Some((number, process)) = &self.process else {
            return Ok(());
        };
        match encode(message) {
            Ok(line) => process.send(line),
            // Only a transaction can be that large.
            Err(WireError::TooLong(_)) => {
                return Err(HostEvent {
                    process: *number,
                    kind: HostEventKind::Unsendable,
                });
            }
            Err(error) => tracing::error!("cannot encode a message: {error}"),
        }
        Ok(())
    }
}

impl fmt::Debug for Host {
    /// State and process only: document text stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("state", &self.state())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

/// How long [`Host::stop`] may take at most.
pub const STOP_LIMIT: Duration = session::STOP_LIMIT;
