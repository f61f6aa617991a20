//! The command line: what can be typed, and what is printed for it.
//!
//! Errors are one line on stderr: what, where, what to do. Exit codes are part of the contract (design, section 5):
//! 0 done, 1 found problems or failed, 2 called wrongly.

mod doctor;
mod lsp;
mod trust;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Reloads what you saved, where it runs, without losing its state.
#[derive(Debug, Parser)]
#[command(name = "hotsave", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Language server on stdin and stdout, started by an editor
    Lsp(lsp::Arguments),
    /// Lua process that the server starts and ends; not for people
    #[command(hide = true)]
    LuaHost(LuaHostArguments),
    /// Allow a folder's programs to run
    Trust(trust::Arguments),
    /// Tell what works here and what does not, and why
    Doctor(doctor::Arguments),
}

#[derive(Debug, clap::Args)]
struct LuaHostArguments {
    /// Module templates, joined by `;`, absolute or relative to the working directory
    #[arg(long)]
    path: String,
    /// Memory limit in MiB
    #[arg(long, default_value_t = 512)]
    memory_mb: u32,
    /// What modules may do beyond computing
    #[arg(long, value_parser = ["write", "process"])]
    allow: Vec<String>,
}

/// Runs the command line `arguments` (program name first) to its end.
///
/// *Errors*: printed to stderr as one line; the exit code says which kind.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        // clap prints help and version as "errors" with code 0, misuse with code 2.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match arguments.command {
        Command::Lsp(arguments) => lsp::run(&arguments),
        Command::LuaHost(arguments) => lua_host(arguments),
        Command::Trust(arguments) => trust::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("hotsave: {error:#}");
        ExitCode::from(1)
    })
}

fn lua_host(arguments: LuaHostArguments) -> anyhow::Result<ExitCode> {
    let root = std::env::current_dir()?;
    let LuaHostArguments {
        path,
        memory_mb,
        allow,
    } = arguments;
    Ok(hotsave_lua::worker::run(&hotsave_lua::worker::Options {
        path,
        memory_mb,
        root,
        allow_write: allow.iter().any(|it| it == "write"),
        allow_process: allow.iter().any(|it| it == "process"),
    }))
}

/// The folder a command speaks of: the argument, or the nearest ancestor of the working directory with a
/// `hotsave.toml`, or the working directory. Absolute, links resolved.
fn project_folder(argument: Option<&Path>) -> anyhow::Result<PathBuf> {
    use anyhow::Context as _;
    if let Some(path) = argument {
        let folder = path
            .canonicalize()
            .with_context(|| format!("cannot open {}", path.display()))?;
        anyhow::ensure!(
            folder.is_dir(),
            "{} is not a folder; name the project's folder",
            path.display()
        );
        return Ok(folder);
    }
    let here = std::env::current_dir()?.canonicalize()?;
    let nearest = here
        .ancestors()
        .find(|it| it.join("hotsave.toml").is_file());
    Ok(nearest.unwrap_or(&here).to_owned())
}
