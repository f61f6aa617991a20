//! What is typed into a terminal: exit codes are part of the contract, errors are one line on stderr.

use std::process::{Command, Output, Stdio};

use hotsave_tests::{fixture::Project, options};

fn hotsave(project: &Project, arguments: &[&str]) -> Output {
    let mut command = Command::new(options::binary());
    for variable in [
        "HOTSAVE_STATE_DIR",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "HOME",
    ] {
        command.env(variable, project.state());
    }
    command
        .args(arguments)
        .current_dir(project.root())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn check(project: &Project, arguments: &[&str], code: i32) -> (String, String) {
    let output = hotsave(project, arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}\n{stdout}\n{stderr}"
    );
    (stdout, stderr)
}

#[test]
fn version_and_help_answer_on_stdout() {
    let project = Project::empty();
    let (version, _) = check(&project, &["--version"], 0);
    assert!(
        version.starts_with("hotsave ")
            && version.trim().ends_with(|last: char| last.is_ascii_digit()),
        "{version}"
    );
    let (help, _) = check(&project, &["--help"], 0);
    for word in ["lsp", "trust", "doctor"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn misuse_ends_with_2_and_says_what_is_wrong() {
    let project = Project::empty();
    let (stdout, stderr) = check(&project, &["frobnicate"], 2);
    assert_eq!(stdout, "");
    assert!(stderr.contains("frobnicate"), "{stderr}");
}

#[test]
fn trust_is_given_shown_and_taken_back() {
    let project =
        Project::new("//- /hotsave.toml\n[lua]\nentry = [\"main.lua\"]\n//- /main.lua\nprint(1)\n");
    let (before, _) = check(&project, &["trust", "--show"], 1);
    assert!(before.contains("main.lua"), "what it would allow: {before}");
    let (given, _) = check(&project, &["trust"], 0);
    assert!(given.contains("main.lua"), "what it allows: {given}");
    check(&project, &["trust", "--show"], 0);
    project.write("hotsave.toml", "[lua]\nentry = [\"other.lua\"]\n");
    let (changed, _) = check(&project, &["trust", "--show"], 1);
    assert!(
        changed.contains("main.lua") && changed.contains("other.lua"),
        "old and new: {changed}"
    );
    check(&project, &["trust", "--revoke"], 0);
    project.write("hotsave.toml", "[lua]\nentry = [\"main.lua\"]\n");
    check(&project, &["trust", "--show"], 1);
}

#[test]
fn trust_in_what_cannot_be_read_is_refused_in_one_line() {
    let project = Project::new("//- /hotsave.toml\n[lua\n");
    let (_, stderr) = check(&project, &["trust"], 1);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("hotsave.toml"), "{stderr}");
    let (_, stderr) = check(&project, &["trust", "no/such/folder"], 1);
    assert!(
        stderr.lines().count() == 1 && stderr.contains("no/such/folder"),
        "{stderr}"
    );
}

#[test]
fn doctor_tells_what_works_here() {
    let project = Project::new("//- /a.lua\nreturn {}\n");
    let (report, _) = check(&project, &["doctor"], 0);
    for word in ["Lua 5.4", "trust"] {
        assert!(report.contains(word), "{word}: {report}");
    }
    project.write(
        "hotsave.toml",
        "[lua]\nentry = [\"gone.lua\"]\nload = \"some\"\n",
    );
    let (broken, _) = check(&project, &["doctor"], 1);
    assert!(broken.contains("hotsave.toml:3:"), "{broken}");
}

#[test]
fn the_worker_ends_with_its_input() {
    let project = Project::empty();
    let output = hotsave(&project, &["lua-host", "--path", "./?.lua"]);
    let hello = String::from_utf8(output.stdout).unwrap();
    assert!(
        hello.starts_with('\u{1e}') && hello.contains("\"t\":\"hello\""),
        "{hello}"
    );
}
