//! Files created, changed, renamed, deleted: whoever says so, the loop looks at their paths again.

use std::{path::Path, sync::Arc};

use tower_lsp::lsp_types::{
    CreateFilesParams, DeleteFilesParams, DidChangeWatchedFilesParams, RenameFilesParams,
};

use crate::uri::to_path;

/// Paths of `didChangeWatchedFiles`.
pub(in crate::lsp) fn watched(params: &DidChangeWatchedFilesParams) -> Vec<Arc<Path>> {
    params
        .changes
        .iter()
        .map(|it| to_path(it.uri.as_str()))
        .collect()
}

/// Paths of `didCreateFiles`.
pub(in crate::lsp) fn created(params: &CreateFilesParams) -> Vec<Arc<Path>> {
    params.files.iter().map(|it| to_path(&it.uri)).collect()
}

/// Paths of `didRenameFiles`: the old name of each file, then the new one.
pub(in crate::lsp) fn renamed(params: &RenameFilesParams) -> Vec<Arc<Path>> {
    params
        .files
        .iter()
        .flat_map(|it| [to_path(&it.old_uri), to_path(&it.new_uri)])
        .collect()
}

/// Paths of `didDeleteFiles`.
pub(in crate::lsp) fn deleted(params: &DeleteFilesParams) -> Vec<Arc<Path>> {
    params.files.iter().map(|it| to_path(&it.uri)).collect()
}
