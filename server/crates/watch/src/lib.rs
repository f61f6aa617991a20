//! Tells which files changed on disk, whoever changed them.
//!
//! It reads no file and judges no content: a reported path *may* have changed, the receiver reads and hashes it.
//! It never decides when a burst is over (that is the engine's settle), it only says that a mass is under way.
//!
//! A tour in the order in which a change meets the parts:
//! * a caller names folders through [`Watch::add_root`]; [`DiskWatch`] hands them to its own thread and returns at once;
//! * [`Ignore`] knows what is not watched at all, and gives the same answer to callers who walk a folder themselves;
//! * `backend` asks the operating system (one watch per directory on Linux); what it refuses, `poll` looks at instead;
//! * `root` is one watched folder: it adopts new directories, lets go of removed ones, and turns signals into reports;
//! * `vanish` looks a second time before a missing file counts as removed, `crowd` notices a mass of changes,
//!   `lock` a version-control command at work;
//! * everything leaves as a [`WatchEvent`] on the caller's channel. Loss is never silent: it is a [`Kind::Rescan`],
//!   and a watch that works less well than it should is a [`Kind::Degraded`] with the remedy.
//!
//! In tests of other crates [`FakeWatch`] takes the disk's place.

mod backend;
mod crowd;
mod disk;
mod event;
mod fake;
mod ignore;
mod lock;
mod poll;
mod root;
mod vanish;
mod walk;

pub use disk::{DiskWatch, Error, Mode, Options};
pub use event::{Cause, Kind, Watch, WatchEvent, WatchRoot};
pub use fake::FakeWatch;
pub use ignore::{Ignore, check_glob};
