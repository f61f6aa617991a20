//! Reading what Lua says is wrong, and finding its place in the texts the server knows.
//!
//! ```text
//! wire::Problem ─► message (what the words say) ─► place (chunk and line) ─► span (bytes on that line) ─► Problem
//! ```
//!
//! Pure: texts come from a callback. Runs no pattern of the project's and trusts no position it cannot resolve.
//! Must stay true: a span lies inside its text, whatever the message claims (Lua specification, 11.1).

pub mod codes;
mod message;
mod span;

use std::{path::Path, sync::Arc};

use hotsave_engine::{
    problem::{Place, Problem, Related, Severity},
    text::SourceText,
};

pub use codes::CODES;
use message::Message;

use crate::{scan::LineMap, wire};

/// Frames and triggers shown beside a problem, each at most.
const MAX_RELATED: usize = 10;

/// How a message names a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// By its file, without `@`.
    File(&'a str),
    /// By the end of it, because Lua cut it to `...tail`.
    Tail(&'a str),
}

impl<'a> Chunk<'a> {
    /// From a chunk name as `getinfo` gives it (`@a.lua`); `None` if it stands for no file.
    #[must_use]
    pub fn of_name(name: &'a str) -> Option<Self> {
        name.strip_prefix('@').map(Self::of_short)
    }

    /// From the form that stands in messages (`a.lua`, `...tail/a.lua`).
    #[must_use]
    pub fn of_short(short: &'a str) -> Self {
        match short.strip_prefix("...") {
            Some(tail) => Self::Tail(tail),
            None => Self::File(short),
        }
    }

    /// Could this be the chunk with that name (`@/project/a.lua`)? A leading `./` counts for nothing.
    #[must_use]
    pub fn matches(self, name: &str) -> bool {
        let plain = |it: &'a str| it.strip_prefix("./").unwrap_or(it);
        let name = name.strip_prefix('@').unwrap_or(name);
        let name = name.strip_prefix("./").unwrap_or(name);
        match self {
            Self::File(file) => plain(file) == name,
            Self::Tail(tail) => !tail.is_empty() && name.ends_with(tail),
        }
    }
}

/// A text the server knows.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its file.
    pub path: Arc<Path>,
    /// The text a problem is to be shown on.
    pub text: SourceText,
    /// From the lines of the running text to those of [`Self::text`], if they differ.
    pub lines: Option<LineMap>,
}

/// What the server knows of the transaction or program that a problem comes from.
pub struct Context<'a> {
    /// Folder that names in messages are relative to.
    pub root: &'a Path,
    /// The text of a chunk; of several that match a tail, the transaction's first. `None` outside the workspace.
    pub source: &'a dyn Fn(Chunk<'_>) -> Option<Source>,
    /// The files whose change led here; empty for problems of the running program.
    pub trigger: &'a [Source],
}

/// A line of a known text.
struct Spot {
    source: Source,
    /// From 0.
    line: u32,
}

/// Finds the place of a problem that a host has reported; `None` if nothing it names is known and nothing triggered it.
///
/// *Shape*: `related` holds where something was opened, then frames from the inside out, then triggers; the nearest
/// frame or trigger also stands in the first line of the message, for clients that show nothing else. `data` holds
/// `module` and each `candidate` of a module that was not found.
#[must_use]
pub fn locate(problem: &wire::Problem, context: &Context<'_>) -> Option<Problem> {
    let (code, severity) = codes::known(&problem.code);
    let severity = severity_of(problem.severity).unwrap_or(severity);
    let message = Message::read(&problem.message, &|chunk| (context.source)(chunk).is_some());
    let stated = Chunk::of_name(&problem.chunk).and_then(|chunk| context.spot(chunk, problem.line));
    let said = message
        .position
        .and_then(|(chunk, line)| context.spot(chunk, line));
    let frames: Vec<(Spot, Option<&str>)> = problem
        .frames
        .iter()
        .filter_map(|it| {
            let spot = context.spot(Chunk::of_name(&it.chunk)?, it.line)?;
            Some((spot, it.name.as_deref()))
        })
        .collect();
    let is_loading = message.is_loading && said.is_some();
    // A searcher says "error loading module" of one thing only: a text that does not compile.
    let code = if is_loading && code == codes::LOAD_ERROR {
        codes::SYNTAX
    } else {
        code
    };

    let mut steps: Vec<(Spot, String, String)> = Vec::new();
    let mut spots = said.into_iter().chain(stated);
    let found = spots.next();
    for spot in spots.filter(|_| is_loading) {
        let at = context.name(&spot);
        steps.push((spot, "required here".into(), format!("required at {at}")));
    }
    let mut frames = frames.into_iter();
    let spot = found.or_else(|| frames.next().map(|(spot, _)| spot));
    let spot = spot.or_else(|| {
        context.trigger.first().map(|it| Spot {
            source: it.clone(),
            line: 0,
        })
    })?;
    for (frame, name) in frames {
        let told = name.map_or_else(
            || "called from here".into(),
            |name| format!("in function '{name}'"),
        );
        let at = context.name(&frame);
        steps.push((frame, told, format!("called from {at}")));
    }
    let mut seen = vec![(Arc::clone(&spot.source.path), spot.line)];
    steps.retain(|(it, ..)| {
        let place = (Arc::clone(&it.source.path), it.line);
        let is_new = !seen.contains(&place);
        seen.push(place);
        is_new
    });
    steps.truncate(MAX_RELATED);
    if !context.trigger.iter().any(|it| it.path == spot.source.path) {
        for trigger in context.trigger.iter().take(MAX_RELATED) {
            let told = format!(
                "reloaded because {} changed",
                relative(context.root, &trigger.path)
            );
            let spot = Spot {
                source: trigger.clone(),
                line: 0,
            };
            steps.push((spot, told.clone(), told));
        }
    }

    let opened = message.opened.map(|(line, word, told)| {
        let opening = Spot {
            line: spot.source.line(line),
            source: spot.source.clone(),
        };
        (opening, word, told)
    });
    // 5.4 names the line of the second label as that of the first.
    let opened = opened.filter(|(opening, ..)| opening.line != spot.line);
    let opened = opened.map(|(opening, word, told)| Related {
        place: opening.place(word),
        message: told.into(),
    });
    let text = match steps.first() {
        Some((.., nearest)) => with_nearest(message.text, nearest),
        None => message.text.to_owned(),
    };
    let steps = steps.into_iter().map(|(spot, message, _)| Related {
        place: spot.place(None),
        message,
    });
    Some(Problem {
        place: spot.place_of(&message.mark),
        severity,
        code,
        message: text,
        related: opened.into_iter().chain(steps).collect(),
        data: message.data(),
    })
}

impl Context<'_> {
    /// The line of a known chunk, in the text it is shown on.
    fn spot(&self, chunk: Chunk<'_>, line: i32) -> Option<Spot> {
        let source = (self.source)(chunk)?;
        let line = source.line(u32::try_from(line).unwrap_or(0));
        Some(Spot { source, line })
    }

    /// `ai/patrol.lua:8`.
    fn name(&self, spot: &Spot) -> String {
        format!(
            "{}:{}",
            relative(self.root, &spot.source.path),
            spot.line + 1
        )
    }
}

impl Source {
    /// From a line of the running text, counted from 1, to one of the text shown, counted from 0.
    fn line(&self, line: u32) -> u32 {
        let line = line.max(1);
        let line = self.lines.as_ref().map_or(line, |it| it.new_line(line));
        line.saturating_sub(1)
            .min(self.text.n_lines().saturating_sub(1))
    }
}

impl Spot {
    /// The one word `word` on the line, or all of it.
    fn place(&self, word: Option<&str>) -> Place {
        self.place_of(&word.map_or(message::Mark::Line, message::Mark::Word))
    }

    fn place_of(&self, mark: &message::Mark<'_>) -> Place {
        Place {
            path: Arc::clone(&self.source.path),
            text: self.source.text.clone(),
            span: span::find(&self.source.text, self.line, mark),
        }
    }
}

const fn severity_of(number: u8) -> Option<Severity> {
    Some(match number {
        1 => Severity::Error,
        2 => Severity::Warning,
        3 => Severity::Information,
        4 => Severity::Hint,
        _ => return None,
    })
}

/// `message` with the nearest cause in its first line.
fn with_nearest(message: &str, nearest: &str) -> String {
    match message.split_once('\n') {
        Some((first, rest)) => format!("{first} ({nearest})\n{rest}"),
        None => format!("{message} ({nearest})"),
    }
}

/// The path as people write it inside the project.
fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests;
