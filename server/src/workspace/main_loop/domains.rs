//! Folders come and go: which domain a path belongs to, and who answers a command.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use hotsave_protocol as protocol;
use hotsave_watch::WatchRoot;

use super::MainLoop;
use crate::workspace::{
    commands::{self, Gathering},
    domain::Domain,
    event::{Answer, Folder, Reply, RequestError, Trust},
    settings::Watcher,
};

impl MainLoop {
    pub(super) fn open_domain(&mut self, folder: Folder) {
        if !self.is_ready
            || self.stopping.is_some()
            || self.domains.values().any(|it| *it.root() == folder.path)
        {
            return;
        }
        let Some(start) = &self.start else { return };
        let id = self.next_domain;
        self.next_domain += 1;
        let watches = match start.settings.watcher {
            Watcher::Off => false,
            Watcher::Server => true,
            Watcher::Client | Watcher::Auto => !start.client_watches,
        };
        let outer =
            Self::innermost(&mut self.domains, &folder.path).map(|it| Arc::clone(it.root()));
        if let Some(outer) = &outer {
            tracing::info!(
                "{} is a project of its own inside {}",
                folder.path.display(),
                outer.display()
            );
        }
        // What the editor grants, it grants to its folders; a project around some other open file is not one of them.
        let is_of_editor = start
            .folders
            .iter()
            .any(|it| folder.path.starts_with(&it.path));
        let trust = start
            .trust
            .filter(|it| is_of_editor || *it == Trust::Denied);
        let mut domain = Domain::open(id, folder, start, trust, &self.around);
        // A nested project lies below a root that is watched already.
        let is_watched_from_outside = outer.is_some();
        let mut waits_for_watcher = false;
        if let Some(watch) = self
            .watch
            .as_mut()
            .filter(|_| watches && !is_watched_from_outside)
        {
            watch.add_root(WatchRoot {
                path: domain.root().to_path_buf(),
                ignore: Vec::new(),
            });
            waits_for_watcher = true;
        }
        domain.index(waits_for_watcher, &self.around);
        self.domains.insert(id, domain);
    }

    /// Closes what belongs to a folder that is open no more: its domain and those below it, but for folders that are
    /// open by themselves.
    pub(super) fn close_folder(&mut self, now: Instant, folder: &Path) {
        let open = self.start.iter().flat_map(|it| &it.folders);
        let open: Vec<Arc<Path>> = open.map(|it| Arc::clone(&it.path)).collect();
        let roots: Vec<Arc<Path>> = self
            .domains
            .values()
            .map(|it| Arc::clone(it.root()))
            .filter(|it| it.starts_with(folder))
            .filter(|root| !open.iter().any(|it| root.starts_with(it)))
            .collect();
        for root in roots {
            self.close_domain(now, &root);
        }
        // The folder itself may lie in one that stays open; without a configuration it is a part of that one.
        if !open.iter().any(|it| **it == *folder) && !folder.join("hotsave.toml").is_file() {
            self.close_domain(now, folder);
        }
    }

    /// Closes the domain of a folder.
    pub(super) fn close_domain(&mut self, now: Instant, folder: &Path) {
        let ids: Vec<u32> = self
            .domains
            .iter()
            .filter(|(_, it)| **it.root() == *folder)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(domain) = self.domains.remove(&id) {
                if let Some(watch) = &mut self.watch {
                    watch.remove_root(domain.root());
                }
                domain.close(now, &self.around);
            }
        }
    }

    /// Opens a domain for a document outside every folder whose nearest ancestor with a `hotsave.toml` makes it part of
    /// a project (editors specification, 2.8).
    pub(super) fn adopt(&mut self, path: &Path) {
        if path.is_relative() || Self::innermost(&mut self.domains, path).is_some() {
            return;
        }
        let Some(root) = path
            .ancestors()
            .skip(1)
            .find(|it| it.join("hotsave.toml").is_file())
        else {
            return;
        };
        let uri = crate::workspace::folder_uri(root);
        self.open_domain(Folder {
            path: Arc::from(root),
            uri,
        });
    }

    pub(super) fn domain_of(&mut self, path: &Path) -> Option<&mut Domain> {
        Self::innermost(&mut self.domains, path)
    }

    /// The domain with the longest root above `path`.
    pub(super) fn innermost<'d>(
        domains: &'d mut BTreeMap<u32, Domain>,
        path: &Path,
    ) -> Option<&'d mut Domain> {
        domains
            .values_mut()
            .filter(|it| path.starts_with(it.root()))
            .max_by_key(|it| it.root().as_os_str().len())
    }

    /// The domain with this folder URI; without one that of the document opened last, else the first.
    pub(super) fn domain_named(&mut self, workspace: Option<&str>) -> Option<&mut Domain> {
        if let Some(uri) = workspace {
            return self.domains.values_mut().find(|it| it.is_named(uri));
        }
        let id = self
            .last_opened
            .clone()
            .and_then(|path| Self::innermost(&mut self.domains, &path).map(|it| it.id()))
            .or_else(|| self.domains.keys().next().copied())?;
        self.domains.get_mut(&id)
    }

    pub(super) fn command(
        &mut self,
        now: Instant,
        command: protocol::Command,
        path: Option<&Arc<Path>>,
        argument: &protocol::CommandArgument,
        reply: Reply<Answer>,
    ) {
        let workspace = argument.workspace.as_deref();
        let ids: Vec<u32> = if let Some(path) = path {
            Self::innermost(&mut self.domains, path)
                .map(|it| it.id())
                .into_iter()
                .collect()
        } else if workspace.is_some() || commands::is_of_one_domain(command) {
            self.domain_named(workspace)
                .map(|it| it.id())
                .into_iter()
                .collect()
        } else {
            self.domains.keys().copied().collect()
        };
        let replies = match ids.len() {
            0 => {
                let message = match (path, workspace) {
                    (Some(path), _) => {
                        format!("{} belongs to no project that is open", path.display())
                    }
                    (None, Some(workspace)) => format!("no workspace {workspace} is open"),
                    (None, None) => "no folder is open".to_owned(),
                };
                reply.send(Err(RequestError::InvalidParams(message)));
                return;
            }
            1 => vec![reply],
            n => {
                let (replies, gathering) = Gathering::new(reply, n);
                self.gatherings.push(gathering);
                replies
            }
        };
        for (id, reply) in ids.into_iter().zip(replies) {
            if let Some(domain) = self.domains.get_mut(&id) {
                domain.command(now, command, path, reply, &self.around);
            }
        }
    }
}
