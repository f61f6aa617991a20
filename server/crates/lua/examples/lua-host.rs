//! The worker without the `hotsave` binary around it: `lua-host ROOT PATH MEMORY_MB`, for this crate's own tests.

use std::{env, process::ExitCode};

use hotsave_lua::worker::{self, Options};

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let root = args.next().unwrap_or_else(|| ".".to_owned());
    let path = args.next().unwrap_or_else(|| "?.lua;?/init.lua".to_owned());
    let memory_mb = args.next().and_then(|it| it.parse().ok()).unwrap_or(512);
    worker::run(&Options {
        path,
        memory_mb,
        root: root.into(),
        allow_write: false,
        allow_process: false,
    })
}
