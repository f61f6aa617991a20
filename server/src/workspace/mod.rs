//! The workspace: from an event to what is said about it. Knows no LSP; editor and terminal drive the same loop.
//!
//! Reading order: [`event`] is what comes in, [`output`] what goes out, `main_loop` owns everything in between,
//! `domain` is one project; `units` plans what a change means for Lua, `operation` is the generation under way.

pub mod config;
pub mod documents;
pub mod event;
pub mod jobs;
pub mod output;
pub mod position;
pub mod settings;
pub mod survey;
pub mod trust;

mod commands;
mod domain;
mod explain;
mod indexing;
mod lenses;
mod lua_host;
mod main_loop;
mod operation;
mod planning;
mod problems;
mod refusals;
mod reports;
mod request;
mod status;
mod transaction;
mod units;
mod virtual_document;
mod watchdog;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    thread,
};

use crossbeam_channel::{Sender, unbounded};
use tokio::sync::mpsc::UnboundedSender;

use self::{
    event::Event,
    main_loop::MainLoop,
    output::{Level, Output},
    trust::StateDir,
};

/// Exit code of a process whose loop panicked, so that the editor starts a fresh one (sysexits: internal error).
const EXIT_PANICKED: u8 = 70;

/// What the loop needs to know of the process it runs in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where trust and generation numbers are kept.
    pub state: StateDir,
    /// The `hotsave` binary, started again as `lua-host`.
    pub program: PathBuf,
}

impl Options {
    /// The state directory of the environment, and the running binary.
    #[must_use]
    pub fn of_environment() -> Self {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("hotsave"));
        Self {
            state: StateDir::of_environment(),
            program,
        }
    }
}

/// Starts the loop on its own thread; it ends by [`Event::Stop`], or when the returned sender and all its clones are
/// gone, and says so with [`Output::Ended`].
#[must_use]
pub fn spawn(outputs: UnboundedSender<Output>, options: Options) -> Sender<Event> {
    let (sender, inbox) = unbounded();
    thread::spawn(move || {
        let main_loop = MainLoop::new(inbox, outputs.clone(), options);
        let exit_code = catch_unwind(AssertUnwindSafe(|| main_loop.run())).unwrap_or_else(|_| {
            // Unwinding has dropped the domains and with them every process.
            let text = "hotsave failed and ends; the log says where".to_owned();
            let _ = outputs.send(Output::Message {
                level: Level::Error,
                text,
            });
            EXIT_PANICKED
        });
        let _ = outputs.send(Output::Ended { exit_code });
    });
    sender
}

/// The URI of a folder that the client has not named.
fn folder_uri(folder: &std::path::Path) -> String {
    crate::uri::from_path(folder)
}
