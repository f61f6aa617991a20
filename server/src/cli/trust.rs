//! `hotsave trust`: allows, shows or takes back what a folder may run.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use hotsave_engine::text::SourceText;

use crate::workspace::{
    config::{self, Config},
    trust::{Decision, StateDir},
};

/// Arguments of `hotsave trust`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The project's folder; by default the nearest one with a hotsave.toml
    path: Option<PathBuf>,
    /// Only say whether the folder is trusted: exit code 0 if it is, 1 if not
    #[arg(long)]
    show: bool,
    /// Take trust back
    #[arg(long, conflicts_with = "show")]
    revoke: bool,
}

#[expect(clippy::print_stdout, reason = "a terminal command answers on stdout")]
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = super::project_folder(arguments.path.as_deref())?;
    let state = StateDir::of_environment();
    if arguments.revoke {
        let was_trusted = state.revoke(&folder)?;
        let word = if was_trusted {
            "no longer trusted"
        } else {
            "was not trusted"
        };
        println!("{}: {word}", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let commands = configuration(&folder)?.commands();
    if arguments.show {
        return Ok(match state.decide(&folder, &commands) {
            Decision::Granted => {
                println!(
                    "{}: trusted to run\n{}",
                    folder.display(),
                    indented(&commands)
                );
                ExitCode::SUCCESS
            }
            Decision::Unknown => {
                println!(
                    "{}: not trusted; `hotsave trust` would allow\n{}",
                    folder.display(),
                    indented(&commands)
                );
                ExitCode::from(1)
            }
            Decision::Changed { trusted } => {
                println!(
                    "{}: trusted to run\n{}\nnow asks for\n{}",
                    folder.display(),
                    indented(&trusted),
                    indented(&commands)
                );
                ExitCode::from(1)
            }
        });
    }
    state.grant(&folder, &commands)?;
    println!(
        "{}: trusted to run\n{}",
        folder.display(),
        indented(&commands)
    );
    Ok(ExitCode::SUCCESS)
}

/// The configuration in force in `folder`.
///
/// # Errors
/// The file is there and invalid: nobody can agree to commands that cannot be read.
fn configuration(folder: &std::path::Path) -> anyhow::Result<Config> {
    let file: Arc<std::path::Path> = Arc::from(folder.join("hotsave.toml"));
    let Ok(bytes) = std::fs::read(&file) else {
        return Ok(Config::default());
    };
    let (config, problems) = config::read(&file, &SourceText::new(bytes));
    config.ok_or_else(|| {
        let first = problems.first();
        let line = first.map_or(1, |it| it.place.text.line_column(it.place.span.start).0 + 1);
        let message = first.map_or("invalid", |it| it.message.as_str());
        anyhow::anyhow!("{}:{line}: {message}; mend it first", file.display())
    })
}

fn indented(lines: &str) -> String {
    lines
        .lines()
        .map(|it| format!("  {it}"))
        .collect::<Vec<_>>()
        .join("\n")
}
