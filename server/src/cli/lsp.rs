//! `hotsave lsp`: connects stdin and stdout to the language server.

use std::process::ExitCode;

use crate::{lsp, workspace};

/// Arguments of `hotsave lsp`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Accepted and ignored: editors pass it by habit, stdio is the only transport
    #[arg(long)]
    stdio: bool,
}

/// Serves until the editor ends; never returns while tasks still hold stdin.
pub(super) fn run(_arguments: &Arguments) -> anyhow::Result<ExitCode> {
    lsp::logging::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let code = runtime.block_on(lsp::run(
        tokio::io::stdin(),
        tokio::io::stdout(),
        |outputs| workspace::spawn(outputs, workspace::Options::of_environment()),
    ));
    // The thread that reads stdin cannot be cancelled, so returning would wait for the editor's next byte.
    std::process::exit(i32::from(code))
}
