//! Captured state: the values of a running program, taken out and put back.
//!
//! The content itself is whatever the host made of it; it travels in answers only, never in events.

use serde::{Deserialize, Serialize};

use crate::{
    handshake::EventGroup, lenient::null_is_absent, message::EventBody, message::Request,
    reload::Outcome,
};

words! {
    /// Why state was captured.
    StateReason {
        /// A reload is about to begin.
        BeforeReload = "beforeReload",
        /// A person asked.
        Manual = "manual",
        /// The program ended without being asked to.
        Crash = "crash",
    }
}

/// A value that could not be captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Where in the state.
    pub path: String,
    /// Why.
    pub why: String,
}

/// `hotsave/stateCaptured`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCaptured {
    /// Names the capture in later requests.
    pub capture: String,
    /// Why it was made.
    pub reason: StateReason,
    /// Its size.
    pub bytes: u64,
    /// How many values it holds.
    pub entries: u64,
    /// What it lacks.
    #[serde(default, deserialize_with = "null_is_absent")]
    pub dropped: Vec<Dropped>,
}

impl EventBody for StateCaptured {
    const METHOD: &'static str = "hotsave/stateCaptured";
    const GROUP: EventGroup = EventGroup::State;
}

/// `hotsave/getState`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetState {
    /// Which capture.
    pub capture: String,
}

impl GetState {
    /// Method name; the answer is a [`CapturedState`] of whatever type the caller reads JSON values into.
    pub const METHOD: &'static str = "hotsave/getState";
}

/// The answer to [`GetState`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedState<Content> {
    /// Any JSON value.
    pub content: Content,
}

/// `hotsave/restoreState`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreState {
    /// Which capture.
    pub capture: String,
}

impl Request for RestoreState {
    const METHOD: &'static str = "hotsave/restoreState";
    type Answer = Outcome;
}
