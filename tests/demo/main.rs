//! The demo: a terminal that watches `hotsave lsp` at work on a folder.
//!
//! Starts the real server as an editor does and prints what it says, one line each. Without `--script` a person edits the
//! files with any editor; with it the demo edits a copy by itself and ends with 0 only if every step gave what it promised.
//! It trusts the folder it is given, because naming it on the command line is the permission.
#![expect(
    clippy::print_stdout,
    reason = "the terminal is what this program is for"
)]

mod news;
mod session;
mod tour;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail, ensure};

use crate::{news::Board, session::Session};

const USAGE: &str = "usage: hotsave-demo [--script] [FOLDER]    (default: examples/counter)";

fn main() -> ExitCode {
    let result = Arguments::read(env::args().skip(1)).and_then(|arguments| match arguments.mode {
        Mode::Watch => watch(arguments.folder),
        Mode::Script => tour::play(&arguments.folder, &mut |line| println!("{line}")),
        Mode::Help => {
            println!("{USAGE}");
            Ok(())
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hotsave-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    mode: Mode,
    folder: PathBuf,
}

enum Mode {
    Watch,
    Script,
    Help,
}

impl Arguments {
    fn read(words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self {
            mode: Mode::Watch,
            folder: PathBuf::from("examples/counter"),
        };
        for word in words {
            match word.as_str() {
                "--script" => arguments.mode = Mode::Script,
                "-h" | "--help" => arguments.mode = Mode::Help,
                _ if word.starts_with('-') => bail!("unknown option {word}; {USAGE}"),
                _ => arguments.folder = PathBuf::from(word),
            }
        }
        Ok(arguments)
    }
}

/// Shows what happens in `folder` until Ctrl-C.
fn watch(folder: PathBuf) -> anyhow::Result<()> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("cannot open {}", folder.display()))?;
    ensure!(folder.is_dir(), "{} is not a folder", folder.display());
    let state = tempfile::tempdir()?;
    let mut session = Session::open(&folder, state.path())?;
    let interrupt = session.interrupter();
    ctrlc::set_handler(move || interrupt.interrupt()).context("cannot take Ctrl-C")?;
    println!(
        "watching {}; edit its files and save, Ctrl-C ends this",
        folder.display()
    );
    let mut board = Board::new(&folder);
    while let Some(news) = session.next(None)? {
        for line in board.take(news) {
            println!("{line}");
        }
    }
    session.close()?;
    println!("ended");
    Ok(())
}
