//! The main loop: one thread that owns all state, fed by channels, speaking through one.
//!
//! It never waits for anybody: files are read by the pool, hosts answer by events, the client is the front end's business.
//! Each turn serves the ready sources in order of urgency, each for a bounded time, then computes once what has to be
//! said anew. It knows no LSP; the terminal drives the same loop.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, unbounded};
use hotsave_engine::{change::Source, text::SourceText};
use hotsave_lua::host::HostEvent;
use hotsave_protocol as protocol;
use hotsave_watch::{DiskWatch, Kind, Watch, WatchEvent, WatchRoot};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    Options,
    commands::{self, Gathering},
    documents::Documents,
    domain::{Domain, Surroundings},
    event::{
        Answer, EditorMessage, Event, Folder, HostAddress, Reply, RequestError, Start, StopCause,
        Trust,
    },
    jobs::{JobDone, Pool},
    output::{Level, Output},
    settings::Watcher,
    watchdog::Watchdog,
};

/// The longest a source is served before the others get their turn.
const SLICE: Duration = Duration::from_millis(50);

/// Time that hosts get to end by themselves when everything stops (editors specification, 2.5).
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// All state, and the channels it is fed by.
pub(super) struct MainLoop {
    inbox: Receiver<Event>,
    host_events: Receiver<(HostAddress, HostEvent)>,
    watch_events: Receiver<WatchEvent>,
    jobs_done: Receiver<JobDone>,
    /// Whether `inbox` has lost its last sender: the front end is gone.
    is_orphaned: bool,

    around: Surroundings,
    /// `None` if the system gives no thread for it.
    watch: Option<Box<dyn Watch>>,
    start: Option<Start>,
    is_ready: bool,
    domains: BTreeMap<u32, Domain>,
    next_domain: u32,
    /// Open documents whose text changed since the last tail.
    edited: BTreeSet<Arc<Path>>,
    /// Whose domain a command without an argument means.
    last_opened: Option<Arc<Path>>,
    last_arrival: u64,
    /// Commands that several domains answer together.
    gatherings: Vec<Gathering>,
    stopping: Option<Stopping>,
}

/// A stop on its way.
struct Stopping {
    deadline: Instant,
    /// Who asked by `shutdown` and waits.
    reply: Option<Reply<()>>,
    /// Set when the process is to end too.
    exit_code: Option<u8>,
    is_done: bool,
}

impl MainLoop {
    pub(super) fn new(
        inbox: Receiver<Event>,
        outputs: UnboundedSender<Output>,
        options: Options,
    ) -> Self {
        let (host_sender, host_events) = unbounded();
        let (watch_sender, watch_events) = unbounded();
        let (done, jobs_done) = unbounded();
        Self {
            inbox,
            host_events,
            watch_events,
            jobs_done,
            is_orphaned: false,
            around: Surroundings {
                outputs,
                pool: Pool::new(&done),
                documents: Arc::new(Documents::default()),
                host_events: host_sender,
                make_host: super::lua_host::with_processes(),
                options,
            },
            watch: watch_on(watch_sender),
            start: None,
            is_ready: false,
            domains: BTreeMap::new(),
            next_domain: 1,
            edited: BTreeSet::new(),
            last_opened: None,
            last_arrival: 0,
            gatherings: Vec::new(),
            stopping: None,
        }
    }

    /// Serves until the end; returns the exit code.
    pub(super) fn run(mut self) -> u8 {
        let watchdog = Watchdog::start();
        loop {
            self.wait();
            let began = Instant::now();
            let _turn = watchdog.turn();
            if let Some(exit_code) = self.turn() {
                return exit_code;
            }
            let took = began.elapsed();
            if took > SLICE {
                tracing::debug!("a turn took {} ms", took.as_millis());
            }
        }
    }

    /// Blocks until a source is ready or a timer is due.
    fn wait(&self) {
        let mut select = Select::new();
        if !self.is_orphaned {
            select.recv(&self.inbox);
        }
        select.recv(&self.host_events);
        select.recv(&self.watch_events);
        select.recv(&self.jobs_done);
        match self.next_deadline() {
            Some(deadline) => {
                let _ = select.ready_deadline(deadline);
            }
            None => {
                select.ready();
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let stop = self
            .stopping
            .as_ref()
            .filter(|it| !it.is_done)
            .map(|it| it.deadline);
        self.domains
            .values()
            .filter_map(Domain::next_deadline)
            .chain(stop)
            .min()
    }

    /// Serves every ready source once, then says what changed. Returns the exit code when all is over.
    fn turn(&mut self) -> Option<u8> {
        self.drain(|it| it.next_editor_event());
        self.drain(|it| {
            it.host_events
                .try_recv()
                .ok()
                .map(|(from, event)| Event::Host(from, event))
        });
        let now = Instant::now();
        for domain in self.domains.values_mut() {
            domain.tick(now, &self.around);
        }
        self.drain(|it| it.watch_events.try_recv().ok().map(Event::Watch));
        self.drain(|it| it.jobs_done.try_recv().ok().map(Event::Job));
        self.tail(now);
        self.go_on_stopping(now)
    }

    fn drain(&mut self, mut next: impl FnMut(&mut Self) -> Option<Event>) {
        let began = Instant::now();
        while let Some(event) = next(self) {
            let name = tracing::enabled!(tracing::Level::DEBUG).then(|| format!("{event:?}"));
            let handling = Instant::now();
            self.handle(handling, event);
            if let Some(name) = name {
                tracing::trace!("{name}");
                if handling.elapsed() > SLICE {
                    tracing::debug!("{name} took {} ms", handling.elapsed().as_millis());
                }
            }
            if began.elapsed() > SLICE {
                return;
            }
        }
    }

    fn next_editor_event(&mut self) -> Option<Event> {
        match self.inbox.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) if self.is_orphaned => None,
            Err(TryRecvError::Disconnected) => {
                self.is_orphaned = true;
                Some(Event::Stop(StopCause::Lost))
            }
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Stop(cause) => self.stop(now, cause),
            Event::Editor(arrival, message) => {
                debug_assert!(arrival > self.last_arrival, "messages overtook each other");
                self.last_arrival = arrival;
                self.handle_editor(now, message);
            }
            Event::Host(from, event) => {
                if let Some(domain) = self.domains.get_mut(&from.domain) {
                    domain.handle_host(now, from, event, &self.around);
                }
            }
            Event::Watch(event) => self.handle_watch(now, event),
            Event::Job(done) => self.handle_job(now, done),
        }
    }

    fn handle_editor(&mut self, now: Instant, message: EditorMessage) {
        let documents = Arc::clone(&self.around.documents);
        match message {
            EditorMessage::Start(start) => {
                documents.set_encoding(start.encoding);
                self.start = Some(*start);
            }
            EditorMessage::Ready => {
                self.is_ready = true;
                let folders = self
                    .start
                    .as_ref()
                    .map(|it| it.folders.clone())
                    .unwrap_or_default();
                for folder in folders {
                    self.open_domain(folder);
                }
            }
            EditorMessage::Opened {
                path,
                uri,
                language,
                version,
                text,
            } => {
                documents.open(Arc::clone(&path), uri, language, version, text);
                self.adopt(&path);
                self.last_opened = Some(Arc::clone(&path));
                self.edited.insert(path);
            }
            EditorMessage::Changed {
                path,
                version,
                edits,
            } => {
                documents.change(&path, version, edits);
                self.edited.insert(path);
            }
            EditorMessage::WillSave { path, manual } => {
                if let Some(domain) = self.domain_of(&path) {
                    domain.will_save(path, manual);
                }
            }
            EditorMessage::Saved { path, text } => self.saved(now, &path, text),
            EditorMessage::Closed { path } => {
                documents.close(&path);
                self.edited.remove(&path);
                let around = &self.around;
                match Self::innermost(&mut self.domains, &path) {
                    Some(domain) => domain.closed(&path, around),
                    None => super::virtual_document::clear(&path, around),
                }
            }
            EditorMessage::FilesChanged { paths } => self.files_changed(&paths, Source::Watcher),
            EditorMessage::Folders { added, removed } => {
                if let Some(start) = &mut self.start {
                    start.folders.retain(|it| !removed.contains(&it.path));
                    start.folders.extend(added.iter().cloned());
                }
                for path in removed {
                    self.close_folder(now, &path);
                }
                for folder in added {
                    self.open_domain(folder);
                }
            }
            EditorMessage::Settings(settings) => {
                if let Some(start) = &mut self.start {
                    start.settings = *settings;
                    for domain in self.domains.values_mut() {
                        domain.set_settings(start.settings.clone());
                    }
                    let _ = self.around.outputs.send(Output::LensesChanged);
                }
            }
            EditorMessage::Command {
                command,
                path,
                argument,
                reply,
            } => {
                self.command(now, command, path.as_ref(), &argument, reply);
            }
            EditorMessage::CodeLens { path, reply } => {
                let document = documents.get(&path);
                let domain = Self::innermost(&mut self.domains, &path);
                let lenses = domain
                    .zip(document)
                    .map(|(domain, it)| super::lenses::of(domain, &path, &it.uri));
                reply.send(Ok(lenses.unwrap_or_default()));
            }
            EditorMessage::Explain { request, reply } => {
                let answer = match self.domain_named(request.workspace.as_deref()) {
                    Some(domain) => super::explain::explain(domain, request.generation),
                    None => Err(RequestError::InvalidParams("no such workspace".to_owned())),
                };
                reply.send(answer);
            }
            EditorMessage::Shutdown { reply } => self.shutdown(now, reply),
            #[expect(
                clippy::panic,
                reason = "the test of this very path, debug builds only"
            )]
            EditorMessage::Panic => panic!("asked for by a test"),
        }
    }

    /// The editor saved a file. Its text is what counts, unless it is not what the editor had sent: then the disk is
    /// asked, because some clients garble the text of `didSave` (ALE 3.3 sends backslash-n for line ends).
    fn saved(&mut self, now: Instant, path: &Arc<Path>, text: Option<String>) {
        self.edited.insert(Arc::clone(path));
        let document = self.around.documents.get(path);
        let around = &self.around;
        let Some(domain) = Self::innermost(&mut self.domains, path) else {
            return;
        };
        let saved = text.map(|it| SourceText::new(it.into_bytes()));
        match (document.map(|it| it.text), saved) {
            (Some(open), Some(saved)) if open != saved => {
                tracing::warn!(
                    "the saved text of {} is not what the client had sent; reading the file",
                    path.display()
                );
                domain.read(vec![Arc::clone(path)], Source::Save, around);
            }
            (Some(text), _) | (None, Some(text)) => domain.saved(now, path, text, around),
            (None, None) => domain.read(vec![Arc::clone(path)], Source::Save, around),
        }
    }

    // ---- domains ------------------------------------------------------------------------------------------------

    fn open_domain(&mut self, folder: Folder) {
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
    fn close_folder(&mut self, now: Instant, folder: &Path) {
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
    fn close_domain(&mut self, now: Instant, folder: &Path) {
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
    fn adopt(&mut self, path: &Path) {
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
        let uri = super::folder_uri(root);
        self.open_domain(Folder {
            path: Arc::from(root),
            uri,
        });
    }

    fn domain_of(&mut self, path: &Path) -> Option<&mut Domain> {
        Self::innermost(&mut self.domains, path)
    }

    /// The domain with the longest root above `path`.
    fn innermost<'d>(
        domains: &'d mut BTreeMap<u32, Domain>,
        path: &Path,
    ) -> Option<&'d mut Domain> {
        domains
            .values_mut()
            .filter(|it| path.starts_with(it.root()))
            .max_by_key(|it| it.root().as_os_str().len())
    }

    /// The domain with this folder URI; without one that of the document opened last, else the first.
    fn domain_named(&mut self, workspace: Option<&str>) -> Option<&mut Domain> {
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

    // ---- files --------------------------------------------------------------------------------------------------

    fn handle_watch(&mut self, now: Instant, event: WatchEvent) {
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
                    domain.set_lock(now, held);
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

    fn files_changed(&mut self, paths: &[Arc<Path>], source: Source) {
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
    fn look_again_below(&mut self, directory: &Path) {
        for domain in self.domains.values() {
            let paths = domain.files_below(directory);
            if !paths.is_empty() {
                domain.read(paths, Source::Watcher, &self.around);
            }
        }
    }

    fn handle_job(&mut self, now: Instant, done: JobDone) {
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
                    let uri = super::folder_uri(&root);
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

    // ---- commands -----------------------------------------------------------------------------------------------

    fn command(
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

    // ---- the common tail ----------------------------------------------------------------------------------------

    /// Says once what a turn has changed.
    fn tail(&mut self, now: Instant) {
        for path in std::mem::take(&mut self.edited) {
            match Self::innermost(&mut self.domains, &path) {
                Some(domain) => domain.check_buffer(&path, &self.around),
                None => super::virtual_document::check(&path, &self.around),
            }
        }
        for domain in self.domains.values_mut() {
            domain.publish(now, &self.around);
        }
        self.gatherings.retain_mut(|it| !it.poll());
    }

    // ---- the end ------------------------------------------------------------------------------------------------

    fn shutdown(&mut self, now: Instant, reply: Reply<()>) {
        match &mut self.stopping {
            Some(stopping) if stopping.is_done => reply.send(Ok(())),
            Some(stopping) => stopping.reply = Some(reply),
            None => {
                self.begin_stop(now, None);
                if let Some(stopping) = &mut self.stopping {
                    stopping.reply = Some(reply);
                }
            }
        }
    }

    fn stop(&mut self, now: Instant, cause: StopCause) {
        let exit_code = match cause {
            StopCause::Asked => 0,
            StopCause::Lost => 1,
        };
        match &mut self.stopping {
            Some(stopping) => stopping.exit_code = Some(exit_code),
            None => self.begin_stop(now, Some(exit_code)),
        }
    }

    fn begin_stop(&mut self, now: Instant, exit_code: Option<u8>) {
        for domain in self.domains.values_mut() {
            domain.begin_stop(now, &self.around);
        }
        self.stopping = Some(Stopping {
            deadline: now + STOP_LIMIT,
            reply: None,
            exit_code,
            is_done: false,
        });
    }

    /// Closes everything once the hosts have ended or their time is up.
    fn go_on_stopping(&mut self, now: Instant) -> Option<u8> {
        if self.stopping.as_ref()?.is_done {
            return self.stopping.as_ref()?.exit_code;
        }
        for domain in self.domains.values_mut() {
            domain.go_on_stopping(now, &self.around);
        }
        let stopping = self.stopping.as_mut()?;
        if !stopping.is_done
            && (now >= stopping.deadline || self.domains.values().all(Domain::is_stopped))
        {
            stopping.is_done = true;
            let roots: Vec<Arc<Path>> = self
                .domains
                .values()
                .map(|it| Arc::clone(it.root()))
                .collect();
            for root in roots {
                self.close_domain(now, &root);
            }
        }
        let stopping = self.stopping.as_mut()?;
        if !stopping.is_done {
            return None;
        }
        if let Some(reply) = stopping.reply.take() {
            reply.send(Ok(()));
        }
        stopping.exit_code
    }
}

/// The disk's watcher; without one only the editor tells of changes.
fn watch_on(events: Sender<WatchEvent>) -> Option<Box<dyn Watch>> {
    match DiskWatch::new(events, hotsave_watch::Options::default()) {
        Ok(watch) => Some(Box::new(watch)),
        Err(error) => {
            tracing::warn!("{error}; only saves in the editor are seen");
            None
        }
    }
}
