//! The whole system, driven as a user drives it: the real binary, over real pipes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests: a failure here is what they are for"
)]

mod bursts;
mod clients;
mod command_line;
mod encodings;
mod examples;
mod failures;
mod frames;
mod growth;
mod life_cycle;
mod plain_client;
mod reload;
mod tidy;
mod transport;
mod trust;
mod watching;
