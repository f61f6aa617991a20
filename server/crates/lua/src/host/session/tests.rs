//! Tests of the session against a process that is a value: by hand for each path, by chance for the invariants.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    errors::codes,
    wire::{Cause, DoneUnit, Loaded, Problem, Use},
};

/// A session, a pretended process and a clock that only the test moves.
struct Rig {
    session: Session,
    now: Instant,
    process: Option<Pretended>,
    /// What a rebuilt process has to hold: units in load order, and state by `unit:path`.
    truth: (Vec<(String, String)>, BTreeMap<String, i64>),
    last_tx: u64,
    reports: Vec<Report>,
    /// Generations submitted, and how often each was answered.
    answers: HashMap<u64, u32>,
}

#[derive(Default)]
struct Pretended {
    number: u64,
    has_greeted: bool,
    is_welcome: bool,
    is_up: bool,
    has_begun: bool,
    is_asked_to_stop: bool,
    work: Option<ToHost>,
    ping: Option<u64>,
    units: Vec<(String, String)>,
    state: BTreeMap<String, i64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Applied,
    RolledBack,
}

impl Rig {
    fn new() -> Self {
        Self {
            session: Session::new(Settings::default()),
            now: Instant::now(),
            process: None,
            truth: Default::default(),
            last_tx: 0,
            reports: Vec::new(),
            answers: HashMap::new(),
        }
    }

    /// Carries out actions and checks what must hold of each.
    fn obey(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Spawn(number) => {
                    assert!(self.process.is_none(), "one process at a time");
                    self.process = Some(Pretended {
                        number,
                        ..Pretended::default()
                    });
                }
                Action::Kill(number) => {
                    self.process.take_if(|it| it.number == number);
                }
                Action::Send(message) => {
                    let process = self.process.as_mut().expect("nothing is sent to nobody");
                    assert!(process.has_greeted, "nothing is sent before hello");
                    match *message {
                        ToHost::Welcome(_) => process.is_welcome = true,
                        ToHost::Ping(beat) => {
                            assert!(process.work.is_none(), "no ping in a transaction");
                            process.ping = Some(beat.n);
                        }
                        ToHost::Stop => process.is_asked_to_stop = true,
                        ToHost::Update(Update { tx, .. }) | ToHost::Restore(Restore { tx, .. }) => {
                            assert!(process.is_up, "no work before loaded");
                            assert!(process.work.is_none(), "one transaction is outstanding");
                            assert!(tx > self.last_tx, "tx rises");
                            self.last_tx = tx;
                            process.work = Some(*message);
                        }
                        _ => {}
                    }
                }
                Action::Report(report) => {
                    let answered = match &report {
                        Report::Done(done) => Some(done.generation),
                        Report::Superseded { generation, .. } => Some(*generation),
                        Report::Lost { forgotten, .. } => {
                            self.truth.0.retain(|(name, _)| !forgotten.contains(name));
                            let is_kept = |root: &String| {
                                !forgotten
                                    .iter()
                                    .any(|it| root.starts_with(&format!("{it}:")))
                            };
                            self.truth.1.retain(|root, _| is_kept(root));
                            None
                        }
                        _ => None,
                    };
                    if let Some(generation) = answered {
                        *self
                            .answers
                            .get_mut(&generation)
                            .expect("only what was submitted is answered") += 1;
                    }
                    self.reports.push(report);
                }
            }
        }
        let is_idle = self.session.state() == HostState::Ready;
        if let (true, Some(process)) = (is_idle, &self.process) {
            assert_eq!(
                (&process.units, &process.state),
                (&self.truth.0, &self.truth.1),
                "a ready host has everything"
            );
        }
    }

    fn submit(&mut self, generation: u64, units: &[(&str, &str)]) {
        let unit = |&(name, text): &(&str, &str)| Unit {
            name: name.into(),
            act: if self.session.is_loaded(name) {
                Act::Replace
            } else {
                Act::Load
            },
            chunk: format!("@{name}.lua"),
            hash: text.into(),
            text: Some(text.into()),
            ..Unit::default()
        };
        let units = units.iter().map(unit).collect();
        self.answers.insert(generation, 0);
        let actions = self.session.submit(
            self.now,
            Update {
                generation,
                units,
                ..Update::default()
            },
        );
        self.obey(actions);
    }

    fn hear(&mut self, message: FromHost) {
        let process = self.process.as_ref().expect("a process").number;
        self.event(process, HostEventKind::Message(message));
    }

    fn event(&mut self, process: u64, kind: HostEventKind) {
        let actions = self.session.handle(self.now, HostEvent { process, kind });
        self.obey(actions);
    }

    fn die(&mut self) {
        if let Some(process) = self.process.take() {
            self.event(
                process.number,
                HostEventKind::Exited("exit status 1".into()),
            );
        }
    }

    fn advance(&mut self, duration: Duration) {
        self.now += duration;
        let actions = self.session.tick(self.now);
        self.obey(actions);
    }

    /// The process does the next thing it owes; false if there is none.
    fn step(&mut self, verdict: Verdict) -> bool {
        let Some(process) = self.process.as_mut() else {
            return false;
        };
        if !process.has_greeted {
            process.has_greeted = true;
            self.hear(FromHost::Hello(Box::new(Hello {
                protocol: PROTOCOL,
                ..Hello::default()
            })));
        } else if !process.is_up {
            assert!(process.is_welcome);
            process.is_up = true;
            self.hear(FromHost::Loaded(Loaded::default()));
        } else if let Some(n) = process.ping.take() {
            self.hear(FromHost::Pong(Beat { n }));
        } else if let (Some(work), false) = (&process.work, process.has_begun) {
            process.has_begun = true;
            let tx = tx_of(work);
            self.hear(FromHost::Begin(Begin { tx, captured: None }));
        } else if let Some(work) = process.work.take() {
            process.has_begun = false;
            let is_rebuild = matches!(
                &work,
                ToHost::Update(Update {
                    cause: Cause::Startup,
                    ..
                }) | ToHost::Restore(_)
            );
            let done = process.carry_out(work, verdict);
            if done.outcome == Outcome::Applied && !is_rebuild {
                self.truth = (process.units.clone(), process.state.clone());
            }
            self.hear(FromHost::Done(Box::new(done)));
        } else if process.is_asked_to_stop {
            self.die();
        } else {
            return false;
        }
        true
    }

    fn settle(&mut self) {
        while self.step(Verdict::Applied) {}
    }

    /// The outcome reported for a generation, `None` if none was yet.
    fn outcome(&self, generation: u64) -> Option<&Done> {
        self.reports.iter().find_map(|it| match it {
            Report::Done(done) if done.generation == generation => Some(&**done),
            _ => None,
        })
    }

    fn states(&self) -> Vec<HostState> {
        let states = self.reports.iter().filter_map(|it| match it {
            Report::State(state) => Some(*state),
            _ => None,
        });
        states.collect()
    }
}

impl Pretended {
    /// Loads and replaces texts; each run counts in the unit's state, so that lost state is seen.
    fn carry_out(&mut self, work: ToHost, verdict: Verdict) -> Done {
        match (work, verdict) {
            (ToHost::Update(update), Verdict::Applied) => {
                let mut units = Vec::new();
                for unit in update.units {
                    let text = unit.text.expect("a text");
                    match self.units.iter_mut().find(|(name, _)| *name == unit.name) {
                        Some((_, old)) => *old = text,
                        None => self.units.push((unit.name.clone(), text)),
                    }
                    let root = format!("{}:n", unit.name);
                    if update.cause != Cause::Startup {
                        let n_runs = self.state.entry(root).or_default();
                        *n_runs += 1;
                    }
                    units.push(DoneUnit {
                        name: unit.name,
                        act: unit.act,
                        ran: true,
                        ..DoneUnit::default()
                    });
                }
                Done {
                    tx: update.tx,
                    generation: update.generation,
                    outcome: Outcome::Applied,
                    units,
                    dirty: Some(json!({"v": 1, "roots": self.state, "tables": []})),
                    ..Done::default()
                }
            }
            (ToHost::Restore(restore), Verdict::Applied) => {
                for (root, value) in restore.content["roots"].as_object().expect("roots") {
                    self.state
                        .insert(root.clone(), value.as_i64().expect("a count"));
                }
                Done {
                    tx: restore.tx,
                    generation: restore.generation,
                    outcome: Outcome::Applied,
                    ..Done::default()
                }
            }
            (work, Verdict::RolledBack) => {
                let generation = match &work {
                    ToHost::Update(update) => update.generation,
                    ToHost::Restore(restore) => restore.generation,
                    other => panic!("no work: {other:?}"),
                };
                Done {
                    tx: tx_of(&work),
                    generation,
                    outcome: Outcome::RolledBack,
                    ..Done::default()
                }
            }
            (other, _) => panic!("no work: {other:?}"),
        }
    }
}

fn tx_of(work: &ToHost) -> u64 {
    match work {
        ToHost::Update(update) => update.tx,
        ToHost::Restore(restore) => restore.tx,
        other => panic!("no work: {other:?}"),
    }
}

/// Time that is surely over the limit of a small transaction.
const HANG: Duration = Duration::from_millis(1_501);

#[test]
fn the_first_need_starts_a_process() {
    let mut rig = Rig::new();
    assert_eq!(rig.session.state(), HostState::Absent);
    assert_eq!(rig.session.next_deadline(), None);
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    assert_eq!(rig.outcome(1).unwrap().outcome, Outcome::Applied);
    assert_eq!(
        rig.states(),
        [HostState::Starting, HostState::Busy, HostState::Ready]
    );
    let begun = rig
        .reports
        .iter()
        .position(|it| matches!(it, Report::Began { generation: 1, .. }))
        .unwrap();
    let done = rig
        .reports
        .iter()
        .position(|it| matches!(it, Report::Done(_)))
        .unwrap();
    assert!(begun < done);
    assert!(rig.session.is_loaded("a"));
}

#[test]
fn what_comes_while_one_is_outstanding_is_merged_into_one() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    for generation in 2..=11 {
        rig.submit(generation, &[("a", &generation.to_string())]);
    }
    rig.submit(12, &[("b", "x")]);
    rig.settle();
    let ends: Vec<_> = (2..=12)
        .map(|it| rig.outcome(it).map(|it| it.outcome))
        .collect();
    assert_eq!(
        ends.iter().flatten().count(),
        2,
        "the first, and all others in one"
    );
    assert_eq!(
        (ends[0], ends[10]),
        (Some(Outcome::Applied), Some(Outcome::Applied))
    );
    assert!(rig.reports.contains(&Report::Superseded {
        generation: 5,
        by: 6
    }));
    assert_eq!(
        rig.truth.0,
        [("a".into(), "11".into()), ("b".into(), "x".into())],
        "the last text of each wins"
    );
}

#[test]
fn a_first_load_that_waited_behind_another_becomes_a_replacement() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.submit(2, &[("a", "2")]);
    for _ in 0..3 {
        rig.step(Verdict::Applied);
    }
    // Both waited for the process: they were one. A third, planned now, still sees nothing loaded.
    rig.submit(3, &[("a", "3")]);
    rig.step(Verdict::Applied);
    let Some(ToHost::Update(update)) = &rig.process.as_ref().unwrap().work else {
        panic!("an update")
    };
    assert_eq!((update.generation, update.units[0].act), (3, Act::Replace));
}

#[test]
fn a_hang_is_killed_and_everything_is_back_before_it_is_reported() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1"), ("b", "1")]);
    rig.settle();
    rig.submit(2, &[("a", "2")]);
    rig.settle();
    rig.submit(3, &[("b", "endless")]);
    rig.step(Verdict::Applied);
    let first = rig.process.as_ref().unwrap().number;
    rig.advance(HANG - Duration::from_millis(2));
    assert_eq!(
        rig.process.as_ref().unwrap().number,
        first,
        "the runtime has its deadline and half a second more"
    );
    rig.advance(Duration::from_millis(2));
    assert_ne!(rig.process.as_ref().unwrap().number, first);
    assert_eq!(rig.outcome(3), None, "not before the state is back");
    rig.settle();
    let done = rig.outcome(3).unwrap();
    assert_eq!(
        (done.outcome, done.stage.as_deref(), done.reason.as_deref()),
        (Outcome::RolledBack, Some("host"), Some("rebuilt"))
    );
    assert_eq!(
        (
            done.problems[0].code.as_str(),
            done.problems[0].chunk.as_str()
        ),
        (codes::TIMEOUT, "@b.lua")
    );
    assert_eq!(
        rig.truth.1,
        BTreeMap::from([("a:n".into(), 2), ("b:n".into(), 1)])
    );
    use HostState::{Busy, Crashed, NotResponding, Ready, Starting};
    assert!(
        rig.states()
            .ends_with(&[Busy, NotResponding, Crashed, Starting, Ready]),
        "{:?}",
        rig.states()
    );
}

#[test]
fn more_units_have_more_time() {
    let mut rig = Rig::new();
    let units: Vec<(String, String)> = (0..60)
        .map(|it| (format!("m{it}"), "1".to_owned()))
        .collect();
    let units: Vec<(&str, &str)> = units
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    rig.submit(1, &units);
    for _ in 0..3 {
        rig.step(Verdict::Applied);
    }
    assert_eq!(
        rig.session.next_deadline(),
        Some(rig.now + Duration::from_millis(1_000 + 500 + 50 * 20))
    );
}

#[test]
fn a_crash_in_mid_transaction_is_rolled_back_by_rebuilding() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    rig.submit(2, &[("a", "2")]);
    rig.step(Verdict::Applied);
    rig.die();
    rig.settle();
    let done = rig.outcome(2).unwrap();
    assert_eq!(
        (done.outcome, done.problems[0].code.as_str()),
        (Outcome::RolledBack, codes::HOST_LOST)
    );
    assert_eq!(rig.truth.0, [("a".into(), "1".into())]);
    assert_eq!(rig.session.state(), HostState::Ready);
}

#[test]
fn a_crash_while_idle_waits_for_the_next_need() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    rig.die();
    assert_eq!(rig.session.state(), HostState::Crashed);
    assert!(
        matches!(&rig.reports[..], [.., Report::State(HostState::Crashed), Report::Lost { forgotten, .. }] if forgotten.is_empty())
    );
    assert!(rig.process.is_none());
    rig.submit(2, &[("b", "1")]);
    rig.settle();
    assert_eq!(rig.outcome(2).unwrap().outcome, Outcome::Applied);
    assert_eq!(rig.process.as_ref().unwrap().units.len(), 2);
}

#[test]
fn a_text_that_killed_three_times_waits_until_it_changes() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    for generation in 2..=4 {
        rig.submit(generation, &[("a", "endless")]);
        rig.step(Verdict::Applied);
        rig.advance(HANG);
        rig.settle();
        assert_eq!(
            rig.outcome(generation).unwrap().outcome,
            Outcome::RolledBack
        );
    }
    let alive = rig.process.as_ref().unwrap().number;
    rig.submit(5, &[("a", "endless"), ("b", "1")]);
    let done = rig.outcome(5).unwrap();
    assert_eq!(
        (done.outcome, done.problems[0].unit.as_deref()),
        (Outcome::Rejected, Some("a"))
    );
    rig.submit(6, &[("a", "mended")]);
    rig.settle();
    assert_eq!(rig.outcome(6).unwrap().outcome, Outcome::Applied);
    assert_eq!(rig.process.as_ref().unwrap().number, alive);
}

#[test]
fn a_text_that_the_host_answers_is_acquitted() {
    let mut rig = Rig::new();
    for generation in 1..=6 {
        rig.submit(generation, &[("a", "slow at times")]);
        if generation % 3 == 0 {
            rig.settle();
            continue;
        }
        while rig.process.as_ref().is_none_or(|it| it.work.is_none()) {
            rig.step(Verdict::Applied);
        }
        rig.step(Verdict::Applied);
        rig.advance(HANG);
        rig.settle();
    }
    let ends: Vec<_> = (1..=6).map(|it| rig.outcome(it).unwrap().outcome).collect();
    use Outcome::{Applied, RolledBack};
    assert_eq!(
        ends,
        [
            RolledBack, RolledBack, Applied, RolledBack, RolledBack, Applied
        ]
    );
}

#[test]
fn an_idle_host_is_asked_every_two_seconds_and_killed_after_six_of_silence() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    let second = Duration::from_secs(1);
    assert_eq!(rig.session.next_deadline(), Some(rig.now + 2 * second));
    for _ in 0..5 {
        rig.advance(2 * second);
        assert!(rig.process.as_ref().unwrap().ping.is_some());
        rig.settle();
    }
    for _ in 0..3 {
        rig.advance(2 * second);
        assert_eq!(rig.session.state(), HostState::Ready);
    }
    rig.advance(2 * second);
    assert!(
        rig.states()
            .ends_with(&[HostState::NotResponding, HostState::Crashed])
    );
    assert!(rig.process.is_none());
}

#[test]
fn a_process_that_cannot_be_started_fails_what_needs_it_and_the_next_need_tries_again() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.process = None;
    rig.event(1, HostEventKind::SpawnFailed("no such file".into()));
    let done = rig.outcome(1).unwrap();
    assert_eq!(
        (done.outcome, done.problems[0].message.as_str()),
        (Outcome::Rejected, "cannot start the Lua host: no such file")
    );
    assert_eq!(rig.session.state(), HostState::Crashed);
    rig.submit(2, &[("a", "1")]);
    rig.settle();
    assert_eq!(rig.outcome(2).unwrap().outcome, Outcome::Applied);
}

#[test]
fn a_process_that_never_says_hello_is_killed() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.advance(START_LIMIT);
    assert!(rig.process.is_none());
    assert_eq!(rig.outcome(1).unwrap().outcome, Outcome::Rejected);
}

#[test]
fn another_protocol_is_refused() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.process.as_mut().unwrap().has_greeted = true;
    rig.hear(FromHost::Hello(Box::new(Hello {
        protocol: 2,
        ..Hello::default()
    })));
    assert!(rig.process.is_none());
    assert_eq!(rig.outcome(1).unwrap().outcome, Outcome::Rejected);
}

#[test]
fn texts_that_kill_every_rebuild_are_given_up() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1"), ("b", "1")]);
    rig.settle();
    rig.submit(2, &[("a", "2")]);
    rig.die();
    for _ in 0..3 {
        while rig.process.as_ref().unwrap().work.is_none() {
            rig.step(Verdict::Applied);
        }
        rig.die();
    }
    assert_eq!(rig.outcome(2).unwrap().outcome, Outcome::NeedsRestart);
    let lost = rig.reports.iter().rev().find_map(|it| match it {
        Report::Lost { forgotten, .. } => Some(forgotten.clone()),
        _ => None,
    });
    assert_eq!(lost, Some(vec!["a".into(), "b".into()]));
    assert!(!rig.session.is_loaded("a"));
    rig.submit(3, &[("a", "3")]);
    rig.settle();
    assert_eq!(rig.outcome(3).unwrap().outcome, Outcome::Applied);
}

#[test]
fn a_text_that_no_longer_loads_is_left_out_of_the_rebuild() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1"), ("b", "1")]);
    rig.settle();
    rig.die();
    rig.submit(2, &[("c", "1")]);
    while rig.process.as_ref().unwrap().work.is_none() {
        rig.step(Verdict::Applied);
    }
    let tx = tx_of(&rig.process.as_mut().unwrap().work.take().unwrap());
    let problems = vec![Problem {
        unit: Some("b".into()),
        message: "no".into(),
        ..Problem::default()
    }];
    rig.hear(FromHost::Done(Box::new(Done {
        tx,
        outcome: Outcome::RolledBack,
        problems,
        ..Done::default()
    })));
    assert!(
        rig.reports
            .iter()
            .any(|it| matches!(it, Report::Lost { forgotten, .. } if forgotten == &["b"]))
    );
    rig.settle();
    assert_eq!(rig.outcome(2).unwrap().outcome, Outcome::Applied);
    assert!(rig.session.is_loaded("a") && !rig.session.is_loaded("b"));
}

#[test]
fn stopping_cancels_what_waits_and_kills_who_does_not_end() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    rig.submit(2, &[("a", "2")]);
    rig.submit(3, &[("a", "3")]);
    let actions = rig.session.stop(rig.now);
    rig.obey(actions);
    assert_eq!(rig.outcome(3).unwrap().outcome, Outcome::Cancelled);
    assert_eq!(rig.outcome(2), None, "it may still end");
    rig.advance(STOP_LIMIT);
    assert_eq!(rig.outcome(2).unwrap().outcome, Outcome::Cancelled);
    assert!(rig.process.is_none());
    assert_eq!(rig.session.state(), HostState::Absent);
    rig.submit(4, &[("b", "1")]);
    rig.settle();
    assert_eq!(
        rig.process.as_ref().unwrap().units.len(),
        2,
        "accepted texts are kept"
    );
}

#[test]
fn a_change_that_fits_no_line_is_refused_and_the_host_goes_on() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    rig.submit(2, &[("a", "2")]);
    rig.process.as_mut().unwrap().work = None;
    rig.event(1, HostEventKind::Unsendable);
    assert_eq!(rig.outcome(2).unwrap().outcome, Outcome::Rejected);
    assert_eq!(rig.session.state(), HostState::Ready);
}

#[test]
fn a_waiting_transaction_can_be_withdrawn_and_a_sent_one_is_asked_back() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    rig.submit(2, &[("a", "2")]);
    rig.submit(3, &[("b", "1")]);
    let actions = rig.session.cancel(rig.now, 3);
    rig.obey(actions);
    assert_eq!(rig.outcome(3).unwrap().outcome, Outcome::Cancelled);
    let tx = tx_of(rig.process.as_ref().unwrap().work.as_ref().unwrap());
    let actions = rig.session.cancel(rig.now, 2);
    assert_eq!(actions, [Action::Send(Box::new(ToHost::Cancel(Tx { tx })))]);
}

#[test]
fn what_the_host_loaded_by_itself_is_rebuilt_too() {
    let mut rig = Rig::new();
    rig.submit(1, &[("a", "1")]);
    rig.settle();
    for text in ["found on disk", "not this one"] {
        rig.session.adopt(Unit {
            name: "b".into(),
            text: Some(text.into()),
            ..Unit::default()
        });
    }
    rig.truth.0.push(("b".into(), "found on disk".into()));
    rig.die();
    rig.submit(2, &[("b", "2")]);
    rig.settle();
    assert_eq!(rig.outcome(2).unwrap().units[0].act, Act::Replace);
}

#[test]
fn two_waiting_reruns_run_if_either_would() {
    let rerun = |reads: &str| {
        let taken = Use {
            reads: vec![reads.into()],
            ..Use::default()
        };
        let unit = Unit {
            name: "a".into(),
            act: Act::Rerun,
            when: BTreeMap::from([("d".to_owned(), taken)]),
            ..Unit::default()
        };
        Update {
            units: vec![unit],
            ..Update::default()
        }
    };
    let merged = merge(rerun("x"), rerun("y"));
    assert_eq!(merged.units[0].when["d"].reads, ["y", "x"]);
}

#[derive(Clone, Debug)]
enum Op {
    Submit(Vec<(&'static str, u8)>),
    Step(bool),
    Advance(u64),
    Die,
    Stop,
    Cancel(u64),
    /// A dead process is heard again.
    Ghost(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let unit = (proptest::sample::select(vec!["a", "b", "c", "d"]), 0..4u8);
    prop_oneof![
        6 => proptest::collection::vec(unit, 1..4).prop_map(Op::Submit),
        16 => prop::bool::weighted(0.8).prop_map(Op::Step),
        2 => (0..3_000u64).prop_map(Op::Advance),
        1 => Just(Op::Die),
        1 => Just(Op::Stop),
        1 => (0..20u64).prop_map(Op::Cancel),
        1 => (0..20u64).prop_map(Op::Ghost),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens to the process: each generation ends once, and a host that is ready has every accepted text
    /// and its state (checked in [`Rig::obey`]).
    #[test]
    fn every_generation_ends_once_and_nothing_accepted_is_lost(ops in proptest::collection::vec(op(), 0..120)) {
        let mut rig = Rig::new();
        let mut generation = 0;
        for op in ops {
            match op {
                Op::Submit(mut units) => {
                    units.sort_unstable();
                    units.dedup_by_key(|it| it.0);
                    generation += 1;
                    let units: Vec<_> = units.into_iter().map(|(name, text)| (name, text.to_string())).collect();
                    let units: Vec<_> = units.iter().map(|(name, text)| (*name, text.as_str())).collect();
                    rig.submit(generation, &units);
                }
                Op::Step(is_good) => {
                    // A refused rebuild has its own test: here it would forget units for reasons of its own.
                    let is_mine = rig.process.as_ref().is_some_and(|it| matches!(&it.work, Some(ToHost::Update(it)) if it.cause != Cause::Startup));
                    rig.step(if is_good || !is_mine { Verdict::Applied } else { Verdict::RolledBack });
                }
                Op::Advance(ms) => rig.advance(Duration::from_millis(ms)),
                Op::Die => rig.die(),
                Op::Stop => {
                    let actions = rig.session.stop(rig.now);
                    rig.obey(actions);
                }
                Op::Cancel(generation) => {
                    let actions = rig.session.cancel(rig.now, generation);
                    rig.obey(actions);
                }
                Op::Ghost(process) => {
                    if rig.process.as_ref().is_none_or(|it| it.number != process) && process < rig.session.process {
                        let done = Done { tx: rig.last_tx, outcome: Outcome::Applied, ..Done::default() };
                        rig.event(process, HostEventKind::Message(FromHost::Done(Box::new(done))));
                        rig.event(process, HostEventKind::Exited("late".into()));
                    }
                }
            }
        }
        rig.settle();
        let unanswered: Vec<_> = rig.answers.iter().filter(|(_, n_answers)| **n_answers != 1).collect();
        prop_assert!(unanswered.is_empty(), "not answered once: {unanswered:?}");
    }
}
