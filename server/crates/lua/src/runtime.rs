//! The hot-swap runtime: its Lua files, joined into one program.
//!
//! Every file is a function of `use`, which gives the result of an earlier file; so the program stays one chunk that
//! any Lua from 5.1 on can load, and each file has its own 200 locals. Nothing here knows what the files do.

/// The chunk name, by which the runtime knows its own functions on a stack.
pub const CHUNK: &str = "=hotsave";

macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../runtime/", $name, ".lua")))),*] };
}

/// In order of use: a file uses only files above it.
const FILES: [(&str, &str); 18] = files![
    "lang", "report", "marks", "walk", "journal", "units", "guard", "output", "hooks", "trace",
    "cells", "merge", "redirect", "capture", "staging", "hot", "txn", "main",
];

/// The program's text; it is called with the `host` table (`runtime/main.lua` describes it).
#[must_use]
pub fn source() -> String {
    let mut program = String::from(
        "local host = ...\nlocal parts = { host = host }\nlocal function use(name) return parts[name] end\n",
    );
    for (name, text) in FILES {
        program.push_str(&format!(
            "parts.{name} = (function(use)\n{text}\nend)(use)\n"
        ));
    }
    program.push_str("return parts.main()\n");
    program
}
