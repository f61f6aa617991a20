//! A look at a project without a loop: what `hotsave doctor` tells.

use std::{path::Path, sync::Arc};

use super::{config::Config, indexing};

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Lua files that are not ignored.
    pub n_files: usize,
    /// Those that are modules.
    pub n_modules: usize,
    /// Requires of a name that begins like one of the project and that no file answers.
    pub n_missing: usize,
    /// The dialect, in words.
    pub dialect: &'static str,
    /// Whether the worker runs it.
    pub runs_in_worker: bool,
}

/// Indexes `folder` with `config` and counts.
#[must_use]
pub fn survey(folder: &Path, config: &Config) -> Survey {
    let indexed = indexing::index(&Arc::from(folder), config, None, None);
    let (n_files, n_modules) = indexed.units.count();
    Survey {
        n_files,
        n_modules,
        n_missing: indexed.missing.len(),
        dialect: indexed.units.dialect().title(),
        runs_in_worker: indexed.units.runs_in_worker(),
    }
}
