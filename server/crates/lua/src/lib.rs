//! Lua.

pub mod wire;
