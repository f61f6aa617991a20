//! Lua.

pub mod errors;
pub mod functions;
pub mod host;
pub mod index;
pub mod resolve;
pub mod runtime;
pub mod scan;
pub mod syntax;
mod tokens;
pub mod wire;
pub mod worker;
