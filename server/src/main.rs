//! The `hotsave` binary: reads the command line and hands over to the part that does the work.

use std::process::ExitCode;

fn main() -> ExitCode {
    hotsave::cli::run(std::env::args_os())
}
