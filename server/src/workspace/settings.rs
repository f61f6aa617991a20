//! Editor comfort settings: the section `hotsave` of the client (editors specification, 2.9).
//!
//! Project facts live in `hotsave.toml`, never here.

use serde::{Deserialize, Serialize};

/// When a save reloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReloadOn {
    /// Every save.
    #[default]
    Save,
    /// Saves a person asked for (reason of the last `willSave`).
    ManualSave,
    /// Only commands.
    Command,
}

/// Who watches files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Watcher {
    /// The client if it is known to see everything, else the server.
    #[default]
    Auto,
    /// The client.
    Client,
    /// The server.
    Server,
    /// Nobody: only saves in the editor count.
    Off,
}

/// Which changes of health a person is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Notify {
    /// None.
    Off,
    /// Changes to error.
    #[default]
    Failures,
    /// Also "fixed again".
    All,
}

/// Settings the server uses; those for the client alone are not read here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// When a save reloads.
    pub reload_on: ReloadOn,
    /// Who watches files.
    pub watcher: Watcher,
    /// Which changes of health plain clients are told of.
    pub notify: Notify,
    /// Whether code lenses are offered.
    pub code_lens: bool,
    /// Level and file of the log.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reload_on: ReloadOn::default(),
            watcher: Watcher::default(),
            notify: Notify::default(),
            code_lens: true,
            log: LogSettings::default(),
        }
    }
}

/// `log.level` and `log.file`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogSettings {
    /// `error` to `trace`; `None` means `info`.
    pub level: Option<String>,
    /// Absolute path of a log file.
    pub file: Option<String>,
}
