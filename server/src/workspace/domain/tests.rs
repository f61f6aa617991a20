//! A domain under random schedules of saves, commands, cancellations, answers and deaths of hosts, changes of the
//! configuration and of the folder, without a process and with a clock of its own (editors specification, 4.5 and T19).

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::PathBuf,
    rc::Rc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, unbounded};
use hotsave_engine::{
    change::{Change, Content, Source},
    text::SourceText,
};
use hotsave_lua::{
    host::{HostEventKind, HostState, Report, Settings as HostSettings, Sink, SpawnSpec},
    wire,
};
use hotsave_protocol::Command;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::{
    mpsc::{UnboundedReceiver, unbounded_channel},
    oneshot,
};

use super::*;
use crate::workspace::{
    event::{Answer, Reply, RequestError},
    jobs::JobDone,
    lua_host::Drive,
    status,
    trust::StateDir,
};

/// What a fake host was given and has accepted.
#[derive(Default)]
struct Room {
    outstanding: Option<wire::Update>,
    loaded: BTreeMap<String, Vec<u8>>,
    has_process: bool,
    /// Which host this is, for the test that nobody hears another's words; real hosts all count from one.
    number: u64,
}

/// A host in memory: what its process "says" is sent to the sink by the test, also after nobody wants it any more.
struct FakeHost(Rc<RefCell<Room>>);

impl FakeHost {
    fn end(&self, outcome: wire::Outcome) -> Vec<Report> {
        let mut room = self.0.borrow_mut();
        let Some(update) = room.outstanding.take() else {
            return Vec::new();
        };
        let mut done = wire::Done {
            generation: update.generation,
            outcome,
            ..wire::Done::default()
        };
        if outcome == wire::Outcome::Applied {
            for unit in &update.units {
                if unit.act == wire::Act::Remove {
                    room.loaded.remove(&unit.name);
                } else {
                    let source = unit.source().unwrap_or_default().into_owned();
                    room.loaded.insert(unit.name.clone(), source);
                }
                done.units.push(wire::DoneUnit {
                    name: unit.name.clone(),
                    act: unit.act,
                    ran: true,
                    ..wire::DoneUnit::default()
                });
            }
        }
        vec![Report::Done(Box::new(done))]
    }
}

impl Drive for FakeHost {
    fn configure(&mut self, _: Instant, _: SpawnSpec, _: HostSettings) -> Vec<Report> {
        Vec::new()
    }

    fn submit(&mut self, _: Instant, update: wire::Update) -> Vec<Report> {
        let mut room = self.0.borrow_mut();
        assert!(room.outstanding.is_none(), "two transactions at once");
        room.outstanding = Some(update);
        room.has_process = true;
        Vec::new()
    }

    fn adopt(&mut self, _: wire::Unit) {}

    fn handle(&mut self, _: Instant, event: HostEvent) -> Vec<Report> {
        assert_eq!(
            event.process,
            self.0.borrow().number,
            "another host's words"
        );
        match event.kind {
            HostEventKind::Message(wire::FromHost::Done(done)) => self.end(done.outcome),
            HostEventKind::Exited(message) => {
                let lost = Report::Lost {
                    message,
                    forgotten: Vec::new(),
                };
                std::iter::once(lost)
                    .chain(self.end(wire::Outcome::RolledBack))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, _: Instant) -> Vec<Report> {
        Vec::new()
    }

    fn stop(&mut self, _: Instant) -> Vec<Report> {
        self.0.borrow_mut().has_process = false;
        self.end(wire::Outcome::Cancelled)
    }

    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn has_process(&self) -> bool {
        self.0.borrow().has_process
    }

    fn state(&self) -> HostState {
        HostState::Ready
    }
}

/// One step of a schedule.
#[derive(Clone, Debug)]
enum Step {
    Save(usize, u8),
    Delete(usize),
    Configure(u32),
    Command(Command, Option<usize>),
    /// The client withdraws the command it gave `n` commands ago.
    Cancel(usize),
    /// The host made `n` hosts ago says something.
    Says(usize, wire::Outcome),
    Dies(usize),
    IndexArrives,
    Wait(u64),
    Reopen,
}

const FILES: [&str; 3] = ["a.lua", "b.lua", "c.lua"];

fn text(file: usize, n: u8) -> String {
    match (file, n) {
        (_, 0) => "return {".to_owned(),
        (1, _) => format!("local a = require 'a'\nreturn {{ n = {n}, a = a }}\n"),
        _ => format!("return {{ n = {n} }}\n"),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use wire::Outcome::{Applied, NeedsRestart, Rejected, RolledBack};
    let outcome = prop_oneof![
        4 => Just(Applied), 1 => Just(RolledBack), 1 => Just(Rejected), 1 => Just(NeedsRestart)
    ];
    let command = prop_oneof![
        Just(Command::Reload),
        Just(Command::ReloadAll),
        Just(Command::Restart),
        Just(Command::Pause),
        Just(Command::Resume)
    ];
    let step = prop_oneof![
        6 => (0..3_usize, 0..5_u8).prop_map(|(file, n)| Step::Save(file, n)),
        1 => (0..3_usize).prop_map(Step::Delete),
        1 => (64..68_u32).prop_map(Step::Configure),
        3 => (command, proptest::option::of(0..3_usize)).prop_map(|(it, file)| Step::Command(it, file)),
        1 => (0..3_usize).prop_map(Step::Cancel),
        6 => (0..3_usize, outcome).prop_map(|(back, it)| Step::Says(back, it)),
        1 => (0..3_usize).prop_map(Step::Dies),
        2 => Just(Step::IndexArrives),
        5 => (1..300_u64).prop_map(Step::Wait),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..60)
}

type Waiting = Option<oneshot::Receiver<Result<Answer, RequestError>>>;

/// The hosts that were made, oldest first, each with its way back.
type Rooms = Rc<RefCell<Vec<(Sink, Rc<RefCell<Room>>)>>>;

/// A domain, everything around it, and what it has said so far.
struct Play {
    dir: TempDir,
    around: Surroundings,
    said: UnboundedReceiver<Output>,
    host_events: Receiver<(HostAddress, HostEvent)>,
    jobs: Receiver<JobDone>,
    hosts: Rooms,
    now: Instant,
    domain: Option<Domain>,
    n_domains: u32,
    commands: Vec<Waiting>,
    open_generation: Option<Generation>,
    last_generation: Option<Generation>,
    status: Option<crate::workspace::output::Status>,
}

impl Play {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("project");
        std::fs::create_dir(&project).unwrap();
        for (at, name) in FILES.iter().enumerate() {
            std::fs::write(project.join(name), text(at, 1)).unwrap();
        }
        let hosts: Rooms = Rc::default();
        let made = Rc::clone(&hosts);
        let (outputs, said) = unbounded_channel();
        let (host_sender, host_events) = unbounded();
        let (done, jobs) = unbounded();
        let around = Surroundings {
            outputs,
            pool: Pool::new(&done),
            documents: Arc::new(Documents::default()),
            host_events: host_sender,
            make_host: Box::new(move |_, _, sink| {
                let room: Rc<RefCell<Room>> = Rc::default();
                made.borrow_mut().push((sink, Rc::clone(&room)));
                room.borrow_mut().number = made.borrow().len() as u64;
                Box::new(FakeHost(room))
            }),
            options: Options {
                state: StateDir::at(dir.path().join("state")),
                program: PathBuf::new(),
            },
        };
        let mut play = Self {
            dir,
            around,
            said,
            host_events,
            jobs,
            hosts,
            now: Instant::now(),
            domain: None,
            n_domains: 0,
            commands: Vec::new(),
            open_generation: None,
            last_generation: None,
            status: None,
        };
        play.open();
        play
    }

    fn path(&self, name: &str) -> Arc<Path> {
        Arc::from(self.dir.path().join("project").join(name))
    }

    fn open(&mut self) {
        let folder = Folder {
            path: self.path(""),
            uri: "file:///project".to_owned(),
        };
        let start = Start {
            folders: vec![folder.clone()],
            trust: Some(Trust::Granted),
            encoding: crate::workspace::position::Encoding::default(),
            settings: Settings::default(),
            client_watches: true,
        };
        self.n_domains += 1;
        let mut domain = Domain::open(self.n_domains, folder, &start, start.trust, &self.around);
        domain.index(false, &self.around);
        self.domain = Some(domain);
        self.index_arrives();
    }

    fn close(&mut self) {
        if let Some(domain) = self.domain.take() {
            domain.close(self.now, &self.around);
        }
        self.listen();
        assert_eq!(self.open_generation, None, "a start without a finish");
        for waiting in self.commands.drain(..).flatten() {
            let mut waiting = waiting;
            let answer = waiting.try_recv();
            assert!(
                !matches!(answer, Err(oneshot::error::TryRecvError::Empty)),
                "a command that nobody will answer"
            );
        }
    }

    /// Every index that was begun arrives, in the order in which the pool finished them.
    fn index_arrives(&mut self) {
        let Some(domain) = &mut self.domain else {
            return;
        };
        loop {
            let done = if domain.units.is_none() {
                self.jobs.recv().ok()
            } else {
                self.jobs.try_recv().ok()
            };
            match done {
                Some(JobDone::Indexed {
                    domain: id,
                    job,
                    indexed,
                }) if id == domain.id() => {
                    domain.indexed(self.now, job, *indexed, &self.around);
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    fn save(&mut self, name: &str, content: Option<String>) {
        let path = self.path(name);
        let content = match content {
            Some(content) => {
                std::fs::write(&path, &content).unwrap();
                Content::Text(SourceText::new(content.into_bytes()))
            }
            None => {
                let _ = std::fs::remove_file(&path);
                Content::Removed
            }
        };
        let Some(domain) = &mut self.domain else {
            return;
        };
        match content {
            Content::Text(text) => domain.saved(self.now, &path, text, &self.around),
            Content::Removed => {
                let change = Change {
                    path,
                    content,
                    source: Source::Watcher,
                };
                domain.changed(self.now, change, &self.around);
            }
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Save(file, n) => self.save(FILES[file], Some(text(file, n))),
            Step::Delete(file) => self.save(FILES[file], None),
            Step::Configure(mb) => {
                self.save("hotsave.toml", Some(format!("[lua]\nmemory_mb = {mb}\n")));
            }
            Step::Command(command, file) => {
                let path = file.map(|it| self.path(FILES[it]));
                let (sender, receiver) = oneshot::channel();
                self.commands.push(Some(receiver));
                if let Some(domain) = &mut self.domain {
                    let reply = Reply(sender);
                    domain.command(self.now, command, path.as_ref(), reply, &self.around);
                }
            }
            Step::Cancel(back) => {
                if let Some(waiting) = self.commands.iter_mut().rev().nth(back) {
                    *waiting = None;
                }
            }
            Step::Says(back, outcome) => {
                let done = wire::Done {
                    outcome,
                    ..wire::Done::default()
                };
                let message = wire::FromHost::Done(Box::new(done));
                self.host_says(back, HostEventKind::Message(message));
            }
            Step::Dies(back) => self.host_says(back, HostEventKind::Exited("killed".to_owned())),
            Step::IndexArrives => self.index_arrives(),
            Step::Wait(ms) => self.now += Duration::from_millis(ms),
            Step::Reopen => {
                self.close();
                self.open();
            }
        }
        while let Ok((from, event)) = self.host_events.try_recv() {
            if let Some(domain) = self.domain.as_mut().filter(|it| it.id() == from.domain) {
                domain.handle_host(self.now, from, event, &self.around);
            }
        }
        if let Some(domain) = &mut self.domain {
            domain.tick(self.now, &self.around);
            domain.publish(self.now, &self.around);
        }
        self.listen();
        self.check_state();
    }

    fn host_says(&self, back: usize, kind: HostEventKind) {
        let hosts = self.hosts.borrow();
        if let Some((sink, room)) = hosts.iter().rev().nth(back) {
            let process = room.borrow().number;
            sink(HostEvent { process, kind });
        }
    }

    /// The rules of 4.5 that can be seen from outside.
    fn listen(&mut self) {
        while let Ok(output) = self.said.try_recv() {
            match output {
                Output::Started(started) => {
                    assert_eq!(self.open_generation, None, "two generations overlap");
                    assert!(
                        self.last_generation
                            .is_none_or(|it| it < started.generation),
                        "a generation does not rise"
                    );
                    self.open_generation = Some(started.generation);
                    self.last_generation = Some(started.generation);
                }
                Output::Finished(finished) => {
                    assert_eq!(self.open_generation.take(), Some(finished.generation));
                }
                Output::Problems(problems) if !problems.problems.is_empty() => {
                    let newest = self.domain.as_ref().map(|it| it.generation);
                    assert!(newest.is_none_or(|it| problems.generation <= it));
                }
                Output::Status(status) => self.status = Some(*status),
                _ => {}
            }
        }
    }

    /// What must be true between two turns.
    fn check_state(&self) {
        let Some(domain) = &self.domain else { return };
        assert_eq!(
            domain.operation.as_ref().map(|it| it.generation),
            self.open_generation
        );
        let shown = self.status.clone().unwrap();
        let now = status::of(domain);
        assert_eq!(
            crate::workspace::output::Status {
                generation: now.generation,
                ..shown
            },
            now,
            "the last status is missing"
        );
        let hosts = self.hosts.borrow();
        let loaded: BTreeMap<String, Vec<u8>> = if domain.host.is_stopped() {
            BTreeMap::new()
        } else {
            hosts.last().unwrap().1.borrow().loaded.clone()
        };
        let running: BTreeMap<String, Vec<u8>> = domain
            .units
            .iter()
            .flat_map(|it| it.running.values())
            .map(|it| (it.name.clone(), it.text.bytes().to_vec()))
            .collect();
        assert_eq!(running, loaded, "what runs is not what the host accepted");
    }

    /// Whatever happened, the domain settles down once its host answers, and everything is answered.
    fn settle(&mut self) {
        for _ in 0..6 {
            self.take(Step::Command(Command::Resume, None));
            self.take(Step::IndexArrives);
            self.take(Step::Wait(10_000));
            self.take(Step::Says(0, wire::Outcome::Applied));
        }
        assert_eq!(self.open_generation, None, "a generation that never ends");
        for waiting in self.commands.iter_mut().flatten() {
            assert!(waiting.try_recv().is_ok(), "a command without an answer");
        }
        self.commands.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn order_and_answers_hold_under_any_schedule(steps in steps()) {
        let mut play = Play::new();
        for step in steps {
            play.take(step);
        }
        play.settle();
        play.close();
    }
}
