//! The main loop: one thread that owns all state, fed by channels, speaking through one.
//!
//! It never waits for anybody: files are read by the pool, hosts answer by events, the client is the front end's business.
//! Each turn serves the ready sources in order of urgency, each for a bounded time, then computes once what has to be
//! said anew. It knows no LSP; the terminal drives the same loop.

mod domains;
mod end;
mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, unbounded};
use hotsave_engine::{change::Source, text::SourceText};
use hotsave_lua::host::HostEvent;
use hotsave_watch::{DiskWatch, Watch, WatchEvent};
use tokio::sync::mpsc::UnboundedSender;

use crate::workspace::{
    Options,
    commands::Gathering,
    documents::Documents,
    domain::{Domain, Surroundings},
    event::{EditorMessage, Event, HostAddress, Reply, RequestError, Start, StopCause},
    jobs::{JobDone, Pool},
    output::Output,
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
            Event::Watch(event) => self.handle_watch(event),
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
                    None => crate::workspace::virtual_document::clear(&path, around),
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
                    .map(|(domain, it)| crate::workspace::lenses::of(domain, &path, &it.uri));
                reply.send(Ok(lenses.unwrap_or_default()));
            }
            EditorMessage::Explain { request, reply } => {
                let answer = match self.domain_named(request.workspace.as_deref()) {
                    Some(domain) => crate::workspace::explain::explain(domain, request.generation),
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

    /// Says once what a turn has changed.
    fn tail(&mut self, now: Instant) {
        for path in std::mem::take(&mut self.edited) {
            match Self::innermost(&mut self.domains, &path) {
                Some(domain) => domain.check_buffer(&path, &self.around),
                None => crate::workspace::virtual_document::check(&path, &self.around),
            }
        }
        for domain in self.domains.values_mut() {
            domain.publish(now, &self.around);
        }
        self.gatherings.retain_mut(|it| !it.poll());
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
