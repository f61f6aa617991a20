//! A reload as the client saw it: the start, the finish, and what they say.

use serde_json::Value;

/// The payloads of `reloadStarted` and `reloadFinished` of one generation.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The start.
    pub started: Value,
    /// The finish.
    pub finished: Value,
}

impl Reload {
    /// The generation both carry.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.started["generation"].as_u64().unwrap()
    }

    /// `outcome.tag`.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.text("/outcome/tag")
    }

    /// `outcome.stage`, empty if absent.
    #[must_use]
    pub fn stage(&self) -> &str {
        self.text("/outcome/stage")
    }

    /// `outcome.reason`, empty if absent.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text("/outcome/reason")
    }

    /// Who caused it.
    #[must_use]
    pub fn cause(&self) -> &str {
        self.started["cause"].as_str().unwrap()
    }

    /// Names of the reloaded units, in order.
    #[must_use]
    pub fn units(&self) -> Vec<&str> {
        self.finished["units"]
            .as_array()
            .unwrap()
            .iter()
            .map(|unit| unit["name"].as_str().unwrap())
            .collect()
    }

    /// File names (without folders) of what caused it, sorted.
    #[must_use]
    pub fn trigger(&self) -> Vec<&str> {
        let uris = self.started["trigger"]
            .as_array()
            .unwrap()
            .iter()
            .map(|uri| uri.as_str().unwrap());
        let mut names: Vec<&str> = uris.map(|uri| uri.rsplit('/').next().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// `tag`, with ` at stage` and `: reason` where there are such.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = self.tag().to_owned();
        for (before, part) in [(" at ", self.stage()), (": ", self.reason())] {
            if !part.is_empty() {
                text.push_str(before);
                text.push_str(part);
            }
        }
        text
    }

    fn text(&self, pointer: &str) -> &str {
        self.finished
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// One diagnostic, as tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Line, 1-based as in messages.
    pub line: u64,
    /// Columns from and to, 0-based, in the negotiated encoding; `to` is on the end's line.
    pub columns: (u64, u64),
    /// 1 error to 4 hint.
    pub severity: u64,
    /// `code`.
    pub code: String,
    /// `message`.
    pub message: String,
    /// Related places as `file.lua:LINE`.
    pub related: Vec<String>,
}

impl Found {
    /// Reads the diagnostics of a `publishDiagnostics` payload.
    #[must_use]
    pub fn all(payload: &Value) -> Vec<Self> {
        payload["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(Self::one)
            .collect()
    }

    fn one(diagnostic: &Value) -> Self {
        let number = |pointer: &str| diagnostic.pointer(pointer).and_then(Value::as_u64).unwrap();
        assert_eq!(diagnostic["source"], "hotsave", "{diagnostic}");
        let related = diagnostic["relatedInformation"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|place| {
                let uri = place["location"]["uri"].as_str().unwrap();
                let line = place["location"]["range"]["start"]["line"]
                    .as_u64()
                    .unwrap()
                    + 1;
                format!("{}:{line}", uri.rsplit('/').next().unwrap())
            });
        Self {
            line: number("/range/start/line") + 1,
            columns: (
                number("/range/start/character"),
                number("/range/end/character"),
            ),
            severity: number("/severity"),
            code: diagnostic["code"].as_str().unwrap_or_default().to_owned(),
            message: diagnostic["message"].as_str().unwrap().to_owned(),
            related: related.collect(),
        }
    }
}
