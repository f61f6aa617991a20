//! Settling, played on a made-up clock: single rules first, then random bursts against the promise of the file's header.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use hotsave_engine::{
    change::{Change, Content, Source},
    settle::{ChangeSet, Settler, Window, Windows},
    text::SourceText,
};
use proptest::prelude::*;

fn change(path: &str, source: Source) -> Change {
    numbered(path, source, 0)
}

fn numbered(path: &str, source: Source, number: usize) -> Change {
    Change {
        path: Arc::from(Path::new(path)),
        content: Content::Text(SourceText::new(number.to_string().into_bytes())),
        source,
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Pushes `(at, path, source)` and returns when the set settles.
fn settles_after(pushes: &[(u64, &str, Source)]) -> Option<Duration> {
    let start = Instant::now();
    let mut settler = Settler::new(Windows::default());
    for &(at, path, source) in pushes {
        settler.push(start + ms(at), change(path, source));
    }
    settler.deadline().map(|it| it - start)
}

fn paths(set: &ChangeSet) -> Vec<&str> {
    set.changes
        .iter()
        .filter_map(|it| it.path.to_str())
        .collect()
}

#[test]
fn each_source_has_its_own_quiet_time() {
    assert_eq!(settles_after(&[]), None);
    assert_eq!(settles_after(&[(0, "a", Source::Save)]), Some(ms(20)));
    assert_eq!(settles_after(&[(0, "a", Source::Watcher)]), Some(ms(50)));
    assert_eq!(settles_after(&[(0, "a", Source::Bulk)]), Some(ms(250)));
    assert_eq!(settles_after(&[(7, "a", Source::Command)]), Some(ms(7)));
}

#[test]
fn quiet_trails_the_last_change_up_to_the_limit() {
    assert_eq!(
        settles_after(&[(0, "a", Source::Save), (15, "b", Source::Save)]),
        Some(ms(35))
    );
    let saves: Vec<_> = (0..20).map(|it| (it * 10, "a", Source::Save)).collect();
    assert_eq!(settles_after(&saves), Some(ms(200)));
}

#[test]
fn several_sources_wait_for_the_latest_quiet_but_not_past_the_earliest_limit() {
    assert_eq!(
        settles_after(&[(0, "a", Source::Save), (1, "b", Source::Watcher)]),
        Some(ms(51))
    );
    assert_eq!(
        settles_after(&[(0, "a", Source::Save), (1, "b", Source::Bulk)]),
        Some(ms(200))
    );
}

#[test]
fn a_save_that_the_watcher_told_of_first_gets_the_editors_window() {
    let start = Instant::now();
    let mut settler = Settler::new(Windows::default());
    settler.push(start, change("a", Source::Watcher));
    settler.claim(start + ms(3), Path::new("a"));
    settler.claim(start + ms(3), Path::new("never heard of"));
    assert_eq!(settler.deadline(), Some(start + ms(23)));
    let set = settler.take(start + ms(23)).unwrap();
    assert_eq!((paths(&set), set.source), (vec!["a"], Source::Save));

    // Another file of the watcher's keeps its own window.
    settler.push(start, change("a", Source::Watcher));
    settler.push(start, change("b", Source::Watcher));
    settler.claim(start + ms(3), Path::new("a"));
    assert_eq!(settler.deadline(), Some(start + ms(50)));
}

#[test]
fn a_change_that_is_taken_back_leaves_the_rest_in_order() {
    let start = Instant::now();
    let mut settler = Settler::new(Windows::default());
    settler.push(start, change("a", Source::Bulk));
    for name in ["b", "c"] {
        settler.push(start, change(name, Source::Watcher));
    }
    settler.withdraw(Path::new("a"));
    settler.withdraw(Path::new("a"));
    assert_eq!(settler.deadline(), Some(start + ms(50)));
    settler.push(start, change("c", Source::Watcher));
    let set = settler.take(start + ms(50)).unwrap();
    assert_eq!(paths(&set), ["b", "c"]);
    settler.push(start, change("b", Source::Watcher));
    settler.withdraw(Path::new("b"));
    assert_eq!((settler.deadline(), settler.pending()), (None, 0));
}

#[test]
fn a_command_settles_everything_that_waits() {
    assert_eq!(
        settles_after(&[(0, "a", Source::Bulk), (3, "b", Source::Command)]),
        Some(ms(3))
    );

    let start = Instant::now();
    let mut settler = Settler::new(Windows::default());
    settler.hasten(start);
    assert_eq!(settler.deadline(), None, "nothing waits, nothing settles");
    settler.push(start, change("a", Source::Watcher));
    settler.hasten(start + ms(1));
    let set = settler.take(start + ms(1)).unwrap();
    assert_eq!((paths(&set), set.source), (vec!["a"], Source::Command));
}

#[test]
fn save_all_is_one_set_in_the_order_of_the_saves() {
    let start = Instant::now();
    let mut settler = Settler::new(Windows::default());
    let names: Vec<String> = (0..30).map(|it| format!("{}.lua", 30 - it)).collect();
    for (at, name) in (0..).zip(&names) {
        settler.push(start + ms(at), change(name, Source::Save));
        assert_eq!(settler.take(start + ms(at)), None);
    }
    assert_eq!(settler.pending(), 30);
    assert_eq!(settler.take(start + ms(48)), None);
    let set = settler.take(start + ms(49)).unwrap();
    assert_eq!(paths(&set), names);
    assert_eq!((settler.pending(), settler.deadline()), (0, None));
}

#[test]
fn the_last_text_of_a_path_wins_and_a_save_names_the_set() {
    let start = Instant::now();
    let mut settler = Settler::new(Windows::default());
    settler.push(start, numbered("a", Source::Watcher, 1));
    settler.push(start, numbered("b", Source::Watcher, 2));
    settler.push(start, numbered("a", Source::Save, 3));
    let set = settler.take(start + ms(50)).unwrap();
    assert_eq!(
        set.changes,
        [
            numbered("a", Source::Save, 3),
            numbered("b", Source::Watcher, 2)
        ]
    );
    assert_eq!(set.source, Source::Save);
}

#[test]
fn zero_means_zero() {
    let start = Instant::now();
    let windows = Windows {
        save: Window::from_ms(0, 200),
        ..Windows::default()
    };
    for windows in [windows, Windows::NONE] {
        let mut settler = Settler::new(windows);
        settler.push(start, change("a", Source::Save));
        assert!(settler.take(start).is_some());
    }
}

#[test]
fn paused_only_collects_and_resume_is_one_set() {
    let start = Instant::now();
    let mut settler = Settler::new(Windows::default());
    assert!(
        settler.pause() && !settler.pause(),
        "the second pause does nothing"
    );
    settler.push(start, change("a", Source::Save));
    settler.push(start + ms(900), change("b", Source::Command));
    assert_eq!(
        (settler.deadline(), settler.take(start + ms(9000))),
        (None, None)
    );
    assert_eq!(settler.pending(), 2);
    let now = start + ms(9000);
    assert!(settler.resume(now) && !settler.resume(now));
    assert_eq!(paths(&settler.take(now).unwrap()), ["a", "b"]);
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        4 => Just(Source::Save),
        4 => Just(Source::Watcher),
        2 => Just(Source::Bulk),
        1 => Just(Source::Command),
    ]
}

/// The settler beside a naive account of what it owes.
struct Model {
    settler: Settler,
    windows: Windows,
    /// Per path the number pushed last, and by whom.
    waiting: HashMap<String, (usize, Source)>,
    /// When each change of the pending set came, and from whom.
    arrived: Vec<(Instant, Source)>,
}

impl Model {
    fn push(&mut self, now: Instant, path: String, source: Source, number: usize) {
        self.settler.push(now, numbered(&path, source, number));
        let told_by = self
            .waiting
            .insert(path, (number, source))
            .map(|(_, it)| it);
        // What the editor says of a file, it says with its own window.
        let is_claimed = source == Source::Save
            && told_by.is_some_and(|it| {
                matches!(it, Source::Watcher | Source::Bulk)
                    && self.waiting.values().all(|(_, other)| *other != it)
            });
        self.arrived
            .retain(|(_, it)| !is_claimed || Some(*it) != told_by);
        self.arrived.push((now, source));
    }

    /// Takes every set whose deadline lies before `until`, as a loop that sleeps until the deadline does.
    fn play(&mut self, until: Option<Instant>) -> Result<(), TestCaseError> {
        while let Some(deadline) = self
            .settler
            .deadline()
            .filter(|&it| until.is_none_or(|until| it < until))
        {
            let windows = self
                .arrived
                .iter()
                .map(|&(at, source)| (at, self.windows.of(source)));
            let limit = windows.clone().map(|(at, window)| at + window.limit).min();
            let quiet = windows.map(|(at, window)| at + window.quiet).max();
            prop_assert!(Some(deadline) <= limit, "too late");
            prop_assert!(
                Some(deadline) == limit || Some(deadline) == quiet,
                "too early"
            );
            prop_assert_eq!(self.settler.take(deadline - Duration::from_nanos(1)), None);
            let Some(set) = self.settler.take(deadline) else {
                return Err(TestCaseError::fail("a deadline without a set"));
            };
            for change in set.changes {
                let path = change.path.display().to_string();
                let number = self.waiting.remove(&path);
                prop_assert_eq!(
                    number.map(|(it, source)| numbered(&path, source, it)),
                    Some(change)
                );
            }
            prop_assert!(self.waiting.is_empty(), "left behind: {:?}", self.waiting);
            self.arrived.clear();
        }
        Ok(())
    }
}

/// A watcher reads a file that is being written, 1 ms later the editor says what it saved.
#[test]
fn a_save_does_not_wait_for_the_watcher_that_saw_it_half_written() {
    let mut settler = Settler::new(Windows::default());
    let now = Instant::now();
    settler.push(now, numbered("a.lua", Source::Watcher, 1));
    settler.push(now + ms(1), numbered("a.lua", Source::Save, 2));
    assert_eq!(settler.deadline(), Some(now + ms(21)));

    // What only the watcher told of is waited for as long as a watcher needs.
    settler.push(now + ms(2), numbered("b.lua", Source::Watcher, 3));
    settler.push(now + ms(3), numbered("a.lua", Source::Save, 4));
    assert_eq!(settler.deadline(), Some(now + ms(52)));
}

proptest! {
    #[test]
    fn every_change_comes_out_once_and_in_time(
        pushes in prop::collection::vec((0_u64..120, 0_usize..6, source()), 1..80),
        windows in prop::array::uniform3((0_u64..60, 0_u64..300)),
    ) {
        let [save, watch, bulk] = windows.map(|(quiet, limit)| Window::from_ms(quiet, limit));
        let windows = Windows { save, watch, bulk };
        let settler = Settler::new(windows);
        let mut model = Model { settler, windows, waiting: HashMap::new(), arrived: Vec::new() };
        let mut now = Instant::now();
        for (number, (gap, path, source)) in pushes.into_iter().enumerate() {
            now += ms(gap);
            model.play(Some(now))?;
            model.push(now, format!("{path}.lua"), source, number);
        }
        model.play(None)?;
        prop_assert!(model.waiting.is_empty());
        prop_assert_eq!(model.settler.pending(), 0);
    }
}
