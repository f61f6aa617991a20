//! Support for the whole-system tests: an editor, projects on disk, the process table.
//!
//! Everything here drives the real `hotsave` binary over real pipes; nothing knows its insides, so that the tests hold
//! what a user sees. A failure in here is the test's failure, which is why this crate may panic.
//!
//! ```no_run
//! use hotsave_tests::{client::Client, fixture::Project};
//!
//! let project = Project::new("//- /a.lua\nreturn { speed = 1 }\n");
//! let mut client = Client::open(&project);
//! let reload = client.save("a.lua", "return { speed = 2 }\n");
//! assert_eq!(reload.tag(), "applied");
//! client.finish();
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a failure here is the test's failure"
)]

pub mod client;
pub mod fixture;
pub mod options;
pub mod process;
pub mod project;
pub mod reload;
pub mod scene;
pub mod wire;
