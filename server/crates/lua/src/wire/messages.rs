//! The messages of the wire (Lua specification, 2.5), one type each.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{
    Content, Policies,
    lenient::{is_default, list, or_default, record},
    objects::*,
};

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
