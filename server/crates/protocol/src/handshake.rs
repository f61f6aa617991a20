//! Handshake: what client and server declare under `capabilities.experimental.hotsave` of `initialize`.

use serde::{Deserialize, Serialize};

use crate::{command::Command, lenient::null_is_absent};

/// The protocol versions that this server speaks, ascending.
pub const VERSIONS: &[u32] = &[1];

words! {
    /// A group of events that a client asks for.
    EventGroup {
        /// `hotsave/reloadStarted` and `hotsave/reloadFinished`.
        Reload = "reload",
        /// `hotsave/previewRefresh`.
        Preview = "preview",
        /// `hotsave/buildStatus`.
        Build = "build",
        /// `hotsave/runnerStatus`.
        Runner = "runner",
        /// `hotsave/stateCaptured`.
        State = "state",
        /// `hotsave/status`.
        Status = "status",
    }
}

words! {
    /// What a client does with previews.
    #[derive(Default)]
    PreviewSupport {
        /// It shows pages itself.
        Webview = "webview",
        /// It opens addresses in a browser.
        Browser = "browser",
        /// Nothing: no refresh is sent.
        #[default]
        None = "none",
    }
}

words! {
    /// Who registers the command ids in the editor.
    #[derive(Default)]
    CommandOwner {
        /// The server announces them with `executeCommandProvider`.
        #[default]
        Server = "server",
        /// The client has registered them itself; the server announces no provider, it would register the ids again.
        Client = "client",
    }
}

/// What a client declares. Not declared: it gets no custom message at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCapability {
    /// Versions that it speaks, in any order.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub protocol: Vec<u32>,
    /// Groups of events that it wants.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub events: Vec<EventGroup>,
    /// What it does with previews.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub preview: PreviewSupport,
    /// Who registers the command ids.
    #[serde(
        default,
        deserialize_with = "null_is_absent",
        skip_serializing_if = "is_server"
    )]
    pub commands: CommandOwner,
}

impl ClientCapability {
    /// The highest version that both sides speak; `None`: no custom message, and one warning naming both lists.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        self.protocol
            .iter()
            .copied()
            .filter(|it| VERSIONS.contains(it))
            .max()
    }

    /// Whether events of this group are to be sent.
    #[must_use]
    pub fn wants(&self, group: EventGroup) -> bool {
        let is_shown = group != EventGroup::Preview || self.preview != PreviewSupport::None;
        self.version().is_some() && self.events.contains(&group) && is_shown
    }
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCapability {
    /// The version spoken from here on.
    pub protocol: u32,
    /// The commands of `workspace/executeCommand`, announced here also if the client registers them.
    pub commands: Vec<Command>,
}

fn is_server(owner: &CommandOwner) -> bool {
    *owner == CommandOwner::Server
}
