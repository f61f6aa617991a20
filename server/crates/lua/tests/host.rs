//! The server's side of a host against real processes: the worker, and shells that misbehave.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, unbounded};
use hotsave_engine::text::ContentHash;
use hotsave_lua::{
    host::{Host, HostEvent, HostEventKind, HostState, Report, STOP_LIMIT, Settings, SpawnSpec},
    wire::{
        Act, Capture, Done, FromHost, Journal, Level, Limits, Outcome, ToHost, Unit, Update,
        Welcome, decode, encode,
    },
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Far over what anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A host, its events, and everything it has reported.
struct Driver {
    host: Host,
    events: Receiver<HostEvent>,
    reports: Vec<Report>,
    generation: u64,
    folder: tempfile::TempDir,
}

impl Driver {
    fn new(argv: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sender, events) = unbounded();
        let spec = SpawnSpec {
            argv: argv.iter().map(Into::into).collect(),
            cwd: folder.path().to_owned(),
            env: Vec::new(),
        };
        let limits = Limits {
            deadline_ms: 300,
            ..Limits::default()
        };
        let sink = Arc::new(move |event| drop(sender.send(event)));
        let host = Host::new(
            spec,
            Settings {
                limits,
                ..Settings::default()
            },
            sink,
        );
        Self {
            host,
            events,
            reports: Vec::new(),
            generation: 0,
            folder,
        }
    }

    fn worker() -> Self {
        Self::new(&[worker_program().to_str().unwrap(), ".", "?.lua"])
    }

    /// Submits texts as units named by file; gives the generation.
    fn save(&mut self, texts: &[(&str, &str)]) -> u64 {
        self.generation += 1;
        let unit = |&(name, text): &(&str, &str)| Unit {
            name: name.into(),
            chunk: format!("@{name}.lua"),
            act: if self.host.is_loaded(name) {
                Act::Replace
            } else {
                Act::Load
            },
            hash: ContentHash::of(text.as_bytes()).to_string(),
            text: Some(text.into()),
            ..Unit::default()
        };
        let update = Update {
            generation: self.generation,
            units: texts.iter().map(unit).collect(),
            journal: Journal::All,
            ..Update::default()
        };
        let reports = self.host.submit(Instant::now(), update);
        self.reports.extend(reports);
        self.generation
    }

    /// Takes in events until `found` answers.
    fn until<T>(&mut self, what: &str, found: impl Fn(&[Report]) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(it) = found(&self.reports) {
                return it;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "waited for {what}; so far: {:#?}",
                self.reports
            );
            let due = self
                .host
                .next_deadline()
                .unwrap_or_else(|| Instant::now() + PATIENCE);
            let reports = match self.events.recv_deadline(due) {
                Ok(event) => self.host.handle(Instant::now(), event),
                Err(_) => self.host.tick(Instant::now()),
            };
            self.reports.extend(reports);
        }
    }

    fn done(&mut self, generation: u64) -> Done {
        self.until("done", |reports| {
            reports.iter().find_map(|it| match it {
                Report::Done(done) if done.generation == generation => Some((**done).clone()),
                _ => None,
            })
        })
    }

    fn apply(&mut self, texts: &[(&str, &str)]) {
        let generation = self.save(texts);
        let done = self.done(generation);
        assert_eq!(done.outcome, Outcome::Applied, "{done:#?}");
    }

    /// Live value of a slot such as `a:n` that differs from its base; null if it does not.
    fn live(&mut self, unit: &str, root: &str) -> Value {
        let (is_sent, reports) = self.host.tell(
            Instant::now(),
            ToHost::Capture(Capture {
                id: 7,
                of: vec![unit.into()],
            }),
        );
        assert!(is_sent);
        self.reports.retain(|it| !matches!(it, Report::Captured(_)));
        self.reports.extend(reports);
        let content = self.until("captured", |reports| {
            reports.iter().find_map(|it| match it {
                Report::Captured(captured) => Some(captured.content.clone()),
                _ => None,
            })
        });
        content["roots"][root].clone()
    }

    fn state(&mut self, state: HostState) {
        self.until("a state", |reports| {
            reports.contains(&Report::State(state)).then_some(())
        });
    }
}

/// The worker as an example of this crate, which `cargo test` builds beside the tests.
fn worker_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/lua-host");
    assert!(
        program.is_file(),
        "first: cargo build -p hotsave-lua --example lua-host"
    );
    program
}

const COUNTER: &str = "return { n = 0 }";
/// Each run of it counts in the other module.
const BUMP: &str = "local a = require 'a' a.n = a.n + 1 return {}";

/// A worker in which `a.n` is 2, which loading the accepted texts alone would not make it.
fn worker_with_state() -> Driver {
    let mut driver = Driver::worker();
    driver.apply(&[("a", COUNTER), ("b", BUMP)]);
    driver.apply(&[("b", &format!("{BUMP} -- again"))]);
    assert_eq!(driver.live("a", "a:n"), 2);
    driver
}

fn assert_rebuilt(driver: &mut Driver, generation: u64) {
    let done = driver.done(generation);
    assert_eq!(
        (done.outcome, done.reason.as_deref()),
        (Outcome::RolledBack, Some("rebuilt")),
        "{done:#?}"
    );
    assert_eq!(driver.host.state(), HostState::Ready);
    assert_eq!(driver.live("a", "a:n"), 2, "state is back");
    driver.apply(&[("b", "local a = require 'a' a.n = a.n + 10 return {}")]);
    assert_eq!(driver.live("a", "a:n"), 12, "and the host is usable");
}

#[test]
fn a_worker_killed_in_mid_transaction_is_rebuilt_with_its_state() {
    let mut driver = worker_with_state();
    let generation = driver.save(&[("b", "while true do end")]);
    driver.until("begin", |reports| {
        reports
            .iter()
            .any(|it| matches!(it, Report::Began { generation: it, .. } if *it == generation))
            .then_some(())
    });
    let pid = driver.host.pid().unwrap();
    kill_process(
        Pid::from_raw(pid.try_into().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    assert_rebuilt(&mut driver, generation);
    assert_ne!(driver.host.pid().unwrap(), pid);
}

#[test]
fn a_pattern_that_explodes_inside_c_is_killed_and_the_worker_rebuilt() {
    let mut driver = worker_with_state();
    let pid = driver.host.pid().unwrap();
    let explosion = "local s = string.rep('a', 40) return { s:find(string.rep('a?', 40) .. s) }";
    let generation = driver.save(&[("b", explosion)]);
    assert_rebuilt(&mut driver, generation);
    assert_ne!(
        driver.host.pid().unwrap(),
        pid,
        "no hook runs inside the pattern matcher"
    );
    assert_eq!(driver.done(generation).problems[0].chunk, "@b.lua");
}

#[test]
fn a_worker_killed_while_idle_is_back_at_the_next_save() {
    let mut driver = worker_with_state();
    let pid = driver.host.pid().unwrap();
    kill_process(
        Pid::from_raw(pid.try_into().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    driver.state(HostState::Crashed);
    driver.apply(&[("c", "return require('a').n")]);
    assert_eq!(driver.live("a", "a:n"), 2);
}

#[test]
fn a_worker_ends_when_asked_to() {
    let mut driver = worker_with_state();
    let reports = driver.host.stop(Instant::now());
    driver.reports.extend(reports);
    driver.state(HostState::Absent);
    assert!(!driver.host.has_process());
    assert!(
        !driver
            .reports
            .iter()
            .any(|it| matches!(it, Report::Lost { .. })),
        "that is no accident"
    );
}

#[test]
fn a_worker_ends_with_its_input_even_while_it_loops() {
    let mut child = Command::new(worker_program())
        .args([".", "?.lua"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let limits = Limits {
        deadline_ms: 3_600_000,
        ..Limits::default()
    };
    let unit = Unit {
        name: "a".into(),
        chunk: "@a.lua".into(),
        text: Some("while true do end".into()),
        ..Unit::default()
    };
    let update = Update {
        tx: 1,
        generation: 1,
        units: vec![unit],
        deadline_ms: 3_600_000,
        ..Update::default()
    };
    for message in [
        ToHost::Welcome(Welcome {
            protocol: 1,
            limits,
            ..Welcome::default()
        }),
        ToHost::Update(update),
    ] {
        stdin.write_all(&encode(&message).unwrap()).unwrap();
    }
    let mut line = Vec::new();
    while !matches!(
        line.strip_prefix(b"\x1e").map(decode),
        Some(Ok(FromHost::Begin(_)))
    ) {
        line.clear();
        assert_ne!(
            stdout.read_until(b'\n', &mut line).unwrap(),
            0,
            "ended before it began"
        );
    }
    drop(stdin);
    let (ended, end) = unbounded();
    std::thread::spawn(move || ended.send(child.wait()));
    end.recv_timeout(PATIENCE)
        .expect("the worker ends")
        .unwrap();
}

/// What a shell has to print to count as a host that is up.
const UP: &str = r#"printf '\036{"t":"hello","protocol":1,"kind":"worker"}\n\036{"t":"loaded"}\n'"#;

#[test]
fn dropping_a_host_kills_all_that_its_process_started() {
    let mut driver = Driver::new(&[
        "sh",
        "-c",
        &format!("exec 3>alive; sleep 1000 & {UP}; exec sleep 1000"),
    ]);
    let fifo = driver.folder.path().join("alive");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let (gone, is_gone) = unbounded();
    std::thread::spawn(move || {
        // Ends when the last process that has it open for writing is dead.
        let mut rest = Vec::new();
        std::fs::File::open(Path::new(&fifo))
            .unwrap()
            .read_to_end(&mut rest)
            .unwrap();
        gone.send(()).unwrap();
    });
    let reports = driver.host.start(Instant::now());
    driver.reports.extend(reports);
    driver.state(HostState::Ready);
    assert!(is_gone.try_recv().is_err());
    drop(driver);
    is_gone
        .recv_timeout(PATIENCE)
        .expect("nobody holds the pipe open");
}

#[test]
fn a_host_that_does_not_end_when_asked_to_is_killed() {
    let mut driver = Driver::new(&["sh", "-c", &format!("{UP}; exec sleep 1000")]);
    let reports = driver.host.start(Instant::now());
    driver.reports.extend(reports);
    driver.state(HostState::Ready);
    let now = Instant::now();
    driver.host.stop(now);
    assert_eq!(driver.host.next_deadline(), Some(now + STOP_LIMIT));
    driver.host.tick(now + STOP_LIMIT);
    assert_eq!(
        (driver.host.has_process(), driver.host.state()),
        (false, HostState::Absent)
    );
}

#[test]
fn what_is_printed_past_the_runtime_becomes_log() {
    let script = format!(
        "{UP}; printf 'from c'; printf '\\036{{\"t\":\"future\"}}\\nline\\n'; echo oops >&2; printf '\\036rubbish\\n'; cat"
    );
    let mut driver = Driver::new(&["sh", "-c", &script]);
    let reports = driver.host.start(Instant::now());
    driver.reports.extend(reports);
    for (level, text) in [
        (Level::Out, "from c"),
        (Level::Out, "line"),
        (Level::Err, "oops"),
        (Level::Warn, "the Lua host sent no message"),
    ] {
        driver.until(text, |reports| {
            let is_it = |it: &Report| matches!(it, Report::Log(log) if log.level == level && log.text.starts_with(text));
            reports.iter().any(is_it).then_some(())
        });
    }
    assert_eq!(driver.host.state(), HostState::Ready);
}

#[test]
fn a_program_that_does_not_exist_is_said_so() {
    let mut driver = Driver::new(&["/nowhere/lua-host"]);
    let generation = driver.save(&[("a", COUNTER)]);
    let done = driver.done(generation);
    assert_eq!(done.outcome, Outcome::Rejected);
    assert!(
        done.problems[0]
            .message
            .starts_with("cannot start the Lua host: /nowhere/lua-host: "),
        "{done:?}"
    );
    assert_eq!(driver.host.state(), HostState::Crashed);
    assert_eq!(
        driver.reports.last(),
        Some(&Report::State(HostState::Crashed)),
        "the last word is the true one"
    );
}

#[test]
fn a_process_that_dies_at_once_fails_what_needed_it() {
    let mut driver = Driver::new(&["sh", "-c", "echo 'no such option' >&2; exit 3"]);
    let generation = driver.save(&[("a", COUNTER)]);
    let done = driver.done(generation);
    assert_eq!(
        (done.outcome, done.problems[0].message.as_str()),
        (Outcome::Rejected, "the Lua host is gone: exit status 3")
    );
}

#[test]
fn a_sink_nobody_listens_to_does_no_harm() {
    let mut driver = Driver::new(&["sh", "-c", &format!("{UP}; exec cat")]);
    let reports = driver.host.start(Instant::now());
    driver.reports.extend(reports);
    driver.state(HostState::Ready);
    let (sender, closed) = unbounded();
    drop(sender);
    driver.events = closed;
    driver.host.handle(
        Instant::now(),
        HostEvent {
            process: 1,
            kind: HostEventKind::TooLong,
        },
    );
    assert_eq!(
        (driver.host.has_process(), driver.host.state()),
        (false, HostState::Crashed)
    );
}
