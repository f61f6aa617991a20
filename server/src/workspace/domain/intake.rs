//! Intake: from "this file may have changed" to a change that settles.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Instant};

use hotsave_engine::{
    change::{Admission, Change, Content, Source},
    text::SourceText,
};
use hotsave_watch::Ignore;

use super::{Domain, Surroundings};
use crate::workspace::{
    config::Trigger,
    indexing,
    jobs::{self, JobDone},
    settings::ReloadOn,
};

impl Domain {
    pub(crate) fn will_save(&mut self, path: Arc<Path>, manual: bool) {
        if manual {
            self.automatic_saves.remove(&path);
        } else {
            self.automatic_saves.insert(path);
        }
    }

    /// The editor saved `path` with this text.
    pub(crate) fn saved(
        &mut self,
        now: Instant,
        path: &Arc<Path>,
        text: SourceText,
        around: &Surroundings,
    ) {
        let is_automatic = self.automatic_saves.remove(path);
        let change = Change {
            path: Arc::clone(path),
            content: Content::Text(text),
            source: Source::Save,
        };
        let reloads = match self.settings.reload_on {
            ReloadOn::Save => true,
            ReloadOn::ManualSave => !is_automatic,
            ReloadOn::Command => false,
        };
        self.take_in(now, change, reloads, around);
    }

    /// A file was read because somebody said that it changed.
    pub(crate) fn changed(&mut self, now: Instant, change: Change, around: &Surroundings) {
        let reloads = self.settings.reload_on != ReloadOn::Command;
        self.take_in(now, change, reloads, around);
    }

    fn take_in(&mut self, now: Instant, mut change: Change, reloads: bool, around: &Surroundings) {
        if !self.concerns(&change.path) || self.is_ignored(&change.path) {
            return;
        }
        if self.is_locked && change.source == Source::Watcher {
            change.source = Source::Bulk;
        }
        let change = match self.intake.admit(change.clone()) {
            Admission::Admitted(change) => change,
            Admission::Same => change,
            Admission::Echo => {
                if change.source == Source::Save {
                    self.settler.claim(now, &change.path);
                }
                return;
            }
        };
        // A file that is truncated and written again passes through other contents on its way back.
        let is_watched = matches!(change.source, Source::Watcher | Source::Bulk);
        let is_known = self
            .units
            .as_ref()
            .is_some_and(|it| it.knows(&change.path, &change.content));
        let is_refused = self.refusals.contains(&change.path);
        if is_watched && is_known && !is_refused {
            self.settler.withdraw(&change.path);
            return;
        }
        if change.path == self.config_path {
            self.config_changed(now, &change.content, around);
            return;
        }
        if reloads && self.config.lua.trigger == Trigger::Save {
            self.settler.push(now, change);
        } else {
            // Not reloaded, but known: the next command takes it along.
            self.hold_back(change);
        }
    }

    /// Keeps a change that only a command may apply.
    fn hold_back(&mut self, change: Change) {
        let text = match change.content {
            Content::Text(text) => Some(text),
            Content::Removed => None,
        };
        self.refusals.hold(change.path, text);
        self.set_host_problems();
    }

    /// Whether a file is any of this domain's business.
    pub(super) fn concerns(&self, path: &Arc<Path>) -> bool {
        *path == self.config_path || path.extension().is_some_and(|it| it == "lua")
    }

    /// Whether a file that the index does not know is one it must not know: the editor tells of saves anywhere, also in
    /// `node_modules`.
    fn is_ignored(&self, path: &Arc<Path>) -> bool {
        let is_known = self
            .units
            .as_ref()
            .is_some_and(|it| it.index.id(path).is_some());
        let is_new = !is_known && *path != self.config_path;
        is_new && Ignore::new(&self.folder.path, &self.config.lua.ignore).is_ignored(path, false)
    }

    /// Reads files that somebody says changed; the result comes back as [`Self::changed`].
    pub(crate) fn read(&self, paths: Vec<Arc<Path>>, source: Source, around: &Surroundings) {
        let paths: Vec<Arc<Path>> = paths.into_iter().filter(|it| self.concerns(it)).collect();
        if paths.is_empty() {
            return;
        }
        let domain = self.id;
        around.pool.run(domain, "read changed files", move || {
            let changes = paths
                .iter()
                .map(|it| jobs::read_change(it, source))
                .collect();
            JobDone::Read { domain, changes }
        });
    }

    /// Reads everything below `directory` anew and compares.
    pub(crate) fn rescan(&self, directory: &Path, around: &Surroundings) {
        let (domain, root, directory) = (
            self.id,
            Arc::clone(&self.folder.path),
            directory.to_path_buf(),
        );
        let known = self.files_below(&directory);
        let ignore = self.config.lua.ignore.clone();
        around.pool.run(domain, "compared all files", move || {
            let found = indexing::lua_files(&root, &ignore)
                .into_iter()
                .filter(|it| it.starts_with(&directory));
            let paths: BTreeSet<Arc<Path>> = found.chain(known).collect();
            let changes = paths
                .iter()
                .map(|it| jobs::read_change(it, Source::Bulk))
                .collect();
            JobDone::Read { domain, changes }
        });
    }

    /// The known files below a directory.
    pub(crate) fn files_below(&self, directory: &Path) -> Vec<Arc<Path>> {
        self.units
            .as_ref()
            .map(|it| it.files_below(directory))
            .unwrap_or_default()
    }

    pub(crate) fn set_lock(&mut self, is_held: bool) {
        self.is_locked = is_held;
    }

    pub(crate) fn set_watch_warning(&mut self, warning: Option<String>, around: &Surroundings) {
        self.watch_warning = warning;
        if self.units.is_none() {
            self.run_index_job(None, around);
        }
    }
}
