//! The frame of every message: events carry three common fields, requests have an answer.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{handshake::EventGroup, place::Uri};

/// An event as it stands on the wire: the common fields, then the fields of its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<Body> {
    /// The workspace folder.
    pub workspace: Uri,
    /// Number of the change set that it belongs to; rises strictly within a folder.
    pub generation: u64,
    /// Rises by exactly one per event sent on the connection, over all folders; the first is 1.
    pub seq: u64,
    /// The rest.
    #[serde(flatten)]
    pub body: Body,
}

/// The body of an event from the server to the client.
pub trait EventBody: Serialize + DeserializeOwned {
    /// Method name of the notification.
    const METHOD: &'static str;
    /// The group by which a client asks for it.
    const GROUP: EventGroup;
}

/// Parameters of a request from the client.
pub trait Request: Serialize + DeserializeOwned {
    /// Method name.
    const METHOD: &'static str;
    /// Its result.
    type Answer;
}
