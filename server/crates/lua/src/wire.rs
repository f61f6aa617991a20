//! The wire between the server and a Lua host: every object and message, one JSON object a line.
//!
//! Only shapes: who may send what and when is [`crate::host`]'s concern, what it does in Lua the runtime's.
//! Must stay true: names and meaning are those of the Lua specification, 2.4 and 2.5; absent equals `null`, an unknown
//! field or `t` is ignored, an empty list may come as `{}` (a Lua table cannot tell), and a line never exceeds
//! [`MAX_LINE`]. Anything a field holds by default may be left out by either side.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

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

// ---- objects (2.4) ----------------------------------------------------------------------------------------------

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

// ---- messages (2.5) ---------------------------------------------------------------------------------------------

/// `hello`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Only an app needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Worker, interpreter or app.
    pub kind: Kind,
    /// Name of the program.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// This process, 16 hex digits.
    #[serde(default, deserialize_with = "or_default")]
    pub instance: String,
    /// Process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// `5.1` to `5.4`.
    #[serde(default, deserialize_with = "or_default")]
    pub lua: String,
    /// LuaJIT's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jit: Option<String>,
    /// The embedding program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Source root of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Of `join`, `frames`, `memory`, `safePoint`, `overlay`; unknown ones are ignored.
    #[serde(default, deserialize_with = "list")]
    pub caps: Vec<String>,
    /// `package.path`.
    #[serde(default, deserialize_with = "or_default")]
    pub path: String,
    /// `package.cpath`.
    #[serde(default, deserialize_with = "or_default")]
    pub cpath: String,
    /// Last transaction this instance finished, 0 for none.
    #[serde(default, deserialize_with = "or_default")]
    pub last_tx: u64,
}

/// What kind of host it is (2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// `hotsave lua-host`.
    #[default]
    Worker,
    /// An external interpreter.
    Interpreter,
    /// The user's own program.
    App,
}

/// `welcome`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Current generation.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// The limits in force.
    #[serde(default, deserialize_with = "record")]
    pub limits: Limits,
    /// Show the overlay?
    #[serde(default, deserialize_with = "or_default")]
    pub overlay: bool,
    /// Policies by unit name.
    #[serde(default, deserialize_with = "record")]
    pub policies: Policies,
}

/// Limits of section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Time of steps 8 to 13 in ms.
    pub deadline_ms: u32,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Time of a sweep at a safe point in ms.
    pub slice_ms: u32,
    /// Time of the walk inside a transaction in ms.
    pub walk_ms: u32,
    /// Log messages a second.
    pub log_per_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_ms: 1000,
            memory_mb: 256,
            slice_ms: 2,
            walk_ms: 8,
            log_per_s: 200,
        }
    }
}

/// `refuse`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuse {
    /// `protocol`, `untrusted`, `root` or `elsewhere`.
    pub reason: String,
    /// One line for the person.
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
}

/// `loaded`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// What is loaded, in load order.
    #[serde(default, deserialize_with = "list")]
    pub units: Vec<LoadedUnit>,
    /// Who required whom.
    #[serde(default, deserialize_with = "list")]
    pub edges: Vec<Edge>,
}

/// One unit of [`Loaded`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedUnit {
    /// Its name.
    pub name: String,
    /// Its chunk name.
    #[serde(default, deserialize_with = "or_default")]
    pub chunk: String,
    /// Content hash, if the server sent the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// [`polynomial_sum`] of a text that the host read itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<u32>,
    /// Length of that text in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Was its base recorded right after the load?
    #[serde(default, deserialize_with = "or_default")]
    pub base: bool,
}

/// Checksum that is cheap in every dialect: `sum = (sum × 31 + byte) mod (2³¹ − 1)`, from 0.
#[must_use]
pub fn polynomial_sum(bytes: &[u8]) -> u32 {
    const MODULUS: u64 = (1 << 31) - 1;
    let sum = bytes
        .iter()
        .fold(0u64, |sum, &byte| (sum * 31 + u64::from(byte)) % MODULUS);
    u32::try_from(sum).unwrap_or(u32::MAX)
}

/// `update`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// Rises per channel; the session numbers it.
    #[serde(default, deserialize_with = "or_default")]
    pub tx: u64,
    /// The generation it carries out.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// Why.
    pub cause: Cause,
    /// In execution order.
    #[serde(default, deserialize_with = "list")]
    pub units: Vec<Unit>,
    /// What to journal.
    #[serde(default, deserialize_with = "or_default")]
    pub journal: Journal,
    /// Paths to capture before.
    #[serde(default, deserialize_with = "list")]
    pub capture: Vec<String>,
    /// Time of steps 8 to 13 in ms; the runtime adds 20 for each unit over ten.
    pub deadline_ms: u32,
    /// Run and throw away?
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub dry: bool,
}

/// Why an update is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// The editor saved.
    #[default]
    Save,
    /// A file changed outside the editor.
    Watcher,
    /// A person asked.
    Command,
    /// A new process gets its texts.
    Startup,
    /// The configuration changed.
    Config,
    /// A word of a later version.
    #[serde(other)]
    Other,
}

/// Units whose owned state is copied before the texts run: a list, or `"all"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journal {
    /// Every loaded unit.
    All,
    /// These units.
    Units(Vec<String>),
}

impl Default for Journal {
    fn default() -> Self {
        Self::Units(Vec::new())
    }
}

impl Serialize for Journal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Units(units) => units.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Journal {
    /// Any word counts as `"all"`: a journal is never too large to be right.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Word(#[expect(dead_code, reason = "only its shape counts")] String),
            Units(#[serde(deserialize_with = "list")] Vec<String>),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Word(_) => Self::All,
            Form::Units(units) => Self::Units(units),
        })
    }
}

/// `begin`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// The transaction.
    pub tx: u64,
    /// What `capture` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured: Option<Content>,
}

/// `done`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The transaction.
    pub tx: u64,
    /// Its generation.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The step that refused, by name, or `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// One of the fixed words of 5.4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened to each unit.
    #[serde(default, deserialize_with = "list")]
    pub units: Vec<DoneUnit>,
    /// What is wrong.
    #[serde(default, deserialize_with = "list")]
    pub problems: Vec<Problem>,
    /// What happened to state, at most 200.
    #[serde(default, deserialize_with = "list")]
    pub notes: Vec<Note>,
    /// Who still holds old functions.
    #[serde(default, deserialize_with = "list")]
    pub holders: Vec<Holder>,
    /// What still runs old code.
    #[serde(default, deserialize_with = "list")]
    pub old: Vec<Old>,
    /// Requires seen in the transaction.
    #[serde(default, deserialize_with = "list")]
    pub edges: Vec<Edge>,
    /// Every slot of the host whose live value differs from its base, up to 1 MiB (9.3), its roots named `unit:path`;
    /// absent: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<Content>,
    /// State of the sweep.
    #[serde(default, deserialize_with = "or_default")]
    pub sweep: Sweep,
    /// Where the time went.
    #[serde(default, deserialize_with = "record")]
    pub ms: Times,
}

/// The one word of a `done`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The new code runs.
    Applied,
    /// Nothing to do.
    #[default]
    Unchanged,
    /// Refused before anything was touched.
    Rejected,
    /// Failed after it began; everything is as before.
    RolledBack,
    /// Only a fresh program can take it.
    NeedsRestart,
    /// Withdrawn before it began.
    Cancelled,
    /// A later generation took over.
    Superseded,
}

/// One unit of a [`Done`]; counts are slots or functions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DoneUnit {
    /// Its name.
    pub name: String,
    /// What was asked for.
    pub act: Act,
    /// Did its text run?
    #[serde(default, deserialize_with = "or_default")]
    pub ran: bool,
    /// Slots that kept their live value.
    #[serde(default, deserialize_with = "or_default")]
    pub kept: u32,
    /// Slots that took the new value.
    #[serde(default, deserialize_with = "or_default")]
    pub taken: u32,
    /// Slots where both had changed.
    #[serde(default, deserialize_with = "or_default")]
    pub conflicts: u32,
    /// References that now lead to the new function.
    #[serde(default, deserialize_with = "or_default")]
    pub redirected: u32,
    /// Closures that got new code.
    #[serde(default, deserialize_with = "or_default")]
    pub grafted: u32,
    /// Old functions still held.
    #[serde(default, deserialize_with = "or_default")]
    pub stale: u32,
    /// Dependencies whose change it accepts itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Vec<String>>,
    /// Did it pin itself?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Time in ms.
    #[serde(default, deserialize_with = "or_default")]
    pub ms: f64,
    /// Chunk name of a unit that the update did not name: something in it required a module that nobody had loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<String>,
    /// Polynomial sum of the text that the host read itself, see [`polynomial_sum`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<u32>,
}

/// Who still holds an old function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The function's unit.
    pub unit: String,
    /// The function's id.
    #[serde(rename = "fn")]
    pub function: String,
    /// The path that leads to it.
    #[serde(rename = "where")]
    pub place: String,
    /// How many.
    pub count: u32,
}

/// A coroutine or frame that runs an older generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Old {
    /// `coroutine` or `frame`.
    pub what: String,
    /// Its unit.
    pub unit: String,
    /// Where it stands.
    pub line: i32,
    /// The generation of its text.
    #[serde(rename = "gen")]
    pub generation: u64,
}

/// State of the sweep after a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sweep {
    /// Complete.
    Done,
    /// `swept` follows.
    Running,
    /// There was none.
    #[default]
    Skipped,
}

/// Where the time of a transaction went, in ms with decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Step 5.
    #[serde(default, deserialize_with = "or_default")]
    pub compile: f64,
    /// Step 7.
    #[serde(default, deserialize_with = "or_default")]
    pub journal: f64,
    /// Step 9.
    #[serde(default, deserialize_with = "or_default")]
    pub run: f64,
    /// Steps 10 and 11.
    #[serde(default, deserialize_with = "or_default")]
    pub merge: f64,
    /// Step 12.
    #[serde(default, deserialize_with = "or_default")]
    pub walk: f64,
    /// Steps 8 and 13.
    #[serde(default, deserialize_with = "or_default")]
    pub hooks: f64,
    /// All of it.
    #[serde(default, deserialize_with = "or_default")]
    pub total: f64,
}

/// `swept`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Swept {
    /// The transaction it ends.
    pub tx: u64,
    /// References redirected by it.
    #[serde(default, deserialize_with = "or_default")]
    pub redirected: u32,
    /// Old functions still held.
    #[serde(default, deserialize_with = "or_default")]
    pub stale: u32,
    /// Safe points it took.
    #[serde(default, deserialize_with = "or_default")]
    pub frames: u32,
    /// Time in ms.
    #[serde(default, deserialize_with = "or_default")]
    pub ms: f64,
}

/// `cancel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tx {
    /// The transaction.
    pub tx: u64,
}

/// `policy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// Policies by unit name.
    #[serde(default, deserialize_with = "record")]
    pub policies: Policies,
    /// New limits, if they changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// New setting of the overlay, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<bool>,
}

/// `state`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateNote {
    /// Is a unit failing?
    pub failing: bool,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `register`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The unit.
    pub name: String,
    /// Its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its policy, in the same object.
    #[serde(flatten)]
    pub policy: Policy,
}

/// `ask`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Comes back in the `answer`.
    pub id: u64,
    /// `reload`, `reloadAll` or `rollback`.
    pub op: String,
    /// Units, for `reload`.
    #[serde(default, deserialize_with = "list")]
    pub names: Vec<String>,
}

/// `answer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of the `ask`.
    pub id: u64,
    /// Generation it led to.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// How that ended.
    pub outcome: Outcome,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `query`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Comes back in the `reply`.
    pub id: u64,
    /// `units`, `state` or `holders`.
    pub what: String,
    /// Of which unit or path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// `reply`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Of the `query`.
    pub id: u64,
    /// What was asked for.
    #[serde(default)]
    pub data: Value,
}

/// `capture`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Comes back in `captured`.
    pub id: u64,
    /// Units or paths.
    #[serde(default, deserialize_with = "list")]
    pub of: Vec<String>,
}

/// `captured`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Captured {
    /// Of the `capture`.
    pub id: u64,
    /// The state.
    #[serde(default)]
    pub content: Content,
    /// Its size in bytes.
    #[serde(default, deserialize_with = "or_default")]
    pub bytes: u64,
    /// Its number of values.
    #[serde(default, deserialize_with = "or_default")]
    pub entries: u64,
    /// What cannot travel.
    #[serde(default, deserialize_with = "list")]
    pub dropped: Vec<Dropped>,
}

/// One value that cannot travel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Where it is.
    pub path: String,
    /// Why.
    pub why: String,
}

/// `restore`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restore {
    /// Rises per channel, together with those of `update`.
    pub tx: u64,
    /// Its generation.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// What to write.
    pub content: Content,
}

/// `trace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What was seen.
    #[serde(default, deserialize_with = "list")]
    pub edges: Vec<Edge>,
}

/// `fault`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Generation of the failing text.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// What went wrong.
    pub problem: Problem,
    /// How often since the last message.
    #[serde(default, deserialize_with = "or_default")]
    pub count: u32,
    /// Does the program end with it?
    #[serde(default, deserialize_with = "or_default")]
    pub fatal: bool,
}

/// `log`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Where it comes from, how urgent it is.
    pub level: Level,
    /// What was printed, without its last line end.
    #[serde(default, deserialize_with = "or_default")]
    pub text: String,
    /// How many messages were left out before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

/// Kind of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// The program's standard output.
    #[default]
    Out,
    /// The program's standard error.
    Err,
    /// The runtime tells.
    Info,
    /// The runtime warns.
    Warn,
    /// A word of a later version.
    #[serde(other)]
    Other,
}

/// `ping` and `pong`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The same in both.
    pub n: u64,
}

/// `bye`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// One word.
    #[serde(default, deserialize_with = "or_default")]
    pub reason: String,
}

// ---- reading leniently ------------------------------------------------------------------------------------------

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `null` is absent.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// `null` and `{}` are empty lists.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Elements<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Elements<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut elements: A,
        ) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some(value) = elements.next_element()? {
                values.push(value);
            }
            Ok(values)
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut entries: A,
        ) -> Result<Self::Value, A::Error> {
            match entries.next_key::<String>()? {
                None => Ok(Vec::new()),
                Some(key) => Err(serde::de::Error::custom(format_args!(
                    "a list, found key {key:?}"
                ))),
            }
        }
    }

    deserializer.deserialize_any(Elements(std::marker::PhantomData))
}

/// `null` and `[]` are empty objects.
fn record<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Entries<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de> + Default> serde::de::Visitor<'de> for Entries<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut elements: A) -> Result<T, A::Error> {
            match elements.next_element::<serde::de::IgnoredAny>()? {
                None => Ok(T::default()),
                Some(_) => Err(serde::de::Error::custom("an object, found a list")),
            }
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
            T::deserialize(serde::de::value::MapAccessDeserializer::new(entries))
        }
    }

    deserializer.deserialize_any(Entries(std::marker::PhantomData))
}

#[cfg(test)]
mod tests;
