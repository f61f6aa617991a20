//! Capabilities of both sides: the client's read once into named facts, the server's as far as it has them now.
//!
//! Nobody else looks at the client's raw value.

use hotsave_protocol as protocol;
use serde_json::{Value, json};
use tower_lsp::lsp_types::{
    CodeLensOptions, ExecuteCommandOptions, FileOperationFilter, FileOperationPattern,
    FileOperationRegistrationOptions, InitializeParams, OneOf, PositionEncodingKind, SaveOptions,
    ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions, WorkspaceFileOperationsServerCapabilities,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use crate::workspace::{position::Encoding, settings::Watcher};

/// Clients known to report every change on disk that they were asked for: VS Code with its descendants, and Neovim.
const WATCHES_EVERYTHING: &[&str] = &[
    "Visual Studio Code",
    "Code - OSS",
    "VSCodium",
    "code-server",
    "Cursor",
    "Windsurf",
    "Positron",
    "Trae",
    "Kiro",
    "Antigravity",
    "Neovim",
];

/// What the client declared, flat.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Its name; empty if it said none.
    pub(super) name: String,
    /// What columns count.
    pub(super) encoding: Encoding,
    /// It answers `workspace/configuration`.
    pub(super) configuration: bool,
    /// `didChangeConfiguration` can be registered.
    pub(super) registers_configuration: bool,
    /// `didChangeWatchedFiles` can be registered.
    pub(super) registers_watching: bool,
    /// It takes `codeLens/refresh`.
    pub(super) lens_refresh: bool,
    /// It shows related places of diagnostics.
    pub(super) related_information: bool,
    /// It shows a link behind a diagnostic's code.
    pub(super) code_description: bool,
    /// It keeps a diagnostic's `data`.
    pub(super) diagnostic_data: bool,
    /// It takes `experimental/serverStatus`.
    pub(super) server_status: bool,
    /// Its `hotsave` block, if it declared one.
    pub(super) hotsave: Option<protocol::ClientCapability>,
}

impl Client {
    /// A client that declared nothing.
    pub(super) const NOTHING: Self = Self {
        name: String::new(),
        encoding: Encoding::Utf16,
        configuration: false,
        registers_configuration: false,
        registers_watching: false,
        lens_refresh: false,
        related_information: false,
        code_description: false,
        diagnostic_data: false,
        server_status: false,
        hotsave: None,
    };

    /// Reads what `initialize` declared.
    pub(super) fn of(params: &InitializeParams) -> Self {
        let declared = serde_json::to_value(&params.capabilities).unwrap_or_default();
        let has = |path: &str| declared.pointer(path) == Some(&Value::Bool(true));
        let offered = declared
            .pointer("/general/positionEncodings")
            .and_then(Value::as_array);
        let block = declared
            .pointer("/experimental/hotsave")
            .filter(|it| !it.is_null());
        Self {
            name: params
                .client_info
                .as_ref()
                .map(|it| it.name.clone())
                .unwrap_or_default(),
            encoding: encoding(offered.into_iter().flatten().filter_map(Value::as_str)),
            configuration: has("/workspace/configuration"),
            registers_configuration: has("/workspace/didChangeConfiguration/dynamicRegistration"),
            registers_watching: has("/workspace/didChangeWatchedFiles/dynamicRegistration"),
            lens_refresh: has("/workspace/codeLens/refreshSupport"),
            related_information: has("/textDocument/publishDiagnostics/relatedInformation"),
            code_description: has("/textDocument/publishDiagnostics/codeDescriptionSupport"),
            diagnostic_data: has("/textDocument/publishDiagnostics/dataSupport"),
            server_status: has("/experimental/serverStatusNotification"),
            hotsave: block.map(|it| serde_json::from_value(it.clone()).unwrap_or_default()),
        }
    }

    /// Whether it gets events of this group.
    pub(super) fn wants(&self, group: protocol::EventGroup) -> bool {
        self.hotsave.as_ref().is_some_and(|it| it.wants(group))
    }

    /// Whether it knows none of our messages and lives on plain LSP.
    pub(super) fn is_plain(&self) -> bool {
        self.version().is_none()
    }

    /// The protocol version spoken, if any.
    pub(super) fn version(&self) -> Option<u32> {
        self.hotsave.as_ref()?.version()
    }

    /// Whether the client shall report changes on disk, so that no watcher of ours is needed in its folders.
    pub(super) fn watches(&self, watcher: Watcher) -> bool {
        let is_known = || {
            WATCHES_EVERYTHING
                .iter()
                .any(|it| self.name.starts_with(it))
        };
        match watcher {
            Watcher::Auto => self.registers_watching && is_known(),
            Watcher::Client => self.registers_watching,
            Watcher::Server | Watcher::Off => false,
        }
    }
}

/// `utf-8` if it is offered, else the first that is known, else UTF-16.
fn encoding<'a>(offered: impl Iterator<Item = &'a str>) -> Encoding {
    let known: Vec<_> = offered
        .filter_map(|it| ENCODINGS.iter().find(|(word, _)| *word == it))
        .collect();
    let has_utf8 = known.iter().any(|(_, it)| *it == Encoding::Utf8);
    if has_utf8 {
        Encoding::Utf8
    } else {
        known.first().map(|(_, it)| *it).unwrap_or_default()
    }
}

const ENCODINGS: &[(&str, Encoding)] = &[
    ("utf-8", Encoding::Utf8),
    ("utf-16", Encoding::Utf16),
    ("utf-32", Encoding::Utf32),
];

/// What the server announces to this client.
pub(super) fn server(client: &Client) -> ServerCapabilities {
    let word = ENCODINGS
        .iter()
        .find(|(_, it)| *it == client.encoding)
        .map_or("utf-16", |(word, _)| word);
    let commands = || {
        protocol::Command::ALL
            .iter()
            .map(|it| it.id().to_owned())
            .collect()
    };
    let registers_itself = client
        .hotsave
        .as_ref()
        .is_some_and(|it| it.commands == protocol::CommandOwner::Client);
    let block = client.version().map(|protocol| protocol::ServerCapability {
        protocol,
        commands: protocol::Command::ALL.to_vec(),
    });
    ServerCapabilities {
        position_encoding: Some(PositionEncodingKind::new(word)),
        text_document_sync: Some(TextDocumentSyncCapability::Options(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                will_save: Some(true),
                will_save_wait_until: None,
                save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
                    include_text: Some(true),
                })),
            },
        )),
        code_lens_provider: Some(CodeLensOptions {
            resolve_provider: Some(true),
        }),
        execute_command_provider: (!registers_itself).then(|| ExecuteCommandOptions {
            commands: commands(),
            ..Default::default()
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: Some(WorkspaceFileOperationsServerCapabilities {
                did_create: Some(any_file()),
                did_rename: Some(any_file()),
                did_delete: Some(any_file()),
                ..Default::default()
            }),
        }),
        experimental: block.map(|it| json!({ "hotsave": it })),
        ..Default::default()
    }
}

fn any_file() -> FileOperationRegistrationOptions {
    // Folders too: a renamed folder renames its modules.
    let pattern = FileOperationPattern {
        glob: "**/*".to_owned(),
        matches: None,
        options: None,
    };
    FileOperationRegistrationOptions {
        filters: vec![FileOperationFilter {
            scheme: Some("file".to_owned()),
            pattern,
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(capabilities: Value) -> Client {
        let params = json!({ "capabilities": capabilities, "clientInfo": { "name": "Neovim" } });
        Client::of(&serde_json::from_value(params).unwrap())
    }

    #[test]
    fn utf8_is_taken_when_offered_else_the_first_known() {
        for (offered, expected) in [
            (json!(["utf-16", "utf-8"]), Encoding::Utf8),
            (json!(["utf-7", "utf-32", "utf-16"]), Encoding::Utf32),
            (json!(["utf-7"]), Encoding::Utf16),
            (json!([]), Encoding::Utf16),
        ] {
            assert_eq!(
                client(json!({ "general": { "positionEncodings": offered } })).encoding,
                expected
            );
        }
        assert_eq!(client(json!({})).encoding, Encoding::Utf16);
    }

    #[test]
    fn nothing_custom_is_announced_to_a_plain_client() {
        let plain = client(json!({}));
        assert!(plain.is_plain());
        let server = serde_json::to_value(server(&plain)).unwrap();
        assert_eq!(server.get("experimental"), None);
        assert_eq!(
            server.pointer("/textDocumentSync/save/includeText"),
            Some(&json!(true))
        );
        assert!(
            server["executeCommandProvider"]["commands"]
                .as_array()
                .unwrap()
                .contains(&json!("hotsave.reload"))
        );
    }

    #[test]
    fn a_declared_block_gets_the_version_and_may_keep_the_commands() {
        let block = json!({ "protocol": [1, 9], "events": ["reload"], "commands": "client" });
        let declared = client(json!({ "experimental": { "hotsave": block } }));
        assert!(
            declared.wants(protocol::EventGroup::Reload)
                && !declared.wants(protocol::EventGroup::Status)
        );
        let server = serde_json::to_value(server(&declared)).unwrap();
        assert_eq!(server["experimental"]["hotsave"]["protocol"], 1);
        assert_eq!(server.get("executeCommandProvider"), None);
    }

    #[test]
    fn no_common_version_is_plain() {
        let declared = client(
            json!({ "experimental": { "hotsave": { "protocol": [7], "events": ["reload"] } } }),
        );
        assert!(declared.is_plain() && declared.hotsave.is_some());
        assert!(!declared.wants(protocol::EventGroup::Reload));
    }

    #[test]
    fn only_known_clients_that_can_register_are_trusted_to_watch() {
        let registers =
            json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } });
        let mut able = client(registers);
        assert!(
            able.watches(Watcher::Auto)
                && !able.watches(Watcher::Server)
                && !able.watches(Watcher::Off)
        );
        able.name = "helix".to_owned();
        assert!(!able.watches(Watcher::Auto) && able.watches(Watcher::Client));
        assert!(!client(json!({})).watches(Watcher::Auto));
        assert!(!client(json!({})).watches(Watcher::Client));
    }
}
