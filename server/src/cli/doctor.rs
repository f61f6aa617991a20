//! `hotsave doctor`: what works in a folder, what does not, and why. Reads, and starts nothing of the project.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use hotsave_engine::text::SourceText;

use crate::workspace::{
    config::{self, Config, HostChoice, Load},
    survey::{Survey, survey},
    trust::{Decision, StateDir},
};

/// Arguments of `hotsave doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The project's folder; by default the nearest one with a hotsave.toml
    path: Option<PathBuf>,
}

/// One line of the report.
struct Finding {
    is_good: bool,
    what: &'static str,
    text: String,
}

#[expect(clippy::print_stdout, reason = "a terminal command answers on stdout")]
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = super::project_folder(arguments.path.as_deref())?;
    println!("hotsave {} in {}", env!("CARGO_PKG_VERSION"), folder.display());
    let findings = examine(&folder);
    for finding in &findings {
        let mark = if finding.is_good { "ok  " } else { "note" };
        println!("{mark} {:<14} {}", finding.what, finding.text);
    }
    let is_healthy = findings.iter().all(|it| it.is_good);
    Ok(ExitCode::from(u8::from(!is_healthy)))
}

fn examine(folder: &std::path::Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |is_good, what, text: String| findings.push(Finding { is_good, what, text });
    let file: Arc<std::path::Path> = Arc::from(folder.join("hotsave.toml"));
    let config = match std::fs::read(&file) {
        Ok(bytes) => {
            let (config, problems) = config::read(&file, &SourceText::new(bytes));
            for problem in &problems {
                let line = problem.place.text.line_column(problem.place.span.start).0 + 1;
                find(false, "configuration", format!("hotsave.toml:{line}: {}", problem.message));
            }
            if config.is_some() && problems.is_empty() {
                find(true, "configuration", "hotsave.toml is valid".to_owned());
            }
            config.unwrap_or_default()
        }
        Err(_) => {
            find(true, "configuration", "no hotsave.toml: defaults".to_owned());
            Config::default()
        }
    };
    let Survey { n_files, n_modules, n_missing, dialect, runs_in_worker } = survey(folder, &config);
    let is_any = n_modules > 0;
    find(is_any, "Lua", format!("{n_files} files, {n_modules} of them modules, {n_missing} requires lead nowhere"));
    let host = if config.lua.host == HostChoice::None {
        (true, "none: `host = \"none\"`, syntax and graph only".to_owned())
    } else if runs_in_worker {
        (true, format!("worker, {dialect}"))
    } else {
        (false, format!("none for {dialect}: the worker is Lua 5.4, so this project is checked and not run"))
    };
    find(host.0, "host", host.1);
    let loads = match (config.lua.load, config.lua.entry.as_slice()) {
        (Load::All, _) => "every module when the host starts".to_owned(),
        (Load::Saved, []) => "each module when it is saved".to_owned(),
        (Load::Saved, entries) => format!("{} when the host starts, other modules when saved", entries.join(", ")),
        (Load::Entry, entries) => format!("{} and what they require", entries.join(", ")),
    };
    find(true, "loaded", loads);
    for entry in config.lua.entry.iter().filter(|it| !folder.join(it).is_file()) {
        find(false, "entry", format!("{entry} does not exist"));
    }
    let state = StateDir::of_environment();
    match state.decide(folder, &config.commands()) {
        Decision::Granted => find(true, "trust", "programs of this folder may run".to_owned()),
        Decision::Unknown => {
            find(false, "trust", "not trusted: `hotsave trust` allows it, or the editor states it".to_owned());
        }
        Decision::Changed { .. } => find(false, "trust", "trusted for other commands: `hotsave trust --show`".to_owned()),
    }
    find(true, "state", state.path().display().to_string());
    findings
}
