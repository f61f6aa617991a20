//! Commands of `workspace/executeCommand`: all usable without an argument, all answered after their outcome.

use serde::{Deserialize, Serialize};

use crate::{place::Uri, reload::Outcome};

/// A command that this server knows; on the wire its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Retries what is pending or failing; with `uri` that unit and its dependents, changed or not.
    #[serde(rename = "hotsave.reload")]
    Reload,
    /// Builds every folder's program up anew, or that of `workspace`.
    #[serde(rename = "hotsave.reloadAll")]
    ReloadAll,
    /// Collects changes without applying them.
    #[serde(rename = "hotsave.pause")]
    Pause,
    /// Applies what was collected, as one generation.
    #[serde(rename = "hotsave.resume")]
    Resume,
    /// Restarts what asked for it, else every host.
    #[serde(rename = "hotsave.restart")]
    Restart,
    /// Allows the folder's commands as they stand now.
    #[serde(rename = "hotsave.trust")]
    Trust,
    /// Says why each unit was or was not reloaded.
    #[serde(rename = "hotsave.explain")]
    Explain,
}

impl Command {
    /// Every command.
    pub const ALL: &'static [Self] = &[
        Self::Reload,
        Self::ReloadAll,
        Self::Pause,
        Self::Resume,
        Self::Restart,
        Self::Trust,
        Self::Explain,
    ];

    /// Its id, as announced and as called.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Reload => "hotsave.reload",
            Self::ReloadAll => "hotsave.reloadAll",
            Self::Pause => "hotsave.pause",
            Self::Resume => "hotsave.resume",
            Self::Restart => "hotsave.restart",
            Self::Trust => "hotsave.trust",
            Self::Explain => "hotsave.explain",
        }
    }

    /// The command of this id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.id() == id)
    }
}

/// The one optional argument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandArgument {
    /// A file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<Uri>,
    /// A workspace folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Uri>,
    /// A build target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// What a command answers. A refused reload is an outcome here, not an error of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// One line for a person.
    pub message: String,
    /// The folder it concerned; with several the last one, empty if there is none.
    pub workspace: Uri,
    /// The generation it made or spoke of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// How that generation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Markdown ready to show, from `hotsave.explain` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
