//! Lua.

pub mod syntax;
pub mod scan;
mod tokens;
pub mod errors;
pub mod host;
pub mod index;
pub mod resolve;
pub mod wire;
