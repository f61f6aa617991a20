//! Lua.

pub mod syntax;
mod tokens;
pub mod errors;
pub mod host;
pub mod scan;
pub mod index;
pub mod resolve;
pub mod functions;
pub mod wire;
pub mod runtime;
pub mod worker;
