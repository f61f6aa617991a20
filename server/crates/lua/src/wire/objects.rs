//! The objects of the wire (Lua specification, 2.4): units, functions, problems, edges.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use super::lenient::{is_default, list, or_default, record};

/// One Lua file in a transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Name it is required under, or the entry's name.
    pub name: String,
    /// Chunk name as the host's own searcher forms it, with `@`; programs derive paths from it.
    #[serde(default, deserialize_with = "or_default")]
    pub chunk: String,
    /// What to do with it.
    pub act: Act,
    /// Content hash of the text, 16 hex digits.
    #[serde(default, deserialize_with = "or_default")]
    pub hash: String,
    /// The source if it is UTF-8; see [`Unit::source`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The source in base64 if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text64: Option<String>,
    /// Its functions in the order of their start.
    #[serde(default, deserialize_with = "list")]
    pub fns: Vec<Function>,
    /// How its state is treated.
    #[serde(default, deserialize_with = "record")]
    pub policy: Policy,
    /// Number of its component of the load graph, rising in execution order.
    #[serde(default, deserialize_with = "or_default")]
    pub scc: u32,
    /// What it consumed of each changed dependency; only with [`Act::Rerun`].
    #[serde(
        default,
        deserialize_with = "record",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub when: BTreeMap<String, Use>,
}

impl Unit {
    /// Sets the source, in the field that can carry it.
    pub fn set_source(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => (self.text, self.text64) = (Some(text.to_owned()), None),
            Err(_) => (self.text, self.text64) = (None, Some(BASE64.encode(bytes))),
        }
    }

    /// The source's bytes; `None` if there is none or its base64 is broken.
    #[must_use]
    pub fn source(&self) -> Option<Cow<'_, [u8]>> {
        match (&self.text, &self.text64) {
            (Some(text), _) => Some(Cow::Borrowed(text.as_bytes())),
            (None, Some(text64)) => BASE64.decode(text64).ok().map(Cow::Owned),
            (None, None) => None,
        }
    }
}

/// What a transaction does with a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// First load.
    #[default]
    Load,
    /// New text for a loaded unit.
    Replace,
    /// Same text, run again if what it consumed changed.
    Rerun,
    /// The file is gone.
    Remove,
}

/// `Fn` on the wire: one function of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Path such as `M.counter/inc`; anonymous ones by ordinal, `M.counter/1`.
    pub id: String,
    /// Index of the enclosing function in the list, −1 for the main chunk.
    #[serde(rename = "par")]
    pub parent: i32,
    /// First line, from 1.
    #[serde(rename = "a")]
    pub first_line: u32,
    /// Last line.
    #[serde(rename = "z")]
    pub last_line: u32,
    /// Number of named parameters.
    #[serde(rename = "n", default, deserialize_with = "or_default")]
    pub n_parameters: u32,
    /// Does it take `...`?
    #[serde(rename = "v", default, deserialize_with = "or_default")]
    pub vararg: bool,
    /// Free local names, in order of first use.
    #[serde(rename = "u", default, deserialize_with = "list")]
    pub free: Vec<String>,
    /// Byte offsets of start and end in the text.
    #[serde(rename = "at")]
    pub bytes: [u32; 2],
    /// Token hash, hex digits.
    #[serde(rename = "h", default, deserialize_with = "or_default")]
    pub hash: String,
    /// Can a closure made by it be held elsewhere (7.4)?
    #[serde(default, deserialize_with = "or_default")]
    pub leak: bool,
}

/// What a unit took from a dependency while it loaded (4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The value itself was used in a way that any change matters.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub whole: bool,
    /// Functions of it were called.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub calls: bool,
    /// Dotted paths of the fields that were read.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "is_default")]
    pub reads: Vec<String>,
}

/// How a unit's state is treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Paths that keep the live value.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "is_default")]
    pub keep: Vec<String>,
    /// Paths that take the source's value.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "is_default")]
    pub reset: Vec<String>,
    /// Paths that are state.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "is_default")]
    pub state: Vec<String>,
    /// Paths of functions reached through a delegate.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "is_default")]
    pub delegates: Vec<String>,
    /// Never reloaded in place.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub pinned: bool,
    /// Exported functions are called through stable stubs.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub trampoline: bool,
    /// Names of lifecycle functions.
    #[serde(
        default,
        deserialize_with = "record",
        skip_serializing_if = "is_default"
    )]
    pub hooks: Hooks,
}

/// Names of a unit's lifecycle functions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// Before `unload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable: Option<String>,
    /// Before the new text runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unload: Option<String>,
    /// After the new text was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// After `load`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable: Option<String>,
}

/// What is wrong, as the host saw it; [`crate::errors`] finds its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `lua/…`, see [`crate::errors::CODES`].
    pub code: String,
    /// 1 error to 4 hint; 0 if left out: then the code decides.
    #[serde(default, deserialize_with = "or_default")]
    pub severity: u8,
    /// Name of a step of the transaction, or `program`.
    #[serde(default, deserialize_with = "or_default")]
    pub stage: String,
    /// The unit it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Chunk name, with `@` for a file.
    #[serde(default, deserialize_with = "or_default")]
    pub chunk: String,
    /// Line from 1; 0 or less: unknown.
    #[serde(default, deserialize_with = "or_default")]
    pub line: i32,
    /// Lua's message, its position prefix possibly still in front.
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
    /// The error value, printed, if it was no string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The stack, innermost first.
    #[serde(default, deserialize_with = "list")]
    pub frames: Vec<Frame>,
}

/// One level of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Chunk name, with `@` for a file.
    pub chunk: String,
    /// Line from 1.
    pub line: i32,
    /// Function name, if Lua knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Generation of the text it runs.
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// One require as it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The requiring unit.
    pub from: String,
    /// The required name.
    pub to: String,
    /// When it happened.
    pub kind: EdgeKind,
    /// The file that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The searcher that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Candidates tried before.
    #[serde(default, deserialize_with = "list")]
    pub missed: Vec<String>,
}

/// When a require happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EdgeKind {
    /// While the requiring unit loaded.
    Load,
    /// Inside a function body.
    Late,
    /// Inside a `pcall`.
    Optional,
    /// `dofile`, `loadfile`.
    File,
}

/// What happened to one slot, and by which rule of 6.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The unit.
    pub unit: String,
    /// The slot.
    pub path: String,
    /// The rule's name.
    pub rule: String,
    /// Base value, printed in at most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Live value, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<String>,
    /// The new text's value, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
