//! The process behind `hotsave lua-host`: one Lua 5.4 state that runs the hot-swap runtime over stdin and stdout.
//!
//! It only lends the runtime what plain Lua lacks: lines, JSON, a clock, a memory limit. What is swapped and how is
//! the runtime's business. Must stay true: the process ends when its stdin ends, whatever Lua is doing.

mod confine;
mod json;
mod pipe;
mod vm;

use std::{path::PathBuf, process::ExitCode};

pub use vm::MEMORY_FLOOR_MB;

/// What the process is told on its command line.
///
/// *Shape*: `path` holds templates as `package.path` does, absolute so that chunk names are.
/// *Units*: `memory_mb` in MiB; less than [`MEMORY_FLOOR_MB`] counts as that, 0 means no limit.
/// *Source*: Lua specification, 2.1 and 9.2.
#[derive(Clone, Debug)]
pub struct Options {
    /// `package.path` of the project.
    pub path: String,
    /// The most that the Lua heap may hold.
    pub memory_mb: u32,
    /// The project's folder, already the working directory.
    pub root: PathBuf,
    /// Whether modules may write outside the folder and the temporary folder.
    pub allow_write: bool,
    /// Whether modules may start processes.
    pub allow_process: bool,
}

/// Runs the runtime until `stop` or the end of stdin.
///
/// *Errors*: anything that keeps the runtime from going on is one line on stderr and a failing exit code; the server
/// then rebuilds the host from its accepted texts.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    match vm::serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lua worker stopped");
            ExitCode::FAILURE
        }
    }
}
