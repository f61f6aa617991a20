//! What an editor says of itself when it starts the server.

use std::{env, path::PathBuf};

use serde_json::{Value, json};

/// How a test's editor behaves. Start from [`Options::default`] (knows everything, trusts the folder) or
/// [`Options::plain`] (knows nothing).
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether it declares `experimental.hotsave`.
    pub hotsave: bool,
    /// `initializationOptions.trust`.
    pub trust: Option<&'static str>,
    /// `general.positionEncodings`; empty leaves the field out.
    pub encodings: &'static [&'static str],
    /// The settings section `hotsave`.
    pub settings: Value,
    /// Capabilities merged over the usual ones.
    pub capabilities: Value,
    /// `clientInfo.name`.
    pub name: &'static str,
    /// `processId`; `None` sends null.
    pub process_id: Option<u32>,
    /// What happens to requests of the server.
    pub answers: Answers,
    /// Folders to open, relative to the project; empty opens the project itself.
    pub folders: Vec<String>,
    /// More environment for the server.
    pub environment: Vec<(&'static str, String)>,
}

/// What the editor does with requests of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Answers at once.
    Prompt,
    /// Never answers.
    Never,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hotsave: true,
            trust: Some("granted"),
            encodings: &[],
            settings: json!({}),
            capabilities: json!({}),
            name: "hotsave-tests",
            process_id: Some(std::process::id()),
            answers: Answers::Prompt,
            folders: Vec::new(),
            environment: Vec::new(),
        }
    }
}

impl Options {
    /// An editor that knows nothing of hotsave but may run programs.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            hotsave: false,
            ..Self::default()
        }
    }

    /// The parameters of `initialize` for `folders` (name and URI).
    #[must_use]
    pub fn initialize(&self, folders: &[(String, String)]) -> Value {
        let mut capabilities = json!({
            "workspace": { "workspaceFolders": true, "applyEdit": true, "codeLens": { "refreshSupport": true } },
            "textDocument": {
                "synchronization": { "willSave": true, "didSave": true },
                "publishDiagnostics": { "relatedInformation": true, "versionSupport": true, "dataSupport": true },
                "codeLens": {},
            },
            "window": { "workDoneProgress": true },
            "experimental": { "serverStatusNotification": true },
        });
        if self.hotsave {
            capabilities["experimental"]["hotsave"] = json!({
                "protocol": [1],
                "events": ["reload", "preview", "build", "runner", "state", "status"],
                "preview": "none",
            });
        }
        if !self.encodings.is_empty() {
            capabilities["general"] = json!({ "positionEncodings": self.encodings });
        }
        merge(&mut capabilities, &self.capabilities);
        let mut settings = self.settings.clone();
        if let Some(trust) = self.trust {
            settings["trust"] = json!(trust);
        }
        json!({
            "processId": self.process_id,
            "clientInfo": { "name": self.name },
            "rootUri": folders.first().map(|(_, uri)| uri),
            "capabilities": capabilities,
            "initializationOptions": settings,
            "workspaceFolders":
                folders.iter().map(|(name, uri)| json!({ "name": name, "uri": uri })).collect::<Vec<_>>(),
        })
    }
}

/// Lays `over` over `base`, field by field.
fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// The binary under test: `HOTSAVE_BIN`, else `hotsave` in the target folder this test was built into.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("HOTSAVE_BIN") {
        return path.into();
    }
    let own = env::current_exe().unwrap();
    let found = own
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("hotsave"))
        .find(|path| path.is_file());
    found.expect("no `hotsave` beside the tests: build it first (cargo build -p hotsave), or set HOTSAVE_BIN")
}
