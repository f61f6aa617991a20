//! Files changed outside the editor are seen by hotsave's own watcher.

use std::{fs, path::Path, process::Command};

use hotsave_tests::{client::Client, fixture::Project, reload::Reload};

fn program() -> Project {
    Project::new(
        r#"
//- /hotsave.toml
[lua]
entry = ["main.lua"]
//- /lib/gear.lua
local n = 0
return { turn = function() n = n + 1 return n end, teeth = 8 }
//- /main.lua
local gear = require "lib.gear"
function turn() return gear.turn() end
"#,
    )
}

fn open(project: &Project) -> Client {
    let mut client = Client::open(project);
    assert_eq!(client.reload().tag(), "applied");
    client
}

fn gear(teeth: u32) -> String {
    format!("local n = 0\nreturn {{ turn = function() n = n + 1 return n end, teeth = {teeth} }}\n")
}

fn assert_one_update(client: &mut Client, reload: &Reload, teeth: u32) {
    assert_eq!(
        (reload.cause(), reload.tag()),
        ("watcher", "applied"),
        "{}",
        reload.finished
    );
    assert_eq!(reload.units(), ["lib.gear"]);
    assert_eq!(
        client.run("say(live['lib.gear'].teeth, turn())").concat(),
        format!("{teeth} 2")
    );
}

/// 44, first way.
#[test]
fn an_atomic_rename_is_one_update() {
    let project = program();
    let mut client = open(&project);
    client.run("turn()");
    project.write_atomically("lib/gear.lua", &gear(9));
    let reload = client.reload();
    assert_one_update(&mut client, &reload, 9);
    client.finish();
}

/// 44, second way: the old file moves aside, a new one takes its place.
#[test]
fn a_backup_and_a_new_file_are_one_update() {
    let project = program();
    let mut client = open(&project);
    client.run("turn()");
    fs::rename(project.path("lib/gear.lua"), project.path("lib/gear.lua~")).unwrap();
    project.write("lib/gear.lua", &gear(10));
    fs::remove_file(project.path("lib/gear.lua~")).unwrap();
    let reload = client.reload();
    assert_one_update(&mut client, &reload, 10);
    client.finish();
}

/// 44, third way.
#[test]
fn truncate_and_write_is_one_update() {
    let project = program();
    let mut client = open(&project);
    client.run("turn()");
    project.write("lib/gear.lua", &gear(11));
    let reload = client.reload();
    assert_one_update(&mut client, &reload, 11);
    client.finish();
}

/// 35: what is still required cannot go; the old code works on.
#[test]
fn deleting_a_required_module_is_a_problem_at_the_require() {
    let project = program();
    let mut client = open(&project);
    fs::remove_file(project.path("lib/gear.lua")).unwrap();
    let reload = client.reload();
    assert_eq!(reload.tag(), "rejected", "{}", reload.finished);
    let problems = client.problems("main.lua");
    let [problem] = problems.as_slice() else {
        panic!("{problems:#?}")
    };
    assert_eq!(
        (problem.line, problem.code.as_str()),
        (1, "lua/module-not-found")
    );
    assert_eq!(client.look("turn()"), "1");

    project.write("lib/gear.lua", &gear(8));
    let back = client.reload();
    assert_eq!(
        (back.tag(), back.reason()),
        ("unchanged", "sameText"),
        "the running text is back"
    );
    assert_eq!(client.problem_files(), [""; 0]);
    assert_eq!(client.look("turn()"), "2");
    client.finish();
}

#[test]
fn a_new_file_and_a_new_folder_are_seen() {
    let project = program();
    let mut client = open(&project);
    project.write("parts/deep/bolt.lua", "return { size = 5 }\n");
    let reload = client.reload();
    assert_eq!((reload.cause(), reload.tag()), ("watcher", "applied"));
    assert_eq!(reload.units(), ["parts.deep.bolt"]);
    assert_eq!(client.look("live['parts.deep.bolt'].size"), "5");
    project.write("parts/deep/bolt.lua", "return { size = 6 }\n");
    assert_eq!(client.reload().tag(), "applied");
    assert_eq!(client.look("live['parts.deep.bolt'].size"), "6");
    client.finish();
}

/// 46, by a move of the whole folder.
#[test]
fn a_moved_folder_is_followed_when_the_requires_are() {
    let project = program();
    let mut client = open(&project);
    fs::rename(project.path("lib"), project.path("kit")).unwrap();
    let moved = client.reload();
    assert_ne!(
        moved.tag(),
        "applied",
        "main still requires lib.gear: {}",
        moved.finished
    );
    assert_eq!(client.look("turn()"), "1");
    client.await_problems("main.lua", "lib.gear is gone", |found| found.len() == 1);

    let main = "local gear = require \"kit.gear\"\nfunction turn() return gear.turn() end\n";
    let reload = client.save("main.lua", main);
    assert_eq!(reload.tag(), "applied", "{}", reload.finished);
    assert!(
        reload.units().contains(&"kit.gear") && reload.units().contains(&"main"),
        "{:?}",
        reload.units()
    );
    assert_eq!(client.problems("main.lua"), []);
    assert_eq!(client.look("live['kit.gear'].teeth"), "8");
    client.finish();
}

#[test]
fn a_checkout_is_one_generation() {
    let project = program();
    for index in 0..40 {
        project.write(
            &format!("lib/m{index}.lua"),
            "return { branch = \"one\" }\n",
        );
    }
    let requires: String = (0..40)
        .map(|index| format!("require \"lib.m{index}\"\n"))
        .collect();
    project.write(
        "main.lua",
        &format!("local gear = require \"lib.gear\"\n{requires}"),
    );
    git(project.root(), &["init", "--quiet", "--initial-branch=one"]);
    git(project.root(), &["add", "."]);
    git(project.root(), &["commit", "--quiet", "--message=one"]);
    git(project.root(), &["checkout", "--quiet", "-b", "two"]);
    for index in 0..40 {
        project.write(
            &format!("lib/m{index}.lua"),
            "return { branch = \"two\" }\n",
        );
    }
    git(
        project.root(),
        &["commit", "--quiet", "--all", "--message=two"],
    );
    git(project.root(), &["checkout", "--quiet", "one"]);

    let mut client = open(&project);
    git(project.root(), &["checkout", "--quiet", "two"]);
    let reload = client.reload();
    assert_eq!(
        (reload.cause(), reload.tag()),
        ("watcher", "applied"),
        "{}",
        reload.finished
    );
    assert_eq!(reload.units().len(), 40, "{:?}", reload.units());
    let seen = client.run("local n = 0 for i = 0, 39 do if live['lib.m' .. i].branch == 'two' then n = n + 1 end end say(n)");
    assert_eq!(seen, ["40"]);
    client.finish();
}

#[test]
fn ignored_files_are_not_seen() {
    let project = program();
    project.write(".gitignore", "/build/\n");
    project.write("build/out.lua", "return { n = 1 }\n");
    let mut client = open(&project);
    for file in [
        "build/out.lua",
        "node_modules/x/init.lua",
        ".hotsave/y.lua",
        "lib/.#gear.lua",
        "lib/gear.lua~",
    ] {
        project.write(file, "return { n = 2 }\n");
    }
    project.write("seen.lua", "return {}\n");
    let reload = client.reload();
    assert_eq!(reload.trigger(), ["seen.lua"]);
    client.finish();
}

#[test]
fn a_broken_configuration_keeps_the_last_valid_one_in_force() {
    let project = program();
    let mut client = open(&project);
    project.write("hotsave.toml", "[lua]\nentry = [\"main.lua\"\n");
    let problems =
        client.await_problems("hotsave.toml", "does not parse", |found| !found.is_empty());
    assert_eq!(problems[0].severity, 1);
    client.status("warning", |status| status["health"] == "warning");
    assert_eq!(client.look("turn()"), "1");
    project.write("hotsave.toml", "[lua]\nentry = [\"main.lua\"]\n");
    client.await_problems("hotsave.toml", "mended", |found| found.is_empty());
    client.status("ok", |status| status["health"] == "ok");
    client.accept_leftovers();
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "tests")
            .env(format!("GIT_{who}_EMAIL"), "tests@example.org");
    }
    let output = command.args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// 3.5: what is ignored is neither indexed nor run, whoever tells of it.
#[test]
fn an_ignored_file_saved_in_the_editor_is_left_alone() {
    let project = Project::new("//- /.gitignore\nbuild/\n//- /a.lua\nreturn 1\n");
    let mut client = Client::open(&project);
    for file in ["node_modules/x/init.lua", "build/out.lua"] {
        client.send_save(file, "RAN = true\nreturn {}\n");
    }
    // The next save is the first generation.
    let reload = client.save("a.lua", "return RAN or 2\n");
    assert_eq!((reload.trigger(), reload.tag()), (vec!["a.lua"], "applied"));
    assert_eq!(client.run("say(RAN)"), ["nil"]);
    client.finish();
}

/// Modules that ran because they were saved run again in the host that a new configuration asks for.
#[test]
fn a_new_configuration_loads_again_what_ran() {
    let project = Project::new("//- /a.lua\nreturn { n = 1 }\n");
    let mut client = Client::open(&project);
    client.save("a.lua", "return { n = 2 }\n");
    let worker = client.worker();
    project.write("hotsave.toml", "[lua]\nmemory_mb = 64\n");
    let reload = client.reload();
    assert_eq!((reload.cause(), reload.tag()), ("config", "applied"));
    assert_ne!(client.worker(), worker);
    assert_eq!(client.run("say(live.a.n)"), ["2"]);
    client.finish();
}
