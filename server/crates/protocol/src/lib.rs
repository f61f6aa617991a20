//! The custom messages of hotsave, version 1: method names and payload types. `docs/protocol.md` is the reference.
//!
//! Knows no editor, no LSP library and no engine; serde only. Says nothing about who sends what when: that is in the
//! reference. Must stay true: what these types write is what the golden files under `tests/fixtures/protocol` hold.
//!
//! A tour: [`handshake`] is what both sides declare, [`message`] the frame of every event and request; then a file per
//! subject: [`reload`], [`status`], [`explain`], [`command`], [`preview`], [`build`], [`state`]. [`place`], [`ms`] and
//! the words of `word` are what they are made of.
//!
//! Reading is lenient, writing is exact: unknown fields are ignored, unknown words become `Other`, `null` means absent;
//! optional fields that are absent are left out.
//!
//! ```
//! use hotsave_protocol::{Cause, Event, EventBody, ReloadKind, ReloadStarted};
//!
//! let body = ReloadStarted { cause: Cause::Save, trigger: vec!["file:///game/enemy.lua".into()], kind: ReloadKind::Hot };
//! let event = Event { workspace: "file:///game".into(), generation: 18, seq: 41, body };
//! assert_eq!(ReloadStarted::METHOD, "hotsave/reloadStarted");
//! assert_eq!(
//!     serde_json::to_string(&event).unwrap(),
//!     r#"{"workspace":"file:///game","generation":18,"seq":41,"cause":"save","trigger":["file:///game/enemy.lua"],"kind":"hot"}"#,
//! );
//! ```

#[macro_use]
mod word;
mod lenient;

pub mod build;
pub mod command;
pub mod explain;
pub mod handshake;
pub mod message;
pub mod ms;
pub mod place;
pub mod preview;
pub mod reload;
pub mod state;
pub mod status;

pub use crate::{
    build::{BuildState, BuildStatus, RunnerState, RunnerStatus},
    command::{Command, CommandAnswer, CommandArgument},
    explain::{
        BuildDecision, Decision, ExplainRequest, ExplainedBuild, ExplainedUnit, Explanation,
        Functions, Holder, Note, Old, OldKind, Skipped,
    },
    handshake::{
        ClientCapability, CommandOwner, EventGroup, PreviewSupport, ServerCapability, VERSIONS,
    },
    message::{Event, EventBody, Request},
    ms::Ms,
    place::{Position, Problem, Range, Severity, Uri},
    preview::{
        Changed, ChangedKind, ClosePreview, Focus, OpenPreview, PreviewAck, PreviewAddress,
        PreviewMode, PreviewRefresh,
    },
    reload::{Cause, Outcome, ReloadFinished, ReloadKind, ReloadStarted, Stage, Tag, Unit},
    state::{CapturedState, Dropped, GetState, RestoreState, StateCaptured, StateReason},
    status::{Health, Host, HostKind, HostState, Phase, Status, TrustState},
};
