//! A domain: one project with its own configuration, generations, hosts, trust and problems.
//!
//! Takes changes and commands in, runs one generation at a time through the slot, and says what came of it. What a change
//! set means for Lua is [`super::units`]' knowledge, how a host is driven is `hotsave_lua::host`'s.
//! Must stay true: every start has exactly one finish of the same generation, also when hosts die or the folder closes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use crossbeam_channel::Sender;
use hotsave_engine::{
    change::{Admission, Change, Content, Intake, Source},
    generation::Generation,
    outcome::{Outcome, Stage, Tag},
    settle::Settler,
    slot::Slot,
    text::SourceText,
};
use hotsave_lua::{
    host::{HostEvent, HostState},
    syntax::Dialect,
};
use hotsave_protocol as protocol;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    Options,
    config::{self, Config, HostChoice, Trigger},
    documents::Documents,
    event::{Folder, Start, Trust},
    jobs::{self, JobDone, Pool},
    lua_host::LuaHost,
    operation::Operation,
    output::{FileProblems, Finished, Level, Output, Started},
    planning::{Ask, Verdict},
    problems::{Owner, ProblemStore},
    refusals::Refusals,
    request::{Force, Request},
    settings::{ReloadOn, Settings},
    status::Shown,
    trust::Decision,
    units::Units,
};

/// What a domain needs of its surroundings.
pub(super) struct Surroundings {
    pub(super) outputs: UnboundedSender<Output>,
    pub(super) pool: Pool,
    pub(super) documents: Arc<Documents>,
    pub(super) host_events: Sender<(u32, HostEvent)>,
    pub(super) options: Options,
}

impl Surroundings {
    pub(super) fn say(&self, output: Output) {
        // A front end that is gone is a normal end, and the loop hears of it by its inbox.
        let _ = self.outputs.send(output);
    }
}

/// What the index job brings.
pub struct Indexed {
    /// The configuration as read from the disk; `None` if there is no file.
    pub(super) config: Option<SourceText>,
    /// All modules; nothing runs yet.
    pub(super) units: Units,
    /// Modules that nothing answers.
    pub(super) missing: Vec<hotsave_engine::problem::Problem>,
    /// Folders below with a configuration of their own.
    pub(super) nested: Vec<Arc<Path>>,
}

/// One project.
pub(super) struct Domain {
    id: u32,
    folder: Folder,
    workspace: Arc<str>,
    pub(super) config: Config,
    config_path: Arc<Path>,
    pub(super) config_is_invalid: bool,
    settings: Settings,
    editor_trust: Option<Trust>,
    pub(super) trust: Decision,
    pub(super) trust_was_missed: bool,
    /// Why only a fresh program can take the newest text.
    pub(super) needs_restart: Option<String>,
    pub(super) watch_warning: Option<String>,

    intake: Intake,
    pub(super) settler: Settler,
    is_locked: bool,
    /// Saves the editor announced as its own idea, not a person's.
    automatic_saves: BTreeSet<Arc<Path>>,

    first_generation: Generation,
    pub(super) generation: Generation,
    pub(super) last_good: Generation,
    pub(super) units: Option<Units>,
    pub(super) host: LuaHost,
    slot: Slot<Request>,
    pub(super) operation: Option<Operation>,
    pub(super) refusals: Refusals,
    problems: ProblemStore,
    shown: Shown,
    pub(super) last_explanation: Option<super::explain::Account>,
    is_stopping: bool,
}

impl Domain {
    /// A domain whose index is still to come (see [`Self::index`]).
    pub(super) fn open(id: u32, folder: Folder, start: &Start, around: &Surroundings) -> Self {
        let first_generation = around.options.state.resume_generations(&folder.path);
        let config = Config::default();
        let mut domain = Self {
            id,
            workspace: Arc::from(folder.uri.as_str()),
            config_path: Arc::from(folder.path.join("hotsave.toml")),
            host: LuaHost::new(id, &folder.path),
            settler: Settler::new(config.settle.windows()),
            config,
            config_is_invalid: false,
            settings: start.settings.clone(),
            editor_trust: start.trust,
            trust: Decision::Unknown,
            trust_was_missed: false,
            needs_restart: None,
            watch_warning: None,
            intake: Intake::new(),
            is_locked: false,
            automatic_saves: BTreeSet::new(),
            first_generation,
            generation: first_generation,
            last_good: first_generation,
            units: None,
            slot: Slot::new(),
            operation: None,
            refusals: Refusals::default(),
            problems: ProblemStore::default(),
            shown: Shown::default(),
            last_explanation: None,
            is_stopping: false,
            folder,
        };
        domain.publish_status(around);
        domain
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn root(&self) -> &Arc<Path> {
        &self.folder.path
    }

    pub(super) fn workspace(&self) -> &Arc<str> {
        &self.workspace
    }

    pub(super) fn is_named(&self, uri: &str) -> bool {
        self.folder.uri.trim_end_matches('/') == uri.trim_end_matches('/')
    }

    pub(super) fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    // ---- index and configuration --------------------------------------------------------------------------------

    /// Starts the index job, unless a watcher is about to name the files (`waits_for_watcher`).
    pub(super) fn index(&self, waits_for_watcher: bool, around: &Surroundings) {
        if !waits_for_watcher {
            self.run_index_job(None, around);
        }
    }

    /// Starts the index job with the files a watcher found; for a domain that has an index, reads them for changes.
    pub(super) fn index_files(&mut self, files: Vec<PathBuf>, around: &Surroundings) {
        if self.units.is_none() {
            self.run_index_job(Some(files), around);
        } else {
            let known = self.files_below(&self.folder.path);
            let paths = files.into_iter().map(Arc::from).chain(known).collect();
            self.read(paths, Source::Bulk, around);
        }
    }

    fn run_index_job(&self, files: Option<Vec<PathBuf>>, around: &Surroundings) {
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
            let indexed = super::indexing::index(&root, &config, config_text, files);
            JobDone::Indexed {
                domain,
                indexed: Box::new(indexed),
            }
        });
    }

    /// The index is there: everything that waited for it goes on.
    pub(super) fn indexed(&mut self, now: Instant, indexed: Indexed, around: &Surroundings) {
        for (path, hash) in indexed.units.hashes() {
            self.intake.seed(path, hash);
        }
        let is_first = self.units.is_none();
        self.units = Some(indexed.units);
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
        if self
            .units
            .as_ref()
            .is_some_and(|it| it.has_startup(&self.config))
            && self.may_run()
        {
            self.request(Request {
                force: Force::Startup,
                cause: Some(cause),
                ..Request::default()
            });
        }
        self.start_next(now, around);
        around.say(Output::LensesChanged);
    }

    /// Takes a configuration in; an invalid one leaves the last valid one in force.
    fn read_config(&mut self, now: Instant, text: Option<&SourceText>, around: &Surroundings) {
        let empty = SourceText::new(Vec::new());
        let (config, problems) = config::read(&self.config_path, text.unwrap_or(&empty));
        self.config_is_invalid = config.is_none();
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
    fn config_changed(&mut self, now: Instant, content: &Content, around: &Surroundings) {
        let before = self.config.clone();
        let text = match content {
            Content::Text(text) => Some(text),
            Content::Removed => None,
        };
        self.read_config(now, text, around);
        let (old, new) = (&before.lua, &self.config.lua);
        let same_files = (&old.path, &old.ignore, &old.loaders, old.dialect)
            == (&new.path, &new.ignore, &new.loaders, new.dialect);
        let same_host = (old.host, &old.entry, old.load, old.memory_mb)
            == (new.host, &new.entry, new.load, new.memory_mb);
        if !(same_files && same_host) {
            self.discard_host(now, around);
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
    }

    /// Starts the host anew with what the configuration loads; state is gone, which is what was asked for.
    pub(super) fn restart_host(&mut self, now: Instant, around: &Surroundings) {
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
        self.request(Request {
            force,
            cause: Some(protocol::Cause::Command),
            ..Request::default()
        });
    }

    /// The hosts as `hotsave/status` names them.
    pub(super) fn hosts(&self) -> Vec<protocol::Host> {
        if self.config.lua.host == HostChoice::None || self.no_host_reason().is_some() {
            return Vec::new();
        }
        let state = match self.host.state() {
            HostState::Absent if !self.may_run() => protocol::HostState::Untrusted,
            state => super::lua_host::spoken(state),
        };
        vec![protocol::Host {
            name: "worker".to_owned(),
            kind: protocol::HostKind::Worker,
            state,
        }]
    }

    /// Why there is no host for this project, if there is none.
    pub(super) fn no_host_reason(&self) -> Option<String> {
        let units = self.units.as_ref().filter(|it| !it.runs_in_worker())?;
        Some(format!(
            "no host for {}: the worker is Lua 5.4, so this project is checked and not run",
            units.dialect().title()
        ))
    }

    // ---- trust --------------------------------------------------------------------------------------------------

    fn decide_trust(&mut self, around: &Surroundings) {
        self.trust = match self.editor_trust {
            Some(Trust::Granted) => Decision::Granted,
            Some(Trust::Denied) => Decision::Unknown,
            None => around
                .options
                .state
                .decide(&self.folder.path, &self.config.commands()),
        };
        if self.may_run() {
            self.trust_was_missed = false;
        }
    }

    /// Whether programs of this folder may be executed.
    pub(super) fn may_run(&self) -> bool {
        self.trust == Decision::Granted
    }

    /// Trusts what the configuration runs now. `denied` by the editor stays denied until the editor says otherwise.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(super) fn grant_trust(
        &mut self,
        now: Instant,
        around: &Surroundings,
    ) -> std::io::Result<()> {
        around
            .options
            .state
            .grant(&self.folder.path, &self.config.commands())?;
        self.editor_trust = self.editor_trust.map(|_| Trust::Granted);
        self.decide_trust(around);
        let startup = if self
            .units
            .as_ref()
            .is_some_and(|it| it.has_startup(&self.config))
        {
            Force::Startup
        } else {
            Force::Nothing
        };
        let cause = Some(protocol::Cause::Command);
        if startup == Force::Startup || self.refusals.files().next().is_some() {
            self.request(Request {
                force: startup,
                retries: true,
                cause,
                ..Request::default()
            });
        }
        self.start_next(now, around);
        Ok(())
    }

    // ---- changes ------------------------------------------------------------------------------------------------

    pub(super) fn will_save(&mut self, path: Arc<Path>, manual: bool) {
        if manual {
            self.automatic_saves.remove(&path);
        } else {
            self.automatic_saves.insert(path);
        }
    }

    /// The editor saved `path` with this text.
    pub(super) fn saved(
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
    pub(super) fn changed(&mut self, now: Instant, change: Change, around: &Surroundings) {
        let reloads = self.settings.reload_on != ReloadOn::Command;
        self.take_in(now, change, reloads, around);
    }

    fn take_in(&mut self, now: Instant, mut change: Change, reloads: bool, around: &Surroundings) {
        if !self.concerns(&change.path) {
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
        let is_refused = self.refusals.files().any(|(path, _)| *path == change.path);
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
        self.refusals
            .refuse(BTreeMap::from([(change.path, text)]), Vec::new(), false);
    }

    /// Whether a file is any of this domain's business.
    fn concerns(&self, path: &Arc<Path>) -> bool {
        *path == self.config_path || path.extension().is_some_and(|it| it == "lua")
    }

    /// Reads files that somebody says changed; the result comes back as [`Self::changed`].
    pub(super) fn read(&self, paths: Vec<Arc<Path>>, source: Source, around: &Surroundings) {
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
    pub(super) fn rescan(&self, directory: &Path, around: &Surroundings) {
        let (domain, root, directory) = (
            self.id,
            Arc::clone(&self.folder.path),
            directory.to_path_buf(),
        );
        let known = self.files_below(&directory);
        let ignore = self.config.lua.ignore.clone();
        around.pool.run(domain, "compared all files", move || {
            let found = super::indexing::lua_files(&root, &ignore)
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
    pub(super) fn files_below(&self, directory: &Path) -> Vec<Arc<Path>> {
        self.units
            .as_ref()
            .map(|it| it.files_below(directory))
            .unwrap_or_default()
    }

    pub(super) fn set_lock(&mut self, now: Instant, is_held: bool) {
        let _ = now;
        self.is_locked = is_held;
    }

    pub(super) fn set_watch_warning(&mut self, warning: Option<String>, around: &Surroundings) {
        self.watch_warning = warning;
        if self.units.is_none() {
            self.run_index_job(None, around);
        }
    }

    // ---- generations --------------------------------------------------------------------------------------------

    pub(super) fn request(&mut self, request: Request) {
        let cause = format!("{:?}", request.cause);
        self.slot.request(cause, request, Request::merge);
    }

    /// Serves timers that are due.
    pub(super) fn tick(&mut self, now: Instant, around: &Surroundings) {
        let reports = self.host.tick(now);
        self.take_reports(now, reports, around);
        self.start_next(now, around);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let settles = self.settler.deadline().filter(|_| self.can_start());
        settles.into_iter().chain(self.host.next_deadline()).min()
    }

    fn can_start(&self) -> bool {
        self.units.is_some() && self.operation.is_none() && !self.is_stopping
    }

    /// Starts generations until one has to wait for its host.
    pub(super) fn start_next(&mut self, now: Instant, around: &Surroundings) {
        while self.can_start() {
            if let Some(set) = self.settler.take(now) {
                self.request(Request::of_changes(set.changes, set.source));
            }
            let Some(started) = self.slot.start() else {
                return;
            };
            tracing::debug!("starting: {}", started.cause);
            if started.request.is_withdrawn() {
                self.slot.abandon();
                continue;
            }
            self.start(now, started.request, around);
        }
    }

    fn start(&mut self, now: Instant, request: Request, around: &Surroundings) {
        self.generation = self.generation.next();
        around.options.state.used_generation(
            &self.folder.path,
            self.first_generation,
            self.generation,
        );
        let cause = request.cause.unwrap_or(protocol::Cause::Command);
        let trigger: Vec<Arc<Path>> = request
            .changes
            .iter()
            .take(100)
            .map(|it| Arc::clone(&it.path))
            .collect();
        let is_full = matches!(request.force, Force::All | Force::Startup);
        let kind = if is_full {
            protocol::ReloadKind::Full
        } else {
            protocol::ReloadKind::Hot
        };
        around.say(Output::Started(Started {
            workspace: Arc::clone(&self.workspace),
            generation: self.generation,
            cause,
            trigger: trigger.clone(),
            kind,
        }));
        let mut operation = Operation::new(self.generation, now, cause, trigger, request.replies);
        let Some(units) = &mut self.units else { return };

        let mut changes = request.changes;
        if request.retries || is_full {
            let refused = self
                .refusals
                .files()
                .filter(|(path, _)| !changes.iter().any(|it| it.path == **path));
            let refused: Vec<Change> = refused
                .map(|(path, text)| Change {
                    path: Arc::clone(path),
                    content: text.clone().map_or(Content::Removed, Content::Text),
                    source: Source::Command,
                })
                .collect();
            changes.extend(refused);
        }
        for change in &changes {
            let problems = units.take_in(change);
            self.problems
                .set(&Owner::Syntax, &change.path, self.generation, problems);
            operation
                .files
                .insert(Arc::clone(&change.path), change.content.clone());
        }
        let graph_problems = units.take_graph_problems();
        for (path, problems) in graph_problems {
            self.problems
                .set(&Owner::Graph, &path, self.generation, problems);
        }
        operation.force = request.force;
        operation.changes = changes;
        self.operation = Some(operation);
        self.go_on(now, around);
    }

    /// Plans what is left of the running operation and sends it, or finishes. Called again when a part of it failed that
    /// the rest does not need.
    pub(super) fn go_on(&mut self, now: Instant, around: &Surroundings) {
        let may_run = self.may_run();
        let (Some(operation), Some(units)) = (&mut self.operation, &mut self.units) else {
            return;
        };
        let has_host = self.config.lua.host != HostChoice::None && units.runs_in_worker();
        let plan = units.plan(&Ask {
            changes: &operation.changes,
            force: &operation.force,
            refusals: &self.refusals,
            left_alone: &operation.left_alone,
            left_out: &operation.left_out,
            config: &self.config,
            has_host,
        });
        operation.skipped = plan.skipped;
        for path in &plan.settled {
            self.refusals.resolve(path);
            operation.files.remove(path);
        }
        match plan.verdict {
            Verdict::Over(outcome) => {
                if !operation.has_ended_something() {
                    operation.note(outcome);
                }
                let outcome = operation.worst_outcome();
                self.finish(now, outcome, around);
            }
            Verdict::Run(_) if !may_run => {
                self.trust_was_missed = true;
                let reason = "this folder is not trusted to run programs; allow it with `hotsave trust` or hotsave.trust";
                self.finish(
                    now,
                    Outcome::new(Tag::Rejected).at(Stage::Trust).because(reason),
                    around,
                );
            }
            Verdict::Run(transaction) => {
                let mut update = transaction.update.clone();
                update.generation = operation.generation.number();
                update.cause = super::operation::wire_cause(operation.cause);
                update.deadline_ms = self.config.lua.deadline_ms;
                operation.in_flight = Some(*transaction);
                let reports = self.host.submit(now, update, around);
                self.take_reports(now, reports, around);
            }
        }
    }

    /// Ends the running generation. What the outcome means for files and units has been noted before.
    pub(super) fn finish(&mut self, now: Instant, outcome: Outcome, around: &Surroundings) {
        let Some(operation) = self.operation.take() else {
            return;
        };
        self.slot.abandon();
        if operation.has_applied() {
            self.last_good = self.generation;
        }
        let is_refused = matches!(
            outcome.tag,
            Tag::Rejected | Tag::RolledBack | Tag::NeedsRestart
        );
        if is_refused {
            let is_failing =
                outcome.stage != Some(Stage::Trust) && outcome.tag != Tag::NeedsRestart;
            let files = operation.files.iter().map(|(path, content)| {
                let text = match content {
                    Content::Text(text) => Some(text.clone()),
                    Content::Removed => None,
                };
                (Arc::clone(path), text)
            });
            self.refusals
                .refuse(files.collect(), operation.problems.clone(), is_failing);
        } else if matches!(outcome.tag, Tag::Applied | Tag::Unchanged) {
            for path in operation.files.keys() {
                self.refusals.resolve(path);
            }
        }
        let mut problems = self.refusals.problems();
        problems.extend(self.units.iter().flat_map(Units::warnings));
        self.problems
            .set_all(&Owner::Host("worker".to_owned()), self.generation, problems);
        // Diagnostics of a generation leave before its finish (editors specification, 4.5).
        self.publish_problems(around);
        let duration = now.saturating_duration_since(operation.began);
        let account = super::explain::Account::of(&operation, &outcome, duration);
        let message = account.line();
        let finished = Finished {
            workspace: Arc::clone(&self.workspace),
            generation: self.generation,
            units: operation.units.clone(),
            outcome: outcome.clone(),
            duration,
        };
        around.say(Output::Finished(Box::new(finished)));
        let level = if is_refused {
            Level::Error
        } else {
            Level::Info
        };
        around.say(Output::Log {
            level,
            text: message.clone(),
        });
        around.say(Output::LensesChanged);
        self.last_explanation = Some(account);
        for reply in operation.replies {
            reply.send(Ok(super::commands::answer(self, &message, Some(&outcome))));
        }
    }

    // ---- what is said -------------------------------------------------------------------------------------------

    /// Checks the unsaved text of a document.
    pub(super) fn check_buffer(&mut self, path: &Arc<Path>, around: &Surroundings) {
        let Some(document) = around.documents.get(path) else {
            return;
        };
        if *path == self.config_path {
            let (_, problems) = config::read(path, &document.text);
            self.problems
                .set(&Owner::Config, path, self.generation, problems);
            return;
        }
        if !self.concerns(path) && &*document.language != "lua" {
            return;
        }
        let dialect = self.units.as_ref().map_or(Dialect::Lua54, Units::dialect);
        let problems = super::units::syntax_problems(path, &document.text, dialect);
        self.problems
            .set(&Owner::Syntax, path, self.generation, problems);
        if let Some(problems) = self
            .units
            .as_ref()
            .and_then(|it| it.graph_problems(path, &document.text))
        {
            self.problems
                .set(&Owner::Graph, path, self.generation, problems);
        }
    }

    /// A closed buffer does not count any more: the file does.
    pub(super) fn closed(&mut self, path: &Arc<Path>, around: &Surroundings) {
        self.problems
            .set(&Owner::Syntax, path, self.generation, Vec::new());
        if !path.exists() {
            self.problems.remove_file(path);
        } else if let Some(units) = &self.units {
            // What the disk holds may differ from the buffer that was thrown away.
            let (domain, path, dialect) = (self.id, Arc::clone(path), units.dialect());
            let generation = self.generation;
            around.pool.run(domain, "checked a closed file", move || {
                let change = jobs::read_change(&path, Source::Watcher);
                let problems = match &change.content {
                    Content::Text(text) => super::units::syntax_problems(&path, text, dialect),
                    Content::Removed => Vec::new(),
                };
                JobDone::Checked {
                    domain,
                    path,
                    generation,
                    problems,
                }
            });
        }
    }

    /// The result of a check of a file that is not open.
    pub(super) fn checked(
        &mut self,
        path: &Arc<Path>,
        generation: Generation,
        problems: Vec<hotsave_engine::problem::Problem>,
        around: &Surroundings,
    ) {
        if around.documents.get(path).is_none() {
            self.problems
                .set(&Owner::Syntax, path, generation, problems);
        }
    }

    /// Sends what changed since the last call.
    pub(super) fn publish(&mut self, _now: Instant, around: &Surroundings) {
        self.publish_problems(around);
        self.publish_status(around);
    }

    fn publish_problems(&mut self, around: &Surroundings) {
        for publication in self.problems.take_changes() {
            let document = around.documents.get(&publication.path);
            let judged_current = |it: &super::documents::Document| {
                publication
                    .problems
                    .iter()
                    .all(|problem| problem.place.text == it.text)
            };
            let version = document.filter(judged_current).map(|it| it.version);
            around.say(Output::Problems(FileProblems {
                workspace: Arc::clone(&self.workspace),
                generation: publication.generation,
                path: publication.path,
                version,
                problems: publication.problems,
            }));
        }
    }

    fn publish_status(&mut self, around: &Surroundings) {
        let status = super::status::of(self);
        if self.shown.replace(&status) {
            around.say(Output::Status(Box::new(status)));
        }
    }

    // ---- the end ------------------------------------------------------------------------------------------------

    /// Begins to end what was started; nothing new starts.
    pub(super) fn begin_stop(&mut self, now: Instant, around: &Surroundings) {
        self.is_stopping = true;
        if let Some((_, request)) = self.slot.withdraw() {
            for reply in request.replies {
                reply.send(Err(super::event::RequestError::Cancelled));
            }
        }
        if self.operation.is_none() {
            let reports = self.host.stop(now);
            self.take_reports(now, reports, around);
        }
    }

    /// Whether nothing of the domain runs any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.operation.is_none() && self.host.is_stopped()
    }

    /// Stops the host once the last operation is over.
    pub(super) fn go_on_stopping(&mut self, now: Instant, around: &Surroundings) {
        if self.is_stopping && self.operation.is_none() {
            let reports = self.host.stop(now);
            self.take_reports(now, reports, around);
        }
    }

    /// Ends at once: the running generation is cancelled, every shown problem taken back, the host killed by being
    /// dropped.
    pub(super) fn close(mut self, now: Instant, around: &Surroundings) {
        self.is_stopping = true;
        if self.operation.is_some() {
            self.finish(
                now,
                Outcome::new(Tag::Cancelled).because("the folder was closed"),
                around,
            );
        }
        self.problems.clear();
        self.publish_problems(around);
        around
            .options
            .state
            .close_generations(&self.folder.path, self.generation);
    }
}
