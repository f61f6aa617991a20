//! `initialize`: declares, converts and answers; reads no file.

use serde_json::Value;
use tower_lsp::lsp_types::{InitializeParams, InitializeResult, ServerInfo};

use super::configuration;
use crate::{
    lsp::{
        capabilities::{self, Client},
        from_proto, logging,
        session::Session,
    },
    workspace::event::Start,
};

/// The answer, and what the loop starts with.
pub(in crate::lsp) fn handle(
    session: &Session,
    params: &InitializeParams,
) -> (InitializeResult, Start) {
    let client = Client::of(params);
    let options = params
        .initialization_options
        .as_ref()
        .unwrap_or(&Value::Null);
    session.declare(client.clone());
    logging::client_is(&client.name);
    let settings = configuration::read(session, options);
    let client_watches = client.watches(settings.watcher);
    session.set_client_watches(client_watches);
    session.parent.send_replace(params.process_id);
    let start = Start {
        folders: from_proto::folders(params),
        trust: from_proto::trust(options),
        encoding: client.encoding,
        settings,
        client_watches,
    };
    let server_info = ServerInfo {
        name: "hotsave".to_owned(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    };
    (
        InitializeResult {
            capabilities: capabilities::server(&client),
            server_info: Some(server_info),
        },
        start,
    )
}
