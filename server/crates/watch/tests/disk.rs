//! The real watcher on the real disk: what an editor, a shell or git does to a folder, and what is told of it.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hotsave_engine::change::Source;
use hotsave_watch::{Cause, Kind};
use support::{Bench, write};

const NOTHING: Vec<PathBuf> = Vec::new();

#[test]
fn ready_lists_every_file_that_counts() {
    let bench = Bench::new(&[
        "b.lua",
        "lib/a.lua",
        ".luarc.json",
        ".git/HEAD",
        ".hotsave/state",
        "node_modules/x/y.lua",
        "lib/a.lua~",
        "lib/.#a.lua",
        "lib/4913",
        "lib/.a.lua.swp",
        "lib/a.lua___jb_tmp___",
    ]);
    let expected: Vec<_> = [".luarc.json", "b.lua", "lib/a.lua"]
        .iter()
        .map(|it| bench.path(it))
        .collect();
    assert_eq!(bench.ready, expected);
}

#[test]
fn create_modify_and_delete_are_reported() {
    let bench = Bench::new(&["a.lua"]);
    bench.write("new.lua");
    bench.await_changed(&["new.lua"]);
    bench.write("a.lua");
    bench.await_changed(&["a.lua"]);
    fs::remove_file(bench.path("a.lua")).unwrap();
    bench.await_changed(&["a.lua"]);
    assert!(!bench.path("a.lua").exists());
}

#[test]
fn an_atomic_save_is_a_change_again_and_again() {
    let bench = Bench::new(&["a.lua"]);
    for _ in 0..3 {
        bench.write("a.lua.tmp");
        fs::rename(bench.path("a.lua.tmp"), bench.path("a.lua")).unwrap();
        bench.await_changed(&["a.lua"]);
    }
}

#[test]
fn a_save_through_a_backup_is_a_change_and_the_backup_is_not_told() {
    let bench = Bench::new(&["a.lua"]);
    fs::rename(bench.path("a.lua"), bench.path("a.lua~")).unwrap();
    bench.write("a.lua");
    bench.await_changed(&["a.lua"]);
    fs::remove_file(bench.path("a.lua~")).unwrap();
    assert!(!bench.changed_until_now().contains(&bench.path("a.lua~")));
}

#[test]
fn a_new_directory_is_reported_with_the_files_it_already_has() {
    let bench = Bench::new(&[]);
    let files: Vec<String> = (0..20).map(|idx| format!("a/b{idx}/c/d.lua")).collect();
    files.iter().for_each(|it| bench.write(it));
    bench.await_changed(&files.iter().map(String::as_str).collect::<Vec<_>>());
    bench.write("a/b7/c/late.lua");
    bench.await_changed(&["a/b7/c/late.lua"]);
}

#[test]
fn a_directory_moved_in_from_elsewhere_is_adopted() {
    let bench = Bench::new(&[]);
    let elsewhere = tempfile::tempdir_in(bench.root.parent().unwrap()).unwrap();
    write(&elsewhere.path().join("lib/deep/a.lua"));
    fs::rename(elsewhere.path().join("lib"), bench.path("lib")).unwrap();
    bench.await_changed(&["lib/deep/a.lua"]);
    bench.write("lib/deep/a.lua");
    bench.await_changed(&["lib/deep/a.lua"]);
}

#[test]
fn a_moved_directory_is_gone_here_and_watched_there() {
    let bench = Bench::new(&["old/sub/a.lua"]);
    fs::rename(bench.path("old"), bench.path("new")).unwrap();
    bench.await_all(
        &["new/sub/a.lua"],
        &[Kind::Gone {
            directory: bench.path("old"),
            moved_to: Some(bench.path("new")),
        }],
    );
    bench.write("new/sub/a.lua");
    bench.await_changed(&["new/sub/a.lua"]);
}

#[test]
fn a_directory_that_leaves_the_root_is_gone_and_silent() {
    let bench = Bench::new(&["lib/a.lua", "b.lua"]);
    let elsewhere = tempfile::tempdir_in(bench.root.parent().unwrap()).unwrap();
    fs::rename(bench.path("lib"), elsewhere.path().join("lib")).unwrap();
    let gone = Kind::Gone {
        directory: bench.path("lib"),
        moved_to: None,
    };
    bench.await_all(&[], std::slice::from_ref(&gone));
    write(&elsewhere.path().join("lib/a.lua"));
    assert_eq!(bench.changed_until_now(), NOTHING);
    fs::create_dir(bench.path("lib")).unwrap();
    fs::remove_dir(bench.path("lib")).unwrap();
    bench.write("lib/again.lua");
    // Told by its name, or by that of the directory, if that was seen before it was replaced.
    bench.await_kind(|kind| match kind {
        Kind::Changed { paths } => paths.contains(&bench.path("lib/again.lua")),
        Kind::Rescan { directory, .. } => *directory == bench.path("lib"),
        _ => false,
    });
    bench.write("lib/again.lua");
    bench.await_changed(&["lib/again.lua"]);
}

#[test]
fn ignored_folders_and_editor_temporaries_are_silent() {
    let bench = Bench::new(&["node_modules/x.lua", ".gitignore:out/\n*.log"]);
    for file in [
        "node_modules/x.lua",
        "out/a.lua",
        "a.log",
        ".a.lua.swp",
        "4913",
        "#a.lua#",
        "new/.hotsave/x",
        "new/lua_modules/y.lua",
    ] {
        bench.write(file);
    }
    assert_eq!(bench.changed_until_now(), NOTHING);
}

#[test]
fn a_changed_gitignore_changes_what_is_watched() {
    let bench = Bench::new(&["out/a.lua", "lib/b.lua", ".gitignore:out/"]);
    let rescan = Kind::Rescan {
        directory: bench.root.clone(),
        because: Cause::Rules,
    };
    fs::write(bench.path(".gitignore"), "lib/").unwrap();
    bench.await_all(&[".gitignore"], std::slice::from_ref(&rescan));
    bench.write("out/a.lua");
    bench.await_changed(&["out/a.lua"]);
    bench.write("lib/b.lua");
    assert!(!bench.changed_until_now().contains(&bench.path("lib/b.lua")));

    fs::remove_file(bench.path(".gitignore")).unwrap();
    bench.await_all(&[".gitignore"], &[rescan]);
    bench.write("lib/b.lua");
    bench.await_changed(&["lib/b.lua"]);
}

#[test]
fn a_git_checkout_is_reported_whole_and_as_bulk() {
    let bench = Bench::new(&[]);
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(&bench.root)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let files: Vec<String> = (0..300)
        .map(|idx| format!("lib{}/m{idx}.lua", idx % 9))
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    git(&["init", "-q", "-b", "main"]);
    files.iter().for_each(|it| bench.write(it));
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["checkout", "-qb", "other"]);
    files.iter().for_each(|it| bench.write(it));
    git(&["commit", "-qam", "two"]);
    bench.changed_until_now();

    git(&["checkout", "-q", "main"]);
    let events = bench.await_all(&files, &[]);
    let last = events
        .iter()
        .rfind(|it| matches!(it.kind, Kind::Changed { .. }));
    assert_eq!(last.map(|it| it.source), Some(Source::Bulk));
}

#[test]
fn a_version_control_lock_is_told_and_makes_changes_bulk() {
    let bench = Bench::new(&[".git/HEAD", "a.lua"]);
    bench.write(".git/index.lock");
    bench.await_all(&[], &[Kind::Lock { held: true }]);
    bench.write("a.lua");
    let events = bench.await_all(&["a.lua"], &[]);
    assert!(
        events.iter().all(|it| it.source == Source::Bulk),
        "{events:?}"
    );
    fs::remove_file(bench.path(".git/index.lock")).unwrap();
    bench.await_all(&[], &[Kind::Lock { held: false }]);
    bench.write("a.lua");
    let events = bench.await_all(&["a.lua"], &[]);
    assert!(
        events.iter().all(|it| it.source == Source::Watcher),
        "{events:?}"
    );
}

#[test]
fn a_burst_of_two_thousand_files_loses_none() {
    let bench = Bench::new(&[]);
    let files: Vec<String> = (0..2000)
        .map(|idx| format!("d{}/m{idx}.lua", idx % 40))
        .collect();
    files.iter().for_each(|it| bench.write(it));
    let events = bench.await_all(&files.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    assert!(events.iter().any(|it| it.source == Source::Bulk));
    assert!(
        events
            .iter()
            .all(|it| !matches!(it.kind, Kind::Rescan { .. })),
        "nothing was lost"
    );
}

#[test]
fn a_root_that_goes_and_comes_back_is_told_once_each_and_watched_again() {
    let bench = Bench::new(&["lib/a.lua"]);
    fs::remove_dir_all(&bench.root).unwrap();
    let events = bench.await_kind(|kind| matches!(kind, Kind::Degraded { .. }));
    let n_degraded = |events: &[hotsave_watch::WatchEvent]| {
        let degraded = |it: &&hotsave_watch::WatchEvent| matches!(it.kind, Kind::Degraded { .. });
        events.iter().filter(degraded).count()
    };
    assert_eq!(n_degraded(&events), 1);
    bench.write("lib/b.lua");
    let rescan = Kind::Rescan {
        directory: bench.root.clone(),
        because: Cause::Replaced,
    };
    let events = bench.await_all(&[], &[Kind::Recovered, rescan]);
    assert_eq!(n_degraded(&events), 0);
    bench.write("lib/b.lua");
    bench.await_changed(&["lib/b.lua"]);
}

#[test]
fn a_root_replaced_between_two_looks_is_walked_again() {
    let bench = Bench::new(&["a.lua"]);
    let aside = bench.root.with_file_name("aside");
    fs::rename(&bench.root, &aside).unwrap();
    bench.write("b.lua");
    bench.await_all(
        &[],
        &[Kind::Rescan {
            directory: bench.root.clone(),
            because: Cause::Replaced,
        }],
    );
    write(&aside.join("a.lua"));
    assert_eq!(
        bench.changed_until_now(),
        NOTHING,
        "the old folder is no longer the root"
    );
    bench.write("b.lua");
    bench.await_changed(&["b.lua"]);
}

#[test]
fn a_root_that_is_not_there_yet_is_watched_when_it_comes() {
    let parent = tempfile::tempdir().unwrap();
    let bench = Bench::at(
        parent.path().join("later"),
        Some(parent),
        Default::default(),
    );
    assert_eq!(bench.ready, Vec::<std::path::PathBuf>::new());
    bench.write("a.lua");
    bench.await_all(&[], &[Kind::Recovered]);
    bench.write("a.lua");
    bench.await_changed(&["a.lua"]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_out_of_the_root_nor_in_circles() {
    use std::os::unix::fs::symlink;

    let elsewhere = tempfile::tempdir().unwrap();
    write(&elsewhere.path().join("secret.lua"));
    let bench = Bench::new(&["a.lua"]);
    symlink(elsewhere.path(), bench.path("out")).unwrap();
    symlink(
        elsewhere.path().join("secret.lua"),
        bench.path("secret.lua"),
    )
    .unwrap();
    symlink(&bench.root, bench.path("circle")).unwrap();
    symlink("a.lua", bench.path("alias.lua")).unwrap();
    bench.await_changed(&["alias.lua"]);
    assert_eq!(bench.walk(), [bench.path("a.lua"), bench.path("alias.lua")]);
    write(&elsewhere.path().join("secret.lua"));
    assert_eq!(bench.changed_until_now(), NOTHING);
}

#[test]
fn nested_roots_are_told_separately_and_survive_each_other() {
    let mut bench = Bench::new(&["lib/a.lua"]);
    let inner = bench.path("lib");
    bench.add(&inner);
    bench.write("lib/a.lua");
    let mut told: Vec<_> = Vec::new();
    while told.len() < 2 {
        let root = bench.next().root;
        if !told.contains(&root) {
            told.push(root);
        }
    }
    let outer = bench.root.clone();
    bench.remove(&outer);
    bench.add(&inner); // Its Ready comes after all that the removed root had to tell.
    bench.write("lib/a.lua");
    let event = bench.next();
    assert_eq!(*event.root, *inner);
    assert_eq!(
        event.kind,
        Kind::Changed {
            paths: vec![inner.join("a.lua")]
        }
    );
}

#[test]
fn polling_sees_the_same() {
    let options = hotsave_watch::Options {
        mode: hotsave_watch::Mode::Poll,
        poll_every: std::time::Duration::from_millis(10),
        ..Default::default()
    };
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("project");
    write(&root.join("lib/a.lua"));
    write(&root.join("node_modules/x.lua"));
    let bench = Bench::at(root, Some(parent), options);
    fs::write(bench.path("lib/a.lua"), "a longer text than before").unwrap();
    bench.await_changed(&["lib/a.lua"]);
    bench.write("deep/er/b.lua");
    bench.await_changed(&["deep/er/b.lua"]);
    fs::remove_file(bench.path("lib/a.lua")).unwrap();
    bench.await_changed(&["lib/a.lua"]);
    fs::rename(bench.path("deep"), bench.path("deeper")).unwrap();
    let gone = Kind::Gone {
        directory: bench.path("deep"),
        moved_to: None,
    };
    bench.await_all(&["deeper/er/b.lua"], &[gone]);
}

#[test]
fn dropping_the_watcher_or_its_events_ends_it() {
    let bench = Bench::new(&["a.lua"]);
    let events = bench.stop();
    assert!(
        events.iter().all(|it| it.root.starts_with(Path::new("/"))),
        "the channel closes"
    );
}
