//! Files: what watchers and finished jobs say, passed on to the domains they concern.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use hotsave_engine::change::Source;
use hotsave_watch::{Kind, WatchEvent};

use super::MainLoop;
use crate::workspace::{
    event::Folder,
    jobs::JobDone,
    output::{Level, Output},
};

impl MainLoop {
    pub(super) fn handle_watch(&mut self, event: WatchEvent) {
        let source = event.source;
        match event.kind {
            Kind::Ready { files } => {
                let around = &self.around;
                if let Some(domain) = self
                    .domains
                    .values_mut()
                    .find(|it| **it.root() == *event.root)
                {
                    domain.index_files(files, around);
                }
            }
            Kind::Changed { paths } => {
                let paths: Vec<Arc<Path>> = paths.into_iter().map(Arc::from).collect();
                self.files_changed(&paths, source);
            }
            Kind::Gone { directory, .. } => self.look_again_below(&directory),
            Kind::Rescan { directory, .. } => {
                for domain in self.domains.values_mut().filter(|it| {
                    directory.starts_with(it.root()) || it.root().starts_with(&directory)
                }) {
                    domain.rescan(&directory, &self.around);
                }
            }
            Kind::Lock { held } => {
                for domain in self
                    .domains
                    .values_mut()
                    .filter(|it| it.root().starts_with(&event.root))
                {
                    domain.set_lock(held);
                }
            }
            Kind::Degraded { message } => {
                tracing::warn!("{message}");
                for domain in self
                    .domains
                    .values_mut()
                    .filter(|it| it.root().starts_with(&event.root))
                {
                    domain.set_watch_warning(Some(message.clone()), &self.around);
                }
            }
            Kind::Recovered => {
                for domain in self
                    .domains
                    .values_mut()
                    .filter(|it| it.root().starts_with(&event.root))
                {
                    domain.set_watch_warning(None, &self.around);
                }
            }
        }
    }

    pub(super) fn files_changed(&mut self, paths: &[Arc<Path>], source: Source) {
        let mut by_domain: BTreeMap<u32, Vec<Arc<Path>>> = BTreeMap::new();
        for path in paths {
            if let Some(domain) = Self::innermost(&mut self.domains, path) {
                by_domain
                    .entry(domain.id())
                    .or_default()
                    .push(Arc::clone(path));
            }
        }
        for (id, paths) in by_domain {
            if let Some(domain) = self.domains.get(&id) {
                domain.read(paths, source, &self.around);
            }
        }
    }

    /// A directory is gone: every file known below it is looked at again.
    pub(super) fn look_again_below(&mut self, directory: &Path) {
        for domain in self.domains.values() {
            let paths = domain.files_below(directory);
            if !paths.is_empty() {
                domain.read(paths, Source::Watcher, &self.around);
            }
        }
    }

    pub(super) fn handle_job(&mut self, now: Instant, done: JobDone) {
        let id = done.domain();
        match done {
            JobDone::Panicked { what, .. } => {
                let text = format!("hotsave failed while it {what}; the log has more");
                let _ = self.around.outputs.send(Output::Message {
                    level: Level::Error,
                    text,
                });
            }
            JobDone::Indexed { job, indexed, .. } => {
                let nested = indexed.nested.clone();
                if let Some(domain) = self.domains.get_mut(&id) {
                    domain.indexed(now, job, *indexed, &self.around);
                }
                for root in nested {
                    let uri = crate::workspace::folder_uri(&root);
                    self.open_domain(Folder { path: root, uri });
                }
            }
            JobDone::Checked {
                path,
                generation,
                problems,
                ..
            } => {
                if let Some(domain) = self.domains.get_mut(&id) {
                    domain.checked(&path, generation, problems, &self.around);
                }
            }
            JobDone::Read { changes, .. } => {
                for change in changes {
                    // A walk through a project also meets the files of projects inside it.
                    let domain = Self::innermost(&mut self.domains, &change.path);
                    if let Some(domain) = domain.filter(|it| it.id() == id) {
                        domain.changed(now, change, &self.around);
                    }
                }
            }
        }
    }
}
