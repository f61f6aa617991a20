//! The lanes on which everything but answers leaves: what waits, what may be dropped, what goes next.
//!
//! Pure: knows no client and no clock, and never waits. Must stay true: memory is bounded however long nothing is taken
//! out; a start and its finish leave both or neither; of what only its newest state matters, the newest leaves.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::Path,
    sync::Arc,
};

use hotsave_engine::generation::Generation;

use crate::workspace::output::{FileProblems, Finished, Level, Started, Status};

/// Most that wait on the ordered lane; beyond it whole reloads are dropped.
const MAX_ORDERED: usize = 4096;
/// Most lines that wait for the log.
const MAX_LOG: usize = 1024;

/// Something on its way to the client.
#[derive(Clone, Debug)]
pub(super) enum Parcel {
    /// `hotsave/reloadStarted`.
    Started(Started),
    /// `hotsave/reloadFinished`.
    Finished(Box<Finished>),
    /// `window/showMessage`.
    Message(Level, String),
    /// `hotsave/status`, and what is derived from it.
    Status(Box<Status>),
    /// `textDocument/publishDiagnostics`.
    Problems(FileProblems),
    /// `window/logMessage`.
    Log(Level, String),
    /// A request of ours.
    Ask {
        id: i64,
        method: &'static str,
        params: serde_json::Value,
    },
}

/// What "the same thing" is on the lane where the newest wins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Status(Arc<str>),
    Problems(Arc<Path>),
}

/// All lanes of one connection.
///
/// Ordered and latest parcels share one numbering: a latest parcel leaves before every ordered one that was put in after
/// it, and a newer one of its key takes a new place. So the diagnostics of a generation leave between its start and its
/// finish, and its final status after the finish.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    is_open: bool,
    next_place: u64,
    ordered: VecDeque<(u64, Parcel)>,
    latest: HashMap<Key, (u64, Parcel)>,
    places: BTreeMap<u64, Key>,
    asks: VecDeque<Parcel>,
    log: VecDeque<(Level, String)>,
    n_lost_lines: u64,
    n_lost_events: u64,
}

impl Lanes {
    /// Lets everything flow; before this only the log does.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// Puts a parcel on its lane.
    pub(super) fn put(&mut self, parcel: Parcel) {
        let key = match &parcel {
            Parcel::Status(it) => Key::Status(Arc::clone(&it.workspace)),
            Parcel::Problems(it) => Key::Problems(Arc::clone(&it.path)),
            Parcel::Started(_) | Parcel::Finished(_) | Parcel::Message(..) => {
                return self.put_ordered(parcel);
            }
            Parcel::Ask { .. } => return self.asks.push_back(parcel),
            Parcel::Log(level, line) => {
                if self.log.len() == MAX_LOG {
                    self.log.pop_front();
                    self.n_lost_lines += 1;
                }
                return self.log.push_back((*level, line.clone()));
            }
        };
        let place = self.place();
        if let Some((old_place, _)) = self.latest.insert(key.clone(), (place, parcel)) {
            self.places.remove(&old_place);
        }
        self.places.insert(place, key);
    }

    /// The parcel that leaves next.
    pub(super) fn take(&mut self) -> Option<Parcel> {
        if self.is_open {
            if let Some(ask) = self.asks.pop_front() {
                return Some(ask);
            }
            let ordered = self.ordered.front().map(|&(place, _)| place);
            let latest = self.places.first_key_value().map(|(&place, _)| place);
            let next = match (ordered, latest) {
                (Some(ordered), Some(latest)) if latest < ordered => self.take_latest(),
                (Some(_), _) => self.ordered.pop_front().map(|(_, parcel)| parcel),
                (None, _) => self.take_latest(),
            };
            if next.is_some() {
                return next;
            }
        }
        self.take_line()
    }

    /// Custom events dropped since the last call; each has used up its number.
    pub(super) fn take_lost_events(&mut self) -> u64 {
        std::mem::take(&mut self.n_lost_events)
    }

    fn place(&mut self) -> u64 {
        self.next_place += 1;
        self.next_place
    }

    fn put_ordered(&mut self, parcel: Parcel) {
        let place = self.place();
        self.ordered.push_back((place, parcel));
        while self.ordered.len() > MAX_ORDERED
            && (self.drop_oldest_reload() || self.drop_oldest_message())
        {}
    }

    fn take_latest(&mut self) -> Option<Parcel> {
        let (_, key) = self.places.pop_first()?;
        self.latest.remove(&key).map(|(_, parcel)| parcel)
    }

    fn take_line(&mut self) -> Option<Parcel> {
        if self.n_lost_lines > 0 {
            let n_lines = std::mem::take(&mut self.n_lost_lines);
            return Some(Parcel::Log(
                Level::Warning,
                format!("{n_lines} lines of the log were dropped"),
            ));
        }
        self.log
            .pop_front()
            .map(|(level, line)| Parcel::Log(level, line))
    }

    /// Drops the oldest start whose finish waits too, and that finish. A half-told reload stays: the client waits for it.
    fn drop_oldest_reload(&mut self) -> bool {
        let mut starts: HashMap<(&str, Generation), usize> = HashMap::new();
        let mut pair = None;
        for (idx, (_, parcel)) in self.ordered.iter().enumerate() {
            match parcel {
                Parcel::Started(it) => {
                    starts.insert((&it.workspace, it.generation), idx);
                }
                Parcel::Finished(it) => {
                    if let Some(&start) = starts.get(&(&*it.workspace, it.generation)) {
                        pair = Some((start, idx));
                        break;
                    }
                }
                _ => {}
            }
        }
        let Some((start, finish)) = pair else {
            return false;
        };
        self.ordered.remove(finish);
        self.ordered.remove(start);
        self.n_lost_events += 2;
        true
    }

    fn drop_oldest_message(&mut self) -> bool {
        let idx = self
            .ordered
            .iter()
            .position(|(_, it)| matches!(it, Parcel::Message(..)));
        idx.is_some_and(|idx| self.ordered.remove(idx).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hotsave_engine::outcome::{Outcome, Tag};
    use hotsave_protocol::{Cause, Health, Phase, ReloadKind};
    use proptest::prelude::*;

    use super::*;

    fn started(generation: u64) -> Parcel {
        Parcel::Started(Started {
            workspace: "w".into(),
            generation: Generation::new(generation),
            cause: Cause::Save,
            trigger: Vec::new(),
            kind: ReloadKind::Hot,
        })
    }

    fn finished(generation: u64) -> Parcel {
        Parcel::Finished(Box::new(Finished {
            workspace: "w".into(),
            generation: Generation::new(generation),
            outcome: Outcome::new(Tag::Applied),
            units: Vec::new(),
            duration: Duration::ZERO,
        }))
    }

    fn status(generation: u64) -> Parcel {
        Parcel::Status(Box::new(Status {
            workspace: "w".into(),
            generation: Generation::new(generation),
            health: Health::Ok,
            phase: Phase::Idle,
            last_good: Generation::new(generation),
            failing: Vec::new(),
            pending: 0,
            hosts: Vec::new(),
            message: None,
            paused: false,
            trust: None,
        }))
    }

    fn problems(generation: u64, path: &str) -> Parcel {
        Parcel::Problems(FileProblems {
            workspace: "w".into(),
            generation: Generation::new(generation),
            path: Path::new(path).into(),
            version: None,
            problems: Vec::new(),
        })
    }

    fn told(parcel: &Parcel) -> String {
        match parcel {
            Parcel::Started(it) => format!("started {}", it.generation.number()),
            Parcel::Finished(it) => format!("finished {}", it.generation.number()),
            Parcel::Status(it) => format!("status {}", it.generation.number()),
            Parcel::Problems(it) => format!("{} {}", it.path.display(), it.generation.number()),
            Parcel::Message(_, text) => text.clone(),
            Parcel::Log(_, line) => format!("log {line}"),
            Parcel::Ask { id, .. } => format!("ask {id}"),
        }
    }

    fn rest(lanes: &mut Lanes) -> Vec<String> {
        std::iter::from_fn(|| lanes.take())
            .map(|it| told(&it))
            .collect()
    }

    fn open() -> Lanes {
        let mut lanes = Lanes::default();
        lanes.open();
        lanes
    }

    #[test]
    fn a_generation_is_told_in_order_with_only_the_newest_state() {
        let mut lanes = open();
        for parcel in [
            started(1),
            status(1),
            problems(1, "a"),
            problems(1, "a"),
            problems(1, "b"),
            finished(1),
            status(1),
        ] {
            lanes.put(parcel);
        }
        assert_eq!(
            rest(&mut lanes),
            ["started 1", "a 1", "b 1", "finished 1", "status 1"]
        );
    }

    #[test]
    fn before_initialized_only_the_log_flows() {
        let mut lanes = Lanes::default();
        lanes.put(started(1));
        lanes.put(status(1));
        lanes.put(Parcel::Ask {
            id: 1,
            method: "m",
            params: serde_json::Value::Null,
        });
        lanes.put(Parcel::Log(Level::Info, "hello".to_owned()));
        assert_eq!(rest(&mut lanes), ["log hello"]);
        lanes.open();
        assert_eq!(rest(&mut lanes), ["ask 1", "started 1", "status 1"]);
    }

    #[test]
    fn a_client_that_does_not_read_loses_whole_reloads_and_old_lines() {
        let mut lanes = open();
        lanes.put(started(0));
        assert_eq!(
            lanes.take().map(|it| told(&it)).as_deref(),
            Some("started 0")
        );
        lanes.put(finished(0));
        for generation in 1..=10_000 {
            lanes.put(started(generation));
            lanes.put(status(generation));
            lanes.put(finished(generation));
            lanes.put(status(generation));
            lanes.put(Parcel::Log(Level::Info, generation.to_string()));
        }
        let n_lost = lanes.take_lost_events();
        let left = rest(&mut lanes);
        let events: Vec<_> = left.iter().filter(|it| !it.starts_with("log")).collect();
        assert_eq!(
            events[0], "finished 0",
            "the half of a reload that was begun to be told stays"
        );
        assert_eq!(events.last().unwrap().as_str(), "status 10000");
        let n_events = events.len() - 1;
        assert!(n_events <= MAX_ORDERED);
        assert_eq!(n_events as u64 + n_lost, 20_001);
        let lines: Vec<_> = left.iter().filter(|it| it.starts_with("log")).collect();
        assert_eq!(lines.len(), MAX_LOG + 1);
        assert_eq!(lines[0], "log 8976 lines of the log were dropped");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Reload,
        Status,
        Problems(u8),
        Message,
        Take,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Reload),
            2 => Just(Step::Status),
            2 => (0u8..4).prop_map(Step::Problems),
            1 => Just(Step::Message),
            4 => Just(Step::Take),
        ]
    }

    proptest! {
        #[test]
        fn each_start_leaves_with_its_finish_and_the_newest_state_is_last(
            steps in prop::collection::vec(step(), 0..200),
            n_flood in prop_oneof![Just(0u64), Just(3000)],
        ) {
            let mut lanes = open();
            let (mut generation, mut left, mut newest) = (0, Vec::new(), HashMap::new());
            let mut n_put = 0;
            let flood = std::iter::repeat_n(Step::Reload, n_flood as usize);
            for step in flood.chain(steps) {
                generation += 1;
                match step {
                    Step::Reload => {
                        lanes.put(started(generation));
                        lanes.put(finished(generation));
                        n_put += 2;
                    }
                    Step::Status => {
                        lanes.put(status(generation));
                        newest.insert("status".to_owned(), generation);
                    }
                    Step::Problems(it) => {
                        lanes.put(problems(generation, &it.to_string()));
                        newest.insert(it.to_string(), generation);
                    }
                    Step::Message => lanes.put(Parcel::Message(Level::Info, "message 0".to_owned())),
                    Step::Take => left.extend(lanes.take().map(|it| told(&it))),
                }
                prop_assert!(lanes.ordered.len() <= MAX_ORDERED);
            }
            let n_lost = lanes.take_lost_events();
            left.extend(rest(&mut lanes));
            let mut open = None;
            let (mut n_events, mut last_generation, mut seen) = (0, 0, HashMap::new());
            for line in &left {
                let (what, number) = line.split_once(' ').unwrap();
                let number: u64 = number.parse().unwrap();
                match what {
                    "started" => {
                        prop_assert!(open.is_none() && last_generation < number);
                        (open, last_generation) = (Some(number), number);
                        n_events += 1;
                    }
                    "finished" => {
                        prop_assert_eq!(open.take(), Some(number));
                        n_events += 1;
                    }
                    "message" => {}
                    _ => {
                        let before = seen.insert(what.to_owned(), number);
                        prop_assert!(before < Some(number));
                    }
                }
            }
            prop_assert_eq!(open, None);
            prop_assert_eq!(n_events + n_lost, n_put);
            prop_assert_eq!(seen, newest);
        }
    }
}
