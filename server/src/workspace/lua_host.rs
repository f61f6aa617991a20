//! The host a domain's units live in: made when it is first needed, told what the configuration says.
//!
//! A thin shell around `hotsave_lua::host`, which decides and drives; here is only what the server adds: which program,
//! which arguments, and what to show.

use std::{ffi::OsString, path::Path, sync::Arc, time::Instant};

use hotsave_lua::{
    host::{Host, HostEvent, HostState, Report, Settings, Sink, SpawnSpec},
    wire,
};
use hotsave_protocol as protocol;

use super::{
    config::{Allow, Config},
    domain::Surroundings,
    event::HostAddress,
    units::Units,
};

/// A host as a domain drives it; a test drives one without a process.
pub(super) trait Drive {
    fn configure(&mut self, now: Instant, spec: SpawnSpec, settings: Settings) -> Vec<Report>;
    fn submit(&mut self, now: Instant, update: wire::Update) -> Vec<Report>;
    fn adopt(&mut self, unit: wire::Unit);
    fn handle(&mut self, now: Instant, event: HostEvent) -> Vec<Report>;
    fn tick(&mut self, now: Instant) -> Vec<Report>;
    fn stop(&mut self, now: Instant) -> Vec<Report>;
    fn next_deadline(&self) -> Option<Instant>;
    fn has_process(&self) -> bool;
    fn state(&self) -> HostState;
}

/// Makes the hosts of a domain.
pub(super) type MakeHost = Box<dyn Fn(SpawnSpec, Settings, Sink) -> Box<dyn Drive>>;

/// Hosts with a process each.
pub(super) fn with_processes() -> MakeHost {
    Box::new(|spec, settings, sink| Box::new(Host::new(spec, settings, sink)))
}

impl Drive for Host {
    fn configure(&mut self, now: Instant, spec: SpawnSpec, settings: Settings) -> Vec<Report> {
        Self::configure(self, now, spec, settings)
    }

    fn submit(&mut self, now: Instant, update: wire::Update) -> Vec<Report> {
        Self::submit(self, now, update)
    }

    fn adopt(&mut self, unit: wire::Unit) {
        Self::adopt(self, unit);
    }

    fn handle(&mut self, now: Instant, event: HostEvent) -> Vec<Report> {
        Self::handle(self, now, event)
    }

    fn tick(&mut self, now: Instant) -> Vec<Report> {
        Self::tick(self, now)
    }

    fn stop(&mut self, now: Instant) -> Vec<Report> {
        Self::stop(self, now)
    }

    fn next_deadline(&self) -> Option<Instant> {
        Self::next_deadline(self)
    }

    fn has_process(&self) -> bool {
        Self::has_process(self)
    }

    fn state(&self) -> HostState {
        Self::state(self)
    }
}

/// The worker of one domain.
pub(super) struct LuaHost {
    domain: u32,
    root: Arc<Path>,
    host: Option<Box<dyn Drive>>,
    /// How many hosts there were before.
    incarnation: u32,
    templates: String,
    settings: Settings,
    memory_mb: u32,
    allow: Vec<Allow>,
    /// Why it is gone, until it is up again.
    lost: Option<String>,
}

impl LuaHost {
    pub(super) fn new(domain: u32, root: &Arc<Path>) -> Self {
        Self {
            domain,
            root: Arc::clone(root),
            host: None,
            incarnation: 0,
            templates: String::new(),
            settings: Settings::default(),
            memory_mb: 0,
            allow: Vec::new(),
            lost: None,
        }
    }

    /// Takes the configuration over; what only a new process can take waits for the next start.
    pub(super) fn configure(
        &mut self,
        now: Instant,
        config: &Config,
        units: Option<&Units>,
        around: &Surroundings,
    ) -> Vec<Report> {
        self.templates = units.map(Units::templates).unwrap_or_default();
        self.memory_mb = config.lua.memory_mb;
        self.allow.clone_from(&config.lua.allow);
        self.settings.limits = wire::Limits {
            deadline_ms: config.lua.deadline_ms,
            memory_mb: config.lua.memory_mb,
            ..wire::Limits::default()
        };
        let (spec, settings) = (self.spec(around), self.settings.clone());
        self.host
            .as_mut()
            .map(|it| it.configure(now, spec, settings))
            .unwrap_or_default()
    }

    /// Sends a transaction, starting the process if there is none.
    pub(super) fn submit(
        &mut self,
        now: Instant,
        update: wire::Update,
        around: &Surroundings,
    ) -> Vec<Report> {
        let host = match self.host.take() {
            Some(host) => host,
            None => self.make(around),
        };
        self.host.insert(host).submit(now, update)
    }

    /// Notes the text of a unit that the host loaded by itself, so that a rebuild brings that one back.
    pub(super) fn adopt(&mut self, unit: wire::Unit) {
        if let Some(host) = &mut self.host {
            host.adopt(unit);
        }
    }

    /// Takes in what a process said or did; what one of an earlier host says is not heard.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        from: HostAddress,
        event: HostEvent,
    ) -> Vec<Report> {
        self.host
            .as_mut()
            .filter(|_| from.incarnation == self.incarnation)
            .map(|it| it.handle(now, event))
            .unwrap_or_default()
    }

    pub(super) fn tick(&mut self, now: Instant) -> Vec<Report> {
        self.host
            .as_mut()
            .map(|it| it.tick(now))
            .unwrap_or_default()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.host.as_ref().and_then(|it| it.next_deadline())
    }

    /// Ends the process and forgets what it ran; the next need starts an empty one.
    pub(super) fn discard(&mut self) {
        // Dropping kills the whole group.
        self.host = None;
        self.incarnation = self.incarnation.wrapping_add(1);
        self.lost = None;
    }

    /// Asks the process to end; it is killed after three seconds.
    pub(super) fn stop(&mut self, now: Instant) -> Vec<Report> {
        self.host
            .as_mut()
            .map(|it| it.stop(now))
            .unwrap_or_default()
    }

    /// Whether no process is left.
    pub(super) fn is_stopped(&self) -> bool {
        !self.host.as_ref().is_some_and(|it| it.has_process())
    }

    pub(super) fn state(&self) -> HostState {
        self.host
            .as_ref()
            .map_or(HostState::Absent, |it| it.state())
    }

    /// Notes why the process is gone, or that it is back.
    pub(super) fn note_lost(&mut self, message: Option<String>) {
        self.lost = message;
    }

    /// Why the process is gone, while it is.
    pub(super) fn lost_message(&self) -> Option<&str> {
        self.lost
            .as_deref()
            .filter(|_| self.state() == HostState::Crashed)
    }

    fn make(&self, around: &Surroundings) -> Box<dyn Drive> {
        let events = around.host_events.clone();
        let address = HostAddress {
            domain: self.domain,
            incarnation: self.incarnation,
        };
        let sink = Arc::new(move |event| {
            // A loop that is gone has dropped the host, too.
            let _ = events.send((address, event));
        });
        (around.make_host)(self.spec(around), self.settings.clone(), sink)
    }

    fn spec(&self, around: &Surroundings) -> SpawnSpec {
        let mut argv: Vec<OsString> = vec![around.options.program.clone().into()];
        let memory_mb = self.memory_mb.to_string();
        argv.extend(
            [
                "lua-host",
                "--path",
                &self.templates,
                "--memory-mb",
                &memory_mb,
            ]
            .map(OsString::from),
        );
        let allowed = self.allow.iter().flat_map(|it| ["--allow", it.word()]);
        argv.extend(allowed.map(OsString::from));
        SpawnSpec {
            argv,
            cwd: self.root.to_path_buf(),
            env: Vec::new(),
        }
    }
}

/// A host's state in the protocol's words.
pub(super) const fn spoken(state: HostState) -> protocol::HostState {
    match state {
        HostState::Absent => protocol::HostState::Absent,
        HostState::Starting => protocol::HostState::Starting,
        HostState::Ready => protocol::HostState::Ready,
        HostState::Busy => protocol::HostState::Busy,
        HostState::NotResponding => protocol::HostState::NotResponding,
        HostState::Crashed => protocol::HostState::Crashed,
    }
}
