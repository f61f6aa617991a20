//! What the server's messages say to a person, one line each.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// A message worth a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    /// The program printed a line.
    Printed(String),
    /// A reload ended.
    Finished(Finished),
    /// All problems that stand in a file now.
    Problems { uri: String, problems: Vec<Problem> },
    /// The server is degraded or has failed, in its own words.
    Warned(String),
}

/// The end of a reload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finished {
    pub(crate) generation: u64,
    pub(crate) tag: String,
    stage: Option<String>,
    reason: Option<String>,
    units: Vec<String>,
    kept: u64,
    duration_ms: f64,
}

/// One diagnostic; line and column as people count them, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: u64,
    column: u64,
    severity: &'static str,
    pub(crate) code: String,
    message: String,
}

impl News {
    /// Reads a message of the server; `None` if it has nothing for this terminal.
    pub(crate) fn read(message: &Value) -> Option<Self> {
        let params = &message["params"];
        match message["method"].as_str()? {
            // Output of the program; other lines of the log tell what the messages below tell better.
            "window/logMessage" if params["type"] == 4 => Some(Self::Printed(
                params["message"].as_str()?.trim_end().to_owned(),
            )),
            "window/showMessage" => Some(Self::Warned(params["message"].as_str()?.to_owned())),
            "hotsave/status" if params["health"] == "warning" => {
                Some(Self::Warned(params["message"].as_str()?.to_owned()))
            }
            "hotsave/reloadFinished" => Some(Self::Finished(Finished::read(params)?)),
            "textDocument/publishDiagnostics" => Some(Self::Problems {
                uri: params["uri"].as_str()?.to_owned(),
                problems: params["diagnostics"]
                    .as_array()?
                    .iter()
                    .filter_map(Problem::read)
                    .collect(),
            }),
            _ => None,
        }
    }
}

impl Finished {
    fn read(params: &Value) -> Option<Self> {
        let outcome = &params["outcome"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let units = params["units"].as_array()?;
        Some(Self {
            generation: params["generation"].as_u64()?,
            tag: text(&outcome["tag"])?,
            stage: text(&outcome["stage"]),
            reason: text(&outcome["reason"]),
            units: units.iter().filter_map(|it| text(&it["name"])).collect(),
            kept: units.iter().filter_map(|it| it["kept"].as_u64()).sum(),
            duration_ms: params["durationMs"].as_f64()?,
        })
    }

    fn line(&self) -> String {
        let mut line = format!("gen {} {}", self.generation, words(&self.tag));
        if let Some(stage) = &self.stage {
            line += &format!(" at {stage}");
        }
        if !self.units.is_empty() {
            line += &format!(" · {}", self.units.join(", "));
        }
        line += &format!(" · {}", milliseconds(self.duration_ms));
        if self.kept > 0 {
            line += &format!(" · {} kept", self.kept);
        }
        if let (Some(reason), "unchanged" | "needsRestart") = (&self.reason, self.tag.as_str()) {
            line += &format!(" · {reason}");
        }
        line
    }
}

impl Problem {
    fn read(diagnostic: &Value) -> Option<Self> {
        let start = &diagnostic["range"]["start"];
        let message = diagnostic["message"].as_str()?;
        Some(Self {
            line: start["line"].as_u64()? + 1,
            column: start["character"].as_u64()? + 1,
            severity: match diagnostic["severity"].as_u64() {
                Some(2) => "warning",
                Some(3) => "information",
                Some(4) => "hint",
                _ => "error",
            },
            code: diagnostic["code"].as_str().unwrap_or_default().to_owned(),
            message: message.lines().next().unwrap_or_default().to_owned(),
        })
    }
}

/// What is known of the folder so far.
pub(crate) struct Board {
    root: PathBuf,
    problems: BTreeMap<String, Vec<Problem>>,
}

impl Board {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            problems: BTreeMap::new(),
        }
    }

    /// The problems that stand in `file`, relative to the folder.
    pub(crate) fn problems(&self, file: &str) -> &[Problem] {
        self.problems.get(file).map_or(&[], Vec::as_slice)
    }

    /// Takes `news` in; the lines that tell it, none if it is known already.
    pub(crate) fn take(&mut self, news: News) -> Vec<String> {
        match news {
            News::Printed(text) => vec![format!("  | {text}")],
            News::Finished(finished) => vec![finished.line()],
            News::Warned(text) => vec![text],
            News::Problems { uri, problems } => self.take_problems(&uri, problems),
        }
    }

    fn take_problems(&mut self, uri: &str, problems: Vec<Problem>) -> Vec<String> {
        let file = self.file(uri);
        let before = self
            .problems
            .insert(file.clone(), problems.clone())
            .unwrap_or_default();
        let gone = before.iter().filter(|it| !problems.contains(it));
        let new = problems.iter().filter(|it| !before.contains(it));
        let gone =
            gone.map(|it| format!("  ok {file}:{}:{} {} is gone", it.line, it.column, it.code));
        let new = new.map(|it| {
            format!(
                "  !! {file}:{}:{} {} {}: {}",
                it.line, it.column, it.severity, it.code, it.message
            )
        });
        gone.chain(new).collect()
    }

    fn file(&self, uri: &str) -> String {
        let root = hotsave_tests::client::uri(&self.root);
        uri.strip_prefix(&root)
            .unwrap_or(uri)
            .trim_start_matches('/')
            .to_owned()
    }
}

/// `rolledBack` as people read it: `rolled back`.
fn words(tag: &str) -> String {
    tag.chars()
        .flat_map(|it| {
            it.is_uppercase()
                .then_some(' ')
                .into_iter()
                .chain(it.to_lowercase())
        })
        .collect()
}

fn milliseconds(duration_ms: f64) -> String {
    if duration_ms < 0.1 {
        "under 0.1 ms".to_owned()
    } else if duration_ms < 10.0 {
        format!("{duration_ms:.1} ms")
    } else {
        format!("{duration_ms:.0} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(lines: &[u64]) -> News {
        let diagnostics: Vec<Value> = lines
            .iter()
            .map(|line| {
                json!({
                    "range": { "start": { "line": line, "character": 4 }, "end": { "line": line, "character": 5 } },
                    "severity": 1, "code": "lua/syntax", "message": "unexpected\nmore",
                })
            })
            .collect();
        let params = json!({ "uri": "file:///p/sub/a.lua", "diagnostics": diagnostics });
        News::read(&json!({ "method": "textDocument/publishDiagnostics", "params": params }))
            .unwrap()
    }

    #[test]
    fn a_problem_is_told_when_it_comes_and_when_it_goes() {
        let mut board = Board::new(Path::new("/p"));
        assert_eq!(
            board.take(problems(&[2])),
            ["  !! sub/a.lua:3:5 error lua/syntax: unexpected"]
        );
        assert_eq!(board.take(problems(&[2])), [""; 0]);
        assert_eq!(
            board.take(problems(&[7])),
            [
                "  ok sub/a.lua:3:5 lua/syntax is gone",
                "  !! sub/a.lua:8:5 error lua/syntax: unexpected"
            ]
        );
        assert_eq!(board.problems("sub/a.lua").len(), 1);
        assert_eq!(
            board.take(problems(&[])),
            ["  ok sub/a.lua:8:5 lua/syntax is gone"]
        );
    }

    #[test]
    fn a_finish_is_one_line() {
        let params = json!({
            "generation": 3, "durationMs": 4.26, "outcome": { "tag": "rolledBack", "stage": "run", "reason": "no" },
            "units": [{ "name": "a", "kept": 2 }, { "name": "b", "kept": 1 }],
        });
        let news =
            News::read(&json!({ "method": "hotsave/reloadFinished", "params": params })).unwrap();
        assert_eq!(
            Board::new(Path::new("/p")).take(news),
            ["gen 3 rolled back at run · a, b · 4.3 ms · 3 kept"]
        );
    }
}
