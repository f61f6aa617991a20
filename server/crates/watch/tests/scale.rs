//! A large project: 10,000 files in 500 directories. Prints what it takes; fails only where a caller would notice.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are not tests themselves"
)]

mod support;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use crossbeam_channel::unbounded;
use hotsave_watch::{DiskWatch, Ignore, Kind, Options, Watch, WatchRoot};
use notify::{RecursiveMode, Watcher};
use support::Bench;

fn large_project() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("project");
    for idx in 0..10_000 {
        let directory = root.join(format!("d{}/e{}", idx % 10, idx % 490));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("m{idx}.lua")), "return {}").unwrap();
    }
    (parent, root)
}

#[test]
fn a_large_root_does_not_keep_the_caller_waiting() {
    let (_parent, root) = large_project();
    let (sender, events) = unbounded();
    let mut watch = DiskWatch::new(sender, Options::default()).unwrap();
    let start = Instant::now();
    watch.add_root(WatchRoot {
        path: root.clone(),
        ignore: Vec::new(),
    });
    let blocked = start.elapsed();
    let ready = events.recv_timeout(Duration::from_secs(60)).unwrap();
    let until_ready = start.elapsed();
    assert!(matches!(ready.kind, Kind::Ready { files } if files.len() == 10_000));

    let start = Instant::now();
    assert_eq!(Ignore::new(&root, &[]).walk().len(), 10_000);
    println!(
        "10,000 files: add_root returned after {blocked:?}, ready after {until_ready:?}; a walk alone {:?}",
        start.elapsed()
    );
    assert!(blocked < Duration::from_millis(50), "{blocked:?}");
}

#[test]
fn a_save_is_told_about_as_fast_as_the_system_tells_it() {
    const ROUNDS: usize = 200;
    let (parent, root) = large_project();
    let bench = Bench::at(root, Some(parent), Options::default());
    let floor_folder = tempfile::tempdir().unwrap();
    let (sender, floor_events) = unbounded();
    let on_event = move |event| _ = sender.send(event);
    let mut floor = notify::recommended_watcher(on_event).unwrap();
    floor
        .watch(floor_folder.path(), RecursiveMode::NonRecursive)
        .unwrap();

    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        fs::write(floor_folder.path().join("m.lua"), support::text()).unwrap();
        floor_events
            .recv_timeout(Duration::from_secs(10))
            .unwrap()
            .unwrap();
        floors.push(start.elapsed());

        let start = Instant::now();
        bench.write("d3/m.lua");
        bench.next();
        ours.push(start.elapsed());
        bench.until_now();
    }
    floors.sort();
    ours.sort();
    println!(
        "save told: p50 {:?}, p99 {:?}; floor (a bare event): p50 {:?}, p99 {:?}",
        ours[ROUNDS / 2],
        ours[ROUNDS * 99 / 100],
        floors[ROUNDS / 2],
        floors[ROUNDS * 99 / 100]
    );
    assert!(
        ours[ROUNDS / 2] < Duration::from_millis(20),
        "{:?}",
        ours[ROUNDS / 2]
    );
}
