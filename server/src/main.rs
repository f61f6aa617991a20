//! The hotsave binary.
fn main() {}
