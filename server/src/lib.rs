//! Hotsave as a library: the language server, the main loop behind it, and the command line.
//!
//! Reading order: [`cli`] starts everything, [`lsp`] is the editor's side, [`workspace`] is what both drive.

pub mod cli;
pub mod lsp;
pub mod workspace;

mod uri;
