//! From lsp-types to our own: the only conversions in this direction.

use std::{path::Path, sync::Arc};

use hotsave_protocol as protocol;
use serde_json::Value;
use tower_lsp::lsp_types::{
    InitializeParams, Position, Range, TextDocumentContentChangeEvent, TextDocumentSaveReason, Url,
    WorkspaceFolder,
};

use crate::uri;
use crate::workspace::{
    event::{Edit, Folder, RequestError, Trust},
    position,
};

/// The normal path of a URI.
pub(super) fn path(uri: &Url) -> Arc<Path> {
    uri::to_path(uri.as_str())
}

/// A folder, with its URI as the client spells it.
pub(super) fn folder(folder: &WorkspaceFolder) -> Folder {
    Folder {
        path: path(&folder.uri),
        uri: folder.uri.as_str().to_owned(),
    }
}

/// The folders of `initialize`: those of the list, else the one root of old clients.
pub(super) fn folders(params: &InitializeParams) -> Vec<Folder> {
    let root = params.root_uri.as_ref();
    match (&params.workspace_folders, root) {
        (Some(folders), _) => folders.iter().map(folder).collect(),
        (None, Some(root)) => vec![Folder {
            path: path(root),
            uri: root.as_str().to_owned(),
        }],
        (None, None) => Vec::new(),
    }
}

/// `initializationOptions.trust`.
pub(super) fn trust(options: &Value) -> Option<Trust> {
    match options.get("trust").and_then(Value::as_str) {
        Some("granted") => Some(Trust::Granted),
        Some("denied") => Some(Trust::Denied),
        _ => None,
    }
}

/// The edits of `didChange`, in their order.
pub(super) fn edits(changes: Vec<TextDocumentContentChangeEvent>) -> Vec<Edit> {
    changes
        .into_iter()
        .map(|it| Edit {
            range: it.range.map(range),
            text: it.text,
        })
        .collect()
}

/// Whether a person asked for the save.
pub(super) fn is_manual(reason: TextDocumentSaveReason) -> bool {
    reason != TextDocumentSaveReason::AFTER_DELAY && reason != TextDocumentSaveReason::FOCUS_OUT
}

/// Command and argument of `executeCommand`.
///
/// *Errors*: `InvalidParams` for an unknown command and an argument of the wrong shape.
pub(super) fn command(
    id: &str,
    arguments: &[Value],
) -> Result<(protocol::Command, protocol::CommandArgument), RequestError> {
    let command = protocol::Command::from_id(id)
        .ok_or_else(|| RequestError::InvalidParams(format!("unknown command {id}")))?;
    let argument = match arguments.first() {
        None | Some(Value::Null) => protocol::CommandArgument::default(),
        Some(it @ Value::Object(_)) => serde_json::from_value(it.clone()).map_err(|error| {
            RequestError::InvalidParams(format!("bad argument of {id}: {error}"))
        })?,
        Some(it) => {
            return Err(RequestError::InvalidParams(format!(
                "bad argument of {id}: {it} is no object"
            )));
        }
    };
    Ok((command, argument))
}

fn range(range: Range) -> (position::Position, position::Position) {
    (place(range.start), place(range.end))
}

fn place(it: Position) -> position::Position {
    position::Position {
        line: it.line,
        character: it.character,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn initialize(params: Value) -> InitializeParams {
        serde_json::from_value(params).unwrap()
    }

    #[test]
    fn folders_come_from_the_list_or_the_root() {
        let folders_of = |it| {
            folders(&initialize(it))
                .into_iter()
                .map(|it| it.uri)
                .collect::<Vec<_>>()
        };
        let list =
            json!([{ "uri": "file:///a%2Db", "name": "a" }, { "uri": "file:///c", "name": "c" }]);
        let both =
            json!({ "capabilities": {}, "workspaceFolders": list, "rootUri": "file:///a%2Db" });
        assert_eq!(folders_of(both), ["file:///a%2Db", "file:///c"]);
        let root = json!({ "capabilities": {}, "workspaceFolders": null, "rootUri": "file:///r" });
        assert_eq!(folders_of(root), ["file:///r"]);
        assert!(folders_of(json!({ "capabilities": {}, "rootUri": null })).is_empty());
    }

    #[test]
    fn commands_need_no_argument_and_refuse_a_wrong_one() {
        for arguments in [
            vec![],
            vec![json!(null)],
            vec![json!({})],
            vec![json!({ "uri": null, "more": 1 })],
        ] {
            let (command, argument) = command("hotsave.reload", &arguments).unwrap();
            assert_eq!(
                (command, argument),
                (
                    protocol::Command::Reload,
                    protocol::CommandArgument::default()
                )
            );
        }
        for arguments in [vec![json!(5)], vec![json!({ "generation": "x" })]] {
            assert!(matches!(
                command("hotsave.reload", &arguments),
                Err(RequestError::InvalidParams(_))
            ));
        }
        assert!(matches!(
            command("hotsave.fly", &[]),
            Err(RequestError::InvalidParams(_))
        ));
    }

    #[test]
    fn only_a_persons_save_is_manual() {
        assert!(is_manual(TextDocumentSaveReason::MANUAL));
        assert!(
            !is_manual(TextDocumentSaveReason::AFTER_DELAY)
                && !is_manual(TextDocumentSaveReason::FOCUS_OUT)
        );
    }
}
