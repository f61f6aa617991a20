//! A receiver that does no more than the events ask for ends up knowing exactly what is on the disk, whatever was done.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are not tests themselves"
)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hotsave_watch::{Ignore, Kind, Mode, Options, WatchEvent};
use proptest::prelude::*;
use support::Bench;

/// How long the last events may take; much longer than the second look.
const CONVERGE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
enum Action {
    Write(String),
    Remove(String),
    Rename(String, String),
    RemoveDirectory(String),
    IgnoreIn(String, &'static str),
    /// Wait until everything so far is told.
    Sync,
}

fn directory() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b"]), 0..3).prop_map(|it| it.join("/"))
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "x", "y"]);
    (directory(), name)
        .prop_map(|(directory, name)| format!("{directory}/{name}").trim_start_matches('/').into())
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => path().prop_map(Action::Write),
        2 => path().prop_map(Action::Remove),
        4 => (path(), path()).prop_map(|(from, to)| Action::Rename(from, to)),
        2 => path().prop_map(Action::RemoveDirectory),
        1 => (directory(), prop::sample::select(vec!["", "x", "a/", "/b\n!y"])).prop_map(|(at, rules)| Action::IgnoreIn(at, rules)),
        1 => Just(Action::Sync),
    ]
}

/// What a receiver knows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known(BTreeMap<PathBuf, Vec<u8>>);

impl Known {
    fn on_disk(root: &Path) -> Self {
        let mut known = Self::default();
        let files = Ignore::new(root, &[]).walk();
        files.iter().for_each(|file| known.read(file));
        known
    }

    fn read(&mut self, file: &Path) {
        match fs::read(file) {
            Ok(bytes) => _ = self.0.insert(file.to_path_buf(), bytes),
            Err(_) => _ = self.0.remove(file),
        }
    }

    fn below(&self, directory: &Path) -> Vec<PathBuf> {
        let files = self.0.keys().filter(|it| it.starts_with(directory));
        files.cloned().collect()
    }

    fn follow(&mut self, event: &WatchEvent) {
        match &event.kind {
            Kind::Changed { paths } => paths.iter().for_each(|it| self.read(it)),
            Kind::Gone { directory, .. } => {
                self.below(directory).iter().for_each(|it| self.read(it));
            }
            Kind::Rescan { directory, .. } => {
                let files = Ignore::new(&event.root, &[]).walk();
                self.below(directory)
                    .iter()
                    .for_each(|it| _ = self.0.remove(it));
                let files = files.iter().filter(|it| it.starts_with(directory));
                files.for_each(|it| self.read(it));
            }
            _ => {}
        }
    }
}

/// Follows the events until what is known is what is on the disk; a write may be told by a rescan, so no single event
/// can be waited for.
fn converge(
    bench: &Bench,
    known: &mut Known,
    told: &mut Vec<WatchEvent>,
) -> Result<(), TestCaseError> {
    let deadline = Instant::now() + CONVERGE;
    loop {
        let on_disk = Known::on_disk(&bench.root);
        if *known == on_disk {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(event) = bench.next_within(left) else {
            prop_assert_eq!(known, &on_disk, "told: {:#?}", told);
            return Ok(());
        };
        known.follow(&event);
        told.push(event);
    }
}

fn check(actions: &[Action], options: Options) -> Result<(), TestCaseError> {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("project");
    fs::create_dir(&root).unwrap();
    let bench = Bench::at(root, Some(parent), options);
    let (mut known, mut told) = (Known::default(), Vec::new());
    for action in actions {
        // What cannot be done (no such file, a file in the way) is left undone.
        let _ = match action {
            Action::Write(file) => {
                let file = bench.path(file);
                let _ = fs::create_dir_all(file.parent().unwrap());
                fs::write(file, support::text())
            }
            Action::Remove(file) => fs::remove_file(bench.path(file)),
            Action::Rename(from, to) => fs::rename(bench.path(from), bench.path(to)),
            Action::RemoveDirectory(directory) => fs::remove_dir_all(bench.path(directory)),
            Action::IgnoreIn(directory, rules) => {
                fs::write(bench.path(directory).join(".gitignore"), rules)
            }
            Action::Sync => {
                converge(&bench, &mut known, &mut told)?;
                Ok(())
            }
        };
    }
    converge(&bench, &mut known, &mut told)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_receiver_ends_up_with_what_is_on_the_disk(actions in prop::collection::vec(action(), 1..40)) {
        check(&actions, Options::default())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, max_shrink_iters: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_receiver_of_a_polling_watcher_does_too(actions in prop::collection::vec(action(), 1..40)) {
        let poll_every = Duration::from_millis(5);
        check(&actions, Options { mode: Mode::Poll, poll_every, ..Options::default() })?;
    }
}
