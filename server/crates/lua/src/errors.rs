//! Reading what Lua says is wrong, and finding its place in the texts the server knows.

pub mod codes;
