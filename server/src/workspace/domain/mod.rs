//! A domain: one project with its own configuration, generations, hosts, trust and problems.
//!
//! Takes changes and commands in, runs one generation at a time through the slot, and says what came of it. What a change
//! set means for Lua is [`super::units`]' knowledge, how a host is driven is `hotsave_lua::host`'s. The modules below are
//! one idea each: what it consists of, what may run, what came in, what is under way, what is said, how it ends.
//! Must stay true: every start has exactly one finish of the same generation, also when hosts die or the folder closes.

mod config;
mod generation;
mod intake;
mod publish;
mod stop;
mod trust;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use crossbeam_channel::Sender;
use hotsave_engine::{
    change::Intake, generation::Generation, problem::Problem, settle::Settler, slot::Slot,
    text::SourceText,
};
use hotsave_lua::host::HostEvent;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    Options,
    config::Config,
    documents::Documents,
    event::{Folder, HostAddress, Start, Trust},
    explain::Account,
    jobs::Pool,
    lua_host::{LuaHost, MakeHost},
    operation::Operation,
    output::Output,
    problems::ProblemStore,
    refusals::Refusals,
    request::Request,
    settings::Settings,
    status::Shown,
    trust::Decision,
    units::Units,
};

/// What a domain needs of its surroundings.
pub(crate) struct Surroundings {
    pub(crate) outputs: UnboundedSender<Output>,
    pub(crate) pool: Pool,
    pub(crate) documents: Arc<Documents>,
    pub(crate) host_events: Sender<(HostAddress, HostEvent)>,
    pub(crate) make_host: MakeHost,
    pub(crate) options: Options,
}

impl Surroundings {
    pub(crate) fn say(&self, output: Output) {
        // A front end that is gone is a normal end, and the loop hears of it by its inbox.
        let _ = self.outputs.send(output);
    }
}

/// One project.
pub(crate) struct Domain {
    id: u32,
    folder: Folder,
    workspace: Arc<str>,
    pub(crate) config: Config,
    config_path: Arc<Path>,
    /// Files whose units a change of the configuration took out of the host.
    to_load_again: BTreeSet<Arc<Path>>,
    /// The text of `hotsave.toml`, empty if there is none.
    config_text: SourceText,
    pub(crate) config_is_invalid: bool,
    /// What is wrong with `hotsave.toml` as it was read last.
    config_problems: Vec<Problem>,
    settings: Settings,
    editor_trust: Option<Trust>,
    pub(crate) trust: Decision,
    pub(crate) trust_was_missed: bool,
    /// Why only a fresh program can take the newest text.
    pub(crate) needs_restart: Option<String>,
    /// The files with that text.
    pub(crate) restart_files: Vec<Arc<Path>>,
    pub(crate) watch_warning: Option<String>,

    intake: Intake,
    pub(crate) settler: Settler,
    is_locked: bool,
    /// Saves the editor announced as its own idea, not a person's.
    automatic_saves: BTreeSet<Arc<Path>>,

    first_generation: Generation,
    pub(crate) generation: Generation,
    pub(crate) last_good: Generation,
    pub(crate) units: Option<Units>,
    pub(crate) host: LuaHost,
    slot: Slot<Request>,
    pub(crate) operation: Option<Operation>,
    pub(crate) refusals: Refusals,
    problems: ProblemStore,
    shown: Shown,
    pub(crate) last_explanation: Option<Account>,
    is_stopping: bool,
    /// Number of the index job that counts; what an older one brings is out of date.
    index_job: u64,
    was_indexed: bool,
}

impl Domain {
    /// A domain whose index is still to come (see [`Self::index`]).
    pub(crate) fn open(
        id: u32,
        folder: Folder,
        start: &Start,
        trust: Option<Trust>,
        around: &Surroundings,
    ) -> Self {
        let first_generation = around.options.state.resume_generations(&folder.path);
        let config = Config::default();
        let mut domain = Self {
            id,
            workspace: Arc::from(folder.uri.as_str()),
            config_path: Arc::from(folder.path.join("hotsave.toml")),
            host: LuaHost::new(id, &folder.path),
            settler: Settler::new(config.settle.windows()),
            config,
            to_load_again: BTreeSet::new(),
            config_text: SourceText::new(Vec::new()),
            config_is_invalid: false,
            config_problems: Vec::new(),
            settings: start.settings.clone(),
            editor_trust: trust,
            trust: Decision::Unknown,
            trust_was_missed: false,
            needs_restart: None,
            restart_files: Vec::new(),
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
            index_job: 0,
            was_indexed: false,
            folder,
        };
        domain.publish_status(around);
        domain
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn root(&self) -> &Arc<Path> {
        &self.folder.path
    }

    pub(crate) fn workspace(&self) -> &Arc<str> {
        &self.workspace
    }

    pub(crate) fn is_named(&self, uri: &str) -> bool {
        self.folder.uri.trim_end_matches('/') == uri.trim_end_matches('/')
    }

    pub(crate) fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }
}
