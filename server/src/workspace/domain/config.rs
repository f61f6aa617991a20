//! Index and configuration: what a domain consists of, and the host that follows from it.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Instant};

use hotsave_engine::{
    change::{Content, Source},
    outcome::{Outcome, Tag},
    text::SourceText,
};
use hotsave_lua::host::HostState;
use hotsave_protocol as protocol;

use super::{Domain, Surroundings};
use crate::workspace::{
    commands,
    config::{self, HostChoice},
    event::{Answer, Reply},
    indexing::{self, Indexed},
    jobs::JobDone,
    lua_host,
    output::Output,
    problems::Owner,
    request::{Force, Request},
    units::Units,
};

impl Domain {
    /// Starts the index job, unless a watcher is about to name the files (`waits_for_watcher`).
    pub(crate) fn index(&mut self, waits_for_watcher: bool, around: &Surroundings) {
        if !waits_for_watcher {
            self.run_index_job(None, around);
        }
    }

    /// Starts the index job with the files a watcher found; for a domain that has an index, reads them for changes.
    pub(crate) fn index_files(&mut self, files: Vec<PathBuf>, around: &Surroundings) {
        if self.units.is_none() {
            self.run_index_job(Some(files), around);
        } else {
            let known = self.files_below(&self.folder.path);
            let paths = files.into_iter().map(Arc::from).chain(known).collect();
            self.read(paths, Source::Bulk, around);
        }
    }

    pub(super) fn run_index_job(&mut self, files: Option<Vec<PathBuf>>, around: &Surroundings) {
        self.index_job += 1;
        let job = self.index_job;
        let (domain, root, config_path) = (
            self.id,
            Arc::clone(&self.folder.path),
            Arc::clone(&self.config_path),
        );
        around.pool.run(domain, "indexed the project", move || {
            let config_text = std::fs::read(&config_path).ok().map(SourceText::new);
            let config = config_text
                .as_ref()
                .and_then(|it| config::read(&config_path, it).0)
                .unwrap_or_default();
            let indexed = indexing::index(&root, &config, config_text, files);
            JobDone::Indexed {
                domain,
                job,
                indexed: Box::new(indexed),
            }
        });
    }

    /// The index of this job is there: everything that waited for it goes on.
    ///
    /// The units are exchanged only while no host runs any of them: numbers of the one index mean nothing in the other.
    pub(crate) fn indexed(
        &mut self,
        now: Instant,
        job: u64,
        indexed: Indexed,
        around: &Surroundings,
    ) {
        if job != self.index_job {
            return;
        }
        debug_assert!(self.units.is_none() && self.operation.is_none());
        for (path, hash) in indexed.units.hashes() {
            self.intake.seed(path, hash);
        }
        let is_first = !std::mem::replace(&mut self.was_indexed, true);
        let units = self.units.insert(indexed.units);
        for path in self.problems.paths_of(&Owner::Syntax) {
            // It may be ignored from now on; open files are checked below.
            if units.index.id(&path).is_none() {
                self.problems
                    .set(&Owner::Syntax, &path, self.generation, Vec::new());
            }
        }
        self.read_config(now, indexed.config.as_ref(), around);
        self.problems
            .set_all(&Owner::Graph, self.generation, indexed.missing);
        for path in around.documents.paths() {
            self.check_buffer(&path, around);
        }
        let cause = if is_first {
            protocol::Cause::Startup
        } else {
            protocol::Cause::Config
        };
        let has_startup = self
            .units
            .as_ref()
            .is_some_and(|it| it.has_startup(&self.config));
        let force = if has_startup {
            Force::Startup
        } else {
            Force::Files(std::mem::take(&mut self.to_load_again))
        };
        if self.may_run() && force != Force::Files(BTreeSet::new()) {
            self.request(Request {
                force,
                cause: Some(cause),
                ..Request::default()
            });
        }
        self.start_next(now, around);
        around.say(Output::LensesChanged);
    }

    /// Takes a configuration in; an invalid one leaves the last valid one in force.
    pub(super) fn read_config(
        &mut self,
        now: Instant,
        text: Option<&SourceText>,
        around: &Surroundings,
    ) {
        self.config_text = text.map_or_else(|| SourceText::new(Vec::new()), SourceText::clone);
        let (config, problems) = config::read(&self.config_path, &self.config_text);
        self.config_is_invalid = config.is_none();
        self.config_problems.clone_from(&problems);
        self.problems
            .set(&Owner::Config, &self.config_path, self.generation, problems);
        if let Some(config) = config {
            self.settler.set_windows(config.settle.windows());
            self.config = config;
        }
        self.decide_trust(around);
        let reports = self
            .host
            .configure(now, &self.config, self.units.as_ref(), around);
        self.take_reports(now, reports, around);
    }

    /// A changed configuration: read at once, and the project anew if it changes what is indexed or run.
    pub(super) fn config_changed(
        &mut self,
        now: Instant,
        content: &Content,
        around: &Surroundings,
    ) {
        let before = self.config.clone();
        let text = match content {
            Content::Text(text) => Some(text),
            Content::Removed => None,
        };
        self.read_config(now, text, around);
        let (old, new) = (&before.lua, &self.config.lua);
        let same_files = (&old.path, &old.ignore, &old.loaders, old.dialect)
            == (&new.path, &new.ignore, &new.loaders, new.dialect);
        let same_host = (old.host, &old.entry, old.load, old.memory_mb, &old.allow)
            == (new.host, &new.entry, new.load, new.memory_mb, &new.allow);
        if !(same_files && same_host) {
            // What the new configuration does not load by itself ran because it was saved.
            let running = self.units.as_ref().map(Units::running_paths);
            self.discard_host(now, around);
            self.to_load_again = running.unwrap_or_default();
            self.units = None;
            self.run_index_job(None, around);
        }
    }

    /// Ends the host and forgets what ran; a generation under way ends cancelled.
    fn discard_host(&mut self, now: Instant, around: &Surroundings) {
        self.host.discard();
        if self.operation.is_some() {
            self.finish(
                now,
                Outcome::new(Tag::Cancelled).because("the Lua host starts anew"),
                around,
            );
        }
        if let Some(units) = &mut self.units {
            units.forget_all();
        }
        self.refusals.clear();
        self.needs_restart = None;
        self.set_host_problems();
    }

    /// Starts the host anew with what the configuration loads; state is gone, which is what was asked for.
    ///
    /// `reply` is answered after the outcome; at once if there is nothing to load.
    pub(crate) fn restart_host(
        &mut self,
        now: Instant,
        reply: Reply<Answer>,
        around: &Surroundings,
    ) {
        let names = self
            .units
            .as_ref()
            .map(Units::running_paths)
            .unwrap_or_default();
        self.discard_host(now, around);
        let force = if self
            .units
            .as_ref()
            .is_some_and(|it| it.has_startup(&self.config))
        {
            Force::Startup
        } else {
            Force::Files(names)
        };
        if force == Force::Files(BTreeSet::new()) {
            reply.send(Ok(commands::answer(self, "nothing was running", None)));
            return;
        }
        self.request(Request {
            force,
            cause: Some(protocol::Cause::Command),
            replies: vec![reply],
            ..Request::default()
        });
        self.start_next(now, around);
    }

    /// The hosts as `hotsave/status` names them.
    pub(crate) fn hosts(&self) -> Vec<protocol::Host> {
        if self.config.lua.host == HostChoice::None || self.no_host_reason().is_some() {
            return Vec::new();
        }
        let state = match self.host.state() {
            HostState::Absent if !self.may_run() => protocol::HostState::Untrusted,
            state => lua_host::spoken(state),
        };
        vec![protocol::Host {
            name: "worker".to_owned(),
            kind: protocol::HostKind::Worker,
            state,
        }]
    }

    /// Why there is no host for this project, if there is none.
    pub(crate) fn no_host_reason(&self) -> Option<String> {
        let units = self.units.as_ref().filter(|it| !it.runs_in_worker())?;
        Some(format!(
            "no host for {}: the worker is Lua 5.4, so this project is checked and not run",
            units.dialect().title()
        ))
    }
}
