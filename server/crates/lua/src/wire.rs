//! The wire between the server and a Lua host: every object and message, one JSON object a line.
//!
//! Only shapes: who may send what and when is [`crate::host`]'s concern, what it does in Lua the runtime's.
//! Must stay true: names and meaning are those of the Lua specification, 2.4 and 2.5; absent equals `null`, an unknown
//! field or `t` is ignored, an empty list may come as `{}` (a Lua table cannot tell), and a line never exceeds
//! [`MAX_LINE`]. Anything a field holds by default may be left out by either side.

mod lenient;
mod messages;
mod objects;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::{messages::*, objects::*};

/// Version of this wire, in `hello` and `welcome`.
pub const PROTOCOL: u32 = 1;
/// Longest line in bytes, its LF not counted; a longer one is answered by `bye` with reason [`LINE_TOO_LONG`].
pub const MAX_LINE: usize = 16 << 20;
/// Reason of the `bye` that answers a line over [`MAX_LINE`].
pub const LINE_TOO_LONG: &str = "lineTooLong";
/// First byte of each line from worker and interpreter; whatever stands outside such lines is program output.
pub const MARK: u8 = 0x1E;

/// State as it travels, kept as JSON: the server stores and forwards it, only the runtime reads it (12.4).
pub type Content = Value;
/// Policies by unit name.
pub type Policies = BTreeMap<String, Policy>;

/// Why a line cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is over [`MAX_LINE`].
    #[error("a line of {0} bytes is over the limit of {MAX_LINE}")]
    TooLong(usize),
    /// It is not the JSON object its `t` promises.
    #[error("not a message: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// One line, LF included, [`MARK`] not.
///
/// *Errors*: [`WireError::TooLong`]; the types of this file always serialize.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut line = serde_json::to_vec(message)?;
    if line.len() > MAX_LINE {
        return Err(WireError::TooLong(line.len()));
    }
    line.push(b'\n');
    Ok(line)
}

/// Reads one line, with or without its line end, without [`MARK`]; bytes that are not UTF-8 become U+FFFD.
///
/// *Errors*: both variants. A message with an unknown `t` is no error but `Other`.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, WireError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.len() > MAX_LINE {
        return Err(WireError::TooLong(line.len()));
    }
    Ok(serde_json::from_str(&String::from_utf8_lossy(line))?)
}

/// What the server says to a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
pub enum ToHost {
    /// Accepted; answers `hello`.
    Welcome(Welcome),
    /// Not accepted; the server then closes.
    Refuse(Refuse),
    /// One transaction of new texts.
    Update(Update),
    /// Withdraw a transaction; honored before its `begin` only.
    Cancel(Tx),
    /// The configuration changed.
    Policy(PolicyChange),
    /// Text for the indicator and `hot.is_error`.
    State(StateNote),
    /// Answer to an `ask`.
    Answer(Answer),
    /// Read-only inspection.
    Query(Query),
    /// Take state out.
    Capture(Capture),
    /// One transaction that writes state.
    Restore(Restore),
    /// Are you there?
    Ping(Beat),
    /// End: worker and interpreter exit with 0, an app detaches.
    Stop,
    /// Last line.
    Bye(Bye),
    /// A message of a later version.
    #[serde(other)]
    Other,
}

/// What a host says to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
pub enum FromHost {
    /// Who I am; the first line.
    Hello(Box<Hello>),
    /// What I have.
    Loaded(Loaded),
    /// At the safe point, nothing touched yet.
    Begin(Begin),
    /// The one acknowledgement of an `update` or `restore`.
    Done(Box<Done>),
    /// End of the sweep.
    Swept(Swept),
    /// A module registered itself.
    Register(Box<Register>),
    /// Trigger from inside the program.
    Ask(Ask),
    /// Answer to a `query`.
    Reply(Reply),
    /// Answer to a `capture`.
    Captured(Captured),
    /// Edges seen outside transactions, at most one message a second.
    Trace(Trace),
    /// Error in running code, the same one at most once a second.
    Fault(Box<Fault>),
    /// Output of the program or of the runtime.
    Log(Log),
    /// Answer to a `ping`.
    Pong(Beat),
    /// Last line.
    Bye(Bye),
    /// A message of a later version.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests;
