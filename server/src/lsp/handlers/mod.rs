//! What a message needs beyond its conversion, a file each; everything else is one line in `backend`.

pub(super) mod configuration;
pub(super) mod execute_command;
pub(super) mod files;
pub(super) mod initialize;
pub(super) mod initialized;
