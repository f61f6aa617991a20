//! `workspace/executeCommand`: the answer comes after the outcome; a plain client is shown its line.

use serde_json::Value;
use tower_lsp::{jsonrpc::Result, lsp_types::ExecuteCommandParams};

use crate::{
    lsp::{backend::Backend, from_proto, to_proto},
    uri::to_path,
    workspace::{event::EditorMessage, output::Level},
};

/// Sends the command to the loop and waits for its answer.
pub(in crate::lsp) async fn handle(
    backend: &Backend,
    params: ExecuteCommandParams,
) -> Result<Option<Value>> {
    let (command, argument) =
        from_proto::command(&params.command, &params.arguments).map_err(to_proto::error)?;
    let path = argument.uri.as_deref().map(to_path);
    let answer = backend
        .ask(|reply| EditorMessage::Command {
            command,
            path,
            argument,
            reply,
        })
        .await?;
    if backend.session.client().is_plain() {
        backend.outbound.show(Level::Info, answer.message.clone());
    }
    Ok(serde_json::to_value(to_proto::answer(&answer, &backend.session)).ok())
}
