//! `initialized`: output may flow; what can only be registered now is registered, and settings are asked for.

use std::sync::Arc;

use hotsave_protocol as protocol;
use serde_json::{Value, json};

use super::configuration;
use crate::{
    lsp::{outbound::Outbound, session::Session},
    workspace::output::Level,
};

/// Files of which the client tells changes, where it watches for us.
const GLOBS: &[&str] = &[
    "**/*.lua",
    "**/hotsave.toml",
    "**/.luarc.json",
    "**/*.rockspec",
];

/// Opens the way out and asks the client for what is left to ask.
pub(in crate::lsp) fn handle(session: &Arc<Session>, outbound: &Outbound) {
    outbound.open();
    let client = session.client();
    let mut registrations = Vec::new();
    if session.client_watches() {
        let watchers: Vec<Value> = GLOBS
            .iter()
            .map(|it| json!({ "globPattern": it }))
            .collect();
        registrations.push(registration(
            "workspace/didChangeWatchedFiles",
            json!({ "watchers": watchers }),
        ));
    }
    if client.registers_configuration {
        registrations.push(registration(
            "workspace/didChangeConfiguration",
            json!({ "section": "hotsave" }),
        ));
    }
    if !registrations.is_empty() {
        let params = json!({ "registrations": registrations });
        outbound.ask("client/registerCapability", params, |_| {});
    }
    if client.configuration {
        configuration::ask(session, outbound);
    }
    if let (Some(block), None) = (&client.hotsave, client.version()) {
        let (theirs, ours) = (&block.protocol, protocol::VERSIONS);
        let text = format!(
            "the editor speaks hotsave protocol {theirs:?}, this server {ours:?}: plain LSP is used"
        );
        outbound.show(Level::Warning, text);
    }
}

fn registration(method: &str, options: Value) -> Value {
    json!({ "id": format!("hotsave:{method}"), "method": method, "registerOptions": options })
}
