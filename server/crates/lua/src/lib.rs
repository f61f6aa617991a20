//! Lua.

pub mod syntax;
pub mod scan;
mod tokens;
pub mod wire;
