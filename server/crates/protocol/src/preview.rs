//! Previews: refresh, acknowledgement, opening and closing.

use serde::{Deserialize, Serialize};

use crate::{
    handshake::EventGroup, lenient::null_is_absent, message::EventBody, message::Request, ms::Ms,
    place::Uri,
};

words! {
    /// How much of a preview is new.
    PreviewMode {
        /// Style sheets only.
        Style = "style",
        /// Images, sounds, fonts.
        Asset = "asset",
        /// The story; the reader's place may be kept.
        Story = "story",
        /// Everything: the page loads anew.
        Full = "full",
        /// Nothing to show.
        None = "none",
    }
}

words! {
    /// What a changed thing is.
    ChangedKind {
        /// A passage of a story.
        Passage = "passage",
        /// A style sheet.
        Style = "style",
        /// A script.
        Script = "script",
        /// An image.
        Image = "image",
        /// Sound or film.
        Media = "media",
        /// A font.
        Font = "font",
        /// A module of the program.
        Module = "module",
        /// Other data.
        Data = "data",
    }
}

/// One changed thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its file.
    pub uri: Uri,
    /// Name of the passage or asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is.
    pub kind: ChangedKind,
}

/// What a preview should bring into view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Focus {
    /// A passage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage: Option<String>,
    /// A document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<Uri>,
}

/// `hotsave/previewRefresh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewRefresh {
    /// Which preview.
    pub preview: String,
    /// Its complete address.
    pub url: String,
    /// How much is new.
    pub mode: PreviewMode,
    /// What changed.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub changed: Vec<Changed>,
    /// What to bring into view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<Focus>,
    /// Whether the reader's place and variables stay.
    pub keep_state: bool,
}

impl EventBody for PreviewRefresh {
    const METHOD: &'static str = "hotsave/previewRefresh";
    const GROUP: EventGroup = EventGroup::Preview;
}

/// `hotsave/previewAck`, a notification from the client: the refresh of this generation is on the screen, or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewAck {
    /// Which preview.
    pub preview: String,
    /// The generation of the refresh.
    pub generation: u64,
    /// Whether it is shown.
    pub applied: bool,
    /// Why not, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Time it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_ms: Option<Ms>,
}

impl PreviewAck {
    /// Method name of the notification.
    pub const METHOD: &'static str = "hotsave/previewAck";
}

/// `hotsave/openPreview`; idempotent per document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenPreview {
    /// The document, with `#passage=NAME` if wanted; else the story last opened or saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<Uri>,
    /// An origin under which a tunnel shows the server; allowed until the preview closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_origin: Option<String>,
}

impl Request for OpenPreview {
    const METHOD: &'static str = "hotsave/openPreview";
    type Answer = PreviewAddress;
}

/// `hotsave/closePreview`; nothing given: the last opened one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosePreview {
    /// The document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<Uri>,
    /// The preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

impl Request for ClosePreview {
    const METHOD: &'static str = "hotsave/closePreview";
    type Answer = PreviewAddress;
}

/// The preview that was opened or closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewAddress {
    /// Which preview.
    pub preview: String,
    /// Its complete address.
    pub url: String,
}
