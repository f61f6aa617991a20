//! The index job: finds a project's Lua files, reads them once and makes its units. Runs on the pool.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hotsave_engine::{problem::Problem, text::SourceText};
use hotsave_watch::Ignore;

use super::{config::Config, units::Units};

/// What the index job brings.
pub struct Indexed {
    /// The configuration as read from the disk; `None` if there is no file.
    pub(super) config: Option<SourceText>,
    /// All modules; nothing runs yet.
    pub(super) units: Units,
    /// Modules that nothing answers.
    pub(super) missing: Vec<Problem>,
    /// Folders below with a configuration of their own.
    pub(super) nested: Vec<Arc<Path>>,
}

/// Indexes the project in `root`; `files` are what a watcher found, otherwise the folder is walked.
pub(super) fn index(
    root: &Arc<Path>,
    config: &Config,
    config_text: Option<SourceText>,
    files: Option<Vec<PathBuf>>,
) -> Indexed {
    let files = match files {
        Some(files) => files,
        None => Ignore::new(root, &[]).walk(),
    };
    let mut nested: Vec<Arc<Path>> = files
        .iter()
        .filter(|it| it.file_name().is_some_and(|name| name == "hotsave.toml"))
        .filter_map(|it| it.parent())
        .filter(|it| **it != **root)
        .map(Arc::from)
        .collect();
    nested.sort();
    let mut ignore = Ignore::new(root, &config.lua.ignore);
    let lua_files: Vec<PathBuf> = files
        .iter()
        .filter(|it| it.extension().is_some_and(|extension| extension == "lua"))
        .filter(|it| !nested.iter().any(|nested| it.starts_with(nested)))
        .filter(|it| config.lua.ignore.is_empty() || !ignore.is_ignored(it, false))
        .cloned()
        .collect();
    let units = Units::index(root, config, &lua_files);
    let missing = units.missing_modules();
    Indexed {
        config: config_text,
        units,
        missing,
        nested,
    }
}

/// All Lua files of `root` that are not ignored.
pub(super) fn lua_files(root: &Path, ignore: &[String]) -> Vec<Arc<Path>> {
    let files = Ignore::new(root, ignore).walk();
    let lua_files = files
        .into_iter()
        .filter(|it| it.extension().is_some_and(|extension| extension == "lua"));
    lua_files.map(Arc::from).collect()
}
