//! Code lenses: one line above a module that a host knows.

use std::path::Path;

use hotsave_protocol::{Command, CommandArgument};

use super::{domain::Domain, event::Lens};

/// The lenses of `path`; none for a file that no host runs.
pub(super) fn of(domain: &Domain, path: &Path, uri: &str) -> Vec<Lens> {
    let Some(running) = domain.units.as_ref().and_then(|it| it.running(path)) else {
        return Vec::new();
    };
    let argument = || CommandArgument {
        uri: Some(uri.to_owned()),
        ..CommandArgument::default()
    };
    let story = if domain
        .refusals
        .failing(domain.root())
        .iter()
        .any(|it| it == path)
    {
        format!("Failing, running {}", running.since)
    } else {
        let ms = running.duration.as_secs_f64() * 1000.0;
        format!("{} · {ms:.1} ms · {} kept", running.since, running.kept)
    };
    vec![
        Lens {
            line: 0,
            title: "Reload".to_owned(),
            command: Command::Reload,
            argument: argument(),
        },
        Lens {
            line: 0,
            title: story,
            command: Command::Explain,
            argument: argument(),
        },
    ]
}
