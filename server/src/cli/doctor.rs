//! `hotsave doctor`: what works in a folder, what does not, and why. Reads, and starts nothing of the project.
//!
//! Exit code 0 unless something is broken; a note is no failure.

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
    verdict: Verdict,
    what: &'static str,
    text: String,
}

#[expect(clippy::print_stdout, reason = "a terminal command answers on stdout")]
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = super::project_folder(arguments.path.as_deref())?;
    println!(
        "hotsave {} in {}",
        env!("CARGO_PKG_VERSION"),
        folder.display()
    );
    let findings = examine(&folder);
    for finding in &findings {
        println!(
            "{:<4} {:<13} {}",
            finding.verdict.word(),
            finding.what,
            finding.text
        );
    }
    let is_broken = findings.iter().any(|it| it.verdict == Verdict::Bad);
    Ok(ExitCode::from(u8::from(is_broken)))
}

/// How a finding is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works as asked for, and may surprise.
    Note,
    Bad,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }
}

fn examine(folder: &std::path::Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |verdict, what, text: String| {
        findings.push(Finding {
            verdict,
            what,
            text,
        })
    };
    let file: Arc<std::path::Path> = Arc::from(folder.join("hotsave.toml"));
    let config = match std::fs::read(&file) {
        Ok(bytes) => {
            let (config, problems) = config::read(&file, &SourceText::new(bytes));
            for problem in &problems {
                let line = problem.place.text.line_column(problem.place.span.start).0 + 1;
                find(
                    Verdict::Bad,
                    "configuration",
                    format!("hotsave.toml:{line}: {}", problem.message),
                );
            }
            if config.is_some() && problems.is_empty() {
                find(
                    Verdict::Good,
                    "configuration",
                    "hotsave.toml is valid".to_owned(),
                );
            }
            config.unwrap_or_default()
        }
        Err(_) => {
            find(
                Verdict::Good,
                "configuration",
                "no hotsave.toml: defaults".to_owned(),
            );
            Config::default()
        }
    };
    let Survey {
        n_files,
        n_modules,
        n_missing,
        dialect,
        runs_in_worker,
    } = survey(folder, &config);
    let verdict = if n_modules > 0 {
        Verdict::Good
    } else {
        Verdict::Note
    };
    find(
        verdict,
        "Lua",
        format!("{n_files} files, {n_modules} of them modules, {n_missing} requires lead nowhere"),
    );
    let host = if config.lua.host == HostChoice::None {
        (
            Verdict::Good,
            "none: `host = \"none\"`, syntax and graph only".to_owned(),
        )
    } else if runs_in_worker {
        (Verdict::Good, format!("worker, {dialect}"))
    } else {
        (
            Verdict::Note,
            format!(
                "none for {dialect}: the worker is Lua 5.4, so this project is checked and not run"
            ),
        )
    };
    find(host.0, "host", host.1);
    let loads = match (config.lua.load, config.lua.entry.as_slice()) {
        (Load::All, _) => "every module when the host starts".to_owned(),
        (Load::Saved, []) => "each module when it is saved".to_owned(),
        (Load::Saved, entries) => format!(
            "{} when the host starts, other modules when saved",
            entries.join(", ")
        ),
        (Load::Entry, entries) => format!("{} and what they require", entries.join(", ")),
    };
    find(Verdict::Good, "loaded", loads);
    for entry in config
        .lua
        .entry
        .iter()
        .filter(|it| !folder.join(it).is_file())
    {
        find(Verdict::Bad, "entry", format!("{entry} does not exist"));
    }
    let state = StateDir::of_environment();
    match state.decide(folder, &config.commands()) {
        Decision::Granted => find(
            Verdict::Good,
            "trust",
            "programs of this folder may run".to_owned(),
        ),
        Decision::Unknown => {
            find(
                Verdict::Note,
                "trust",
                "not trusted: `hotsave trust` allows it, or the editor states it".to_owned(),
            );
        }
        Decision::Changed { .. } => find(
            Verdict::Note,
            "trust",
            "trusted for other commands: `hotsave trust --show`".to_owned(),
        ),
    }
    find(Verdict::Good, "state", state.path().display().to_string());
    findings
}
