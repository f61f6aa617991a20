//! An editor for tests: starts the real server, talks to it over pipes, and holds it to the rules of the protocol.
//!
//! Waits for messages, never for time. Must stay true: every message that means something to a user is looked at by
//! the test ([`Client::finish`] and dropping the client fail otherwise); `seq` rises by one; generations rise; each start has
//! its finish before the next start of that workspace.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{
    fixture::Project,
    options::{self, Answers, Options},
    process,
    reload::{Found, Reload},
    wire::{self, Gate, GateState, Incoming},
};

/// How long a test waits for something that should come soon; generous, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What is escaped in a path of a `file:` URI.
const URI_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// The `file:` URI of a path.
#[must_use]
pub fn uri(path: &Path) -> String {
    format!(
        "file://{}",
        utf8_percent_encode(path.to_str().unwrap(), URI_PATH)
    )
}

/// A running server and the editor's view of it.
pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    incoming: Receiver<Incoming>,
    reader: Option<JoinHandle<()>>,
    gate: Gate,
    stderr: Arc<Mutex<String>>,
    options: Options,
    root: PathBuf,
    state: PathBuf,
    next_id: i64,
    probes: u64,
    open: HashMap<PathBuf, i32>,
    /// What the test has not looked at yet: replies, reload events, shown messages.
    inbox: VecDeque<Value>,
    logs: VecDeque<String>,
    statuses: BTreeMap<String, Value>,
    diagnostics: BTreeMap<String, Value>,
    unseen: BTreeSet<String>,
    /// Every message of the server and every request it made, for those who ask about all of them.
    record: Vec<Value>,
    rules: Rules,
    leftovers: Leftovers,
    closed: bool,
}

/// Whether messages that nobody looked at fail the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leftovers {
    Fail,
    Accept,
}

/// What must hold over the whole conversation.
#[derive(Default)]
struct Rules {
    seq: Option<u64>,
    gaps: bool,
    /// Last generation per workspace, and whether it is still running.
    generations: HashMap<String, (u64, bool)>,
}

impl Client {
    /// Opens `project` in an editor that knows everything, and waits until the server is idle.
    #[must_use]
    pub fn open(project: &Project) -> Self {
        Self::open_with(project, Options::default())
    }

    /// The same with other options.
    #[must_use]
    pub fn open_with(project: &Project, options: Options) -> Self {
        let mut client = Self::spawn(project, options);
        client.initialize();
        client.initialized();
        client.idle();
        client
    }

    /// Starts the server and says nothing yet.
    #[must_use]
    pub fn spawn(project: &Project, options: Options) -> Self {
        let mut command = Command::new(options::binary());
        command
            .arg("lsp")
            .current_dir(project.root())
            .env_remove("HOTSAVE_LOG");
        for variable in [
            "HOTSAVE_STATE_DIR",
            "XDG_STATE_HOME",
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "HOME",
        ] {
            command.env(variable, project.state());
        }
        command.envs(options.environment.iter().map(|(key, value)| (key, value)));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let gate = Gate::default();
        let (incoming, reader) = wire::spawn_reader(child.stdout.take().unwrap(), gate.clone());
        let stderr = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().unwrap(), Arc::clone(&stderr));
        Self {
            stdin: child.stdin.take(),
            child,
            incoming,
            reader: Some(reader),
            gate,
            stderr,
            options,
            root: project.root().to_owned(),
            state: project.state().to_owned(),
            next_id: 0,
            probes: 0,
            open: HashMap::new(),
            inbox: VecDeque::new(),
            logs: VecDeque::new(),
            statuses: BTreeMap::new(),
            diagnostics: BTreeMap::new(),
            unseen: BTreeSet::new(),
            record: Vec::new(),
            rules: Rules::default(),
            leftovers: Leftovers::Fail,
            closed: false,
        }
    }

    // ---- life cycle ----

    /// Sends `initialize` for the folders of the options; the server's answer.
    pub fn initialize(&mut self) -> Value {
        let names = if self.options.folders.is_empty() {
            vec![String::new()]
        } else {
            self.options.folders.clone()
        };
        let folders: Vec<(String, String)> = names
            .into_iter()
            .map(|name| {
                (
                    name.clone(),
                    uri(self.root.join(name).components().as_path()),
                )
            })
            .collect();
        let params = self.options.initialize(&folders);
        let reply = self.request("initialize", params);
        assert!(reply.get("error").is_none(), "initialize failed: {reply}");
        reply["result"].clone()
    }

    /// Sends `initialized`.
    pub fn initialized(&mut self) {
        self.notify("initialized", json!({}));
    }

    /// Waits until every workspace known so far is idle (or, for a plain client, quiescent).
    pub fn idle(&mut self) {
        if self.options.hotsave {
            self.status("phase idle", |status| status["phase"] == "idle");
        } else {
            self.wait("serverStatus quiescent", |client| {
                let status = client.statuses.get("serverStatus")?;
                (status["quiescent"] == true).then_some(())
            });
        }
    }

    /// `shutdown`, `exit`, and a look back: code 0, no child left, nothing unread.
    pub fn finish(mut self) {
        let children = process::descendants(self.pid());
        let reply = self.request("shutdown", Value::Null);
        assert!(reply.get("error").is_none(), "shutdown failed: {reply}");
        self.notify("exit", Value::Null);
        let status = self.exit_status(PATIENCE);
        assert_eq!(
            status.code(),
            Some(0),
            "exit code after shutdown; stderr:\n{}",
            self.stderr()
        );
        assert!(
            process::all_gone(&children, PATIENCE),
            "children left: {children:?}"
        );
        self.look_back();
        self.leftovers = Leftovers::Accept;
    }

    /// From here on messages may stay unread.
    pub fn accept_leftovers(&mut self) {
        self.leftovers = Leftovers::Accept;
    }

    /// From here on `seq` may jump.
    pub fn accept_gaps(&mut self) {
        self.rules.gaps = true;
    }

    /// Waits for the server's end.
    pub fn exit_status(&mut self, patience: Duration) -> ExitStatus {
        assert!(
            process::all_gone(&[self.pid()], patience),
            "the server lives on\n{}",
            self.story()
        );
        self.child.wait().unwrap()
    }

    /// The server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process of the Lua worker; waits for nothing.
    #[must_use]
    pub fn worker(&self) -> Option<u32> {
        process::descendants(self.pid())
            .into_iter()
            .find(|&pid| process::alive(pid))
    }

    /// What the server wrote to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Closes the server's stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Takes the server's stdin away from this client, still open.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().unwrap()
    }

    /// Closes our end of the server's stdout. The reader notices after one more message, so this asks for one.
    pub fn close_stdout(&mut self) {
        self.gate.set(GateState::Gone);
        let id = self.send_request(
            "workspace/executeCommand",
            json!({ "command": "hotsave.explain" }),
        );
        self.reader.take().unwrap().join().unwrap();
        self.inbox.retain(|message| message["id"] != id);
        self.accept_leftovers();
    }

    /// Stops and starts reading.
    pub fn set_reading(&self, reading: bool) {
        self.gate.set(if reading {
            GateState::Open
        } else {
            GateState::Shut
        });
    }

    // ---- sending ----

    /// Writes raw bytes to the server.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is closed");
        let sent = stdin.write_all(bytes).and_then(|()| stdin.flush());
        if let Err(error) = sent {
            panic!("the server does not read: {error}\n{}", self.story());
        }
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send_raw(&wire::frame(&notification(method, params)));
    }

    /// Sends a request; its id.
    pub fn send_request(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send_raw(&wire::frame(&request(id, method, params)));
        id
    }

    /// Sends a request and waits for its reply.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send_request(method, params);
        self.reply(id)
    }

    /// Runs a command; its result.
    pub fn command(&mut self, command: &str, argument: Option<Value>) -> Value {
        let arguments: Vec<Value> = argument.into_iter().collect();
        let reply = self.request(
            "workspace/executeCommand",
            json!({ "command": command, "arguments": arguments }),
        );
        assert!(reply.get("error").is_none(), "{command} failed: {reply}");
        reply["result"].clone()
    }

    /// Opens a document, or changes it to `text` if it is open.
    pub fn edit(&mut self, file: &str, text: &str) {
        let path = self.path(file);
        let uri = uri(&path);
        let version = self.open.entry(path).or_insert(0);
        *version += 1;
        let version = *version;
        if version == 1 {
            let document =
                json!({ "uri": uri, "languageId": "lua", "version": version, "text": text });
            self.notify("textDocument/didOpen", json!({ "textDocument": document }));
        } else {
            let document = json!({ "uri": uri, "version": version });
            self.notify(
                "textDocument/didChange",
                json!({ "textDocument": document, "contentChanges": [{ "text": text }] }),
            );
        }
    }

    /// Closes a document.
    pub fn close(&mut self, file: &str) {
        let path = self.path(file);
        self.open.remove(&path);
        self.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": uri(&path) } }),
        );
    }

    /// What an editor does when a person saves: edit, write to disk, `didSave`. Waits for nothing.
    pub fn send_save(&mut self, file: &str, text: &str) {
        self.edit(file, text);
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.did_save(file, text);
    }

    /// Only `didSave`.
    pub fn did_save(&mut self, file: &str, text: &str) {
        let document = json!({ "uri": uri(&self.path(file)) });
        self.notify(
            "textDocument/didSave",
            json!({ "textDocument": document, "text": text }),
        );
    }

    /// Saves and waits for the reload that follows.
    pub fn save(&mut self, file: &str, text: &str) -> Reload {
        self.send_save(file, text);
        self.reload()
    }

    /// Runs Lua statements in the program and returns what they passed to `say`, a line per call.
    ///
    /// The way in is a fresh module that is saved, and so loaded. `live` is the program's `package.loaded`: reading it
    /// makes no dependency, so that looking does not change what later saves reload.
    pub fn run(&mut self, statements: &str) -> Vec<String> {
        let (reload, said) = self.try_run(statements);
        assert_eq!(
            reload.tag(),
            "applied",
            "{statements}\n{}\n{}",
            reload.finished,
            self.story()
        );
        said
    }

    /// The same for statements that may fail; the reload of the fresh module comes first.
    pub fn try_run(&mut self, statements: &str) -> (Reload, Vec<String>) {
        let (file, mark, text) = self.probe(statements);
        let reload = self.save(&file, &text);
        let said = if reload.tag() == "applied" {
            self.said(&mark)
        } else {
            Vec::new()
        };
        (reload, said)
    }

    /// `run` for clients that hear nothing of reloads.
    pub fn run_unheard(&mut self, statements: &str) -> Vec<String> {
        let (file, mark, text) = self.probe(statements);
        self.send_save(&file, &text);
        self.said(&mark)
    }

    /// The value of one Lua expression in the program, as `tostring` shows it.
    pub fn look(&mut self, expression: &str) -> String {
        self.run(&format!("say({expression})")).concat()
    }

    fn probe(&mut self, statements: &str) -> (String, String, String) {
        self.probes += 1;
        let mark = format!("probe {}", self.probes);
        let text = format!(
            "local live = package.loaded\n\
             local function say(...)\n\
               local texts = {{}}\n\
               for i = 1, select('#', ...) do texts[i] = tostring((select(i, ...))) end\n\
               print('{mark} says ' .. table.concat(texts, ' '))\n\
             end\n\
             {statements}\n\
             print('{mark} ends')\n\
             return {{}}\n"
        );
        (format!("probe_{}.lua", self.probes), mark, text)
    }

    fn said(&mut self, mark: &str) -> Vec<String> {
        let (says, ends) = (format!("{mark} says "), format!("{mark} ends"));
        let mut said = Vec::new();
        self.wait("the end of what a probe says", |client| {
            while let Some(log) = client.logs.pop_front() {
                for line in log.lines() {
                    if let Some((_, text)) = line.split_once(&says) {
                        said.push(text.to_owned());
                    }
                    if line.contains(&ends) {
                        return Some(());
                    }
                }
            }
            None
        });
        said
    }

    // ---- receiving ----

    /// The reply to request `id`.
    pub fn reply(&mut self, id: i64) -> Value {
        self.message(&format!("the reply to {id}"), |message| {
            message["id"] == id && message.get("method").is_none()
        })
    }

    /// A reply with id null: the server's word on something that was no message.
    pub fn anonymous_error(&mut self) -> Value {
        self.message("an error without id", |message| {
            message["id"].is_null() && message.get("error").is_some()
        })
    }

    /// The next reload of any workspace, from start to finish.
    pub fn reload(&mut self) -> Reload {
        let started = self.notification("hotsave/reloadStarted");
        let generation = started["generation"].clone();
        let workspace = started["workspace"].clone();
        let finished = self.message(
            &format!("reloadFinished of generation {generation}"),
            |message| {
                message["method"] == "hotsave/reloadFinished"
                    && message["params"]["generation"] == generation
                    && message["params"]["workspace"] == workspace
            },
        )["params"]
            .take();
        Reload { started, finished }
    }

    /// The parameters of the next notification of that method.
    pub fn notification(&mut self, method: &str) -> Value {
        self.message(method, |message| message["method"] == method)["params"].take()
    }

    /// Waits for a log line that contains `text`; earlier lines are skipped.
    pub fn log(&mut self, text: &str) -> String {
        self.wait(&format!("a log line with `{text}`"), |client| {
            let at = client.logs.iter().position(|line| line.contains(text))?;
            client.logs.drain(..at);
            client.logs.pop_front()
        })
    }

    /// Waits until the newest status of some workspace fits.
    pub fn status(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(&format!("a status: {what}"), |client| {
            client
                .statuses
                .iter()
                .filter(|(key, _)| *key != "serverStatus")
                .map(|(_, value)| value)
                .find(|value| fits(value))
                .cloned()
        })
    }

    /// What stands in `file` now. Diagnostics of a generation arrive before its finish, so after [`Client::reload`]
    /// nothing need be awaited.
    pub fn problems(&mut self, file: &str) -> Vec<Found> {
        self.drain();
        let uri = uri(&self.path(file));
        self.unseen.remove(&uri);
        self.diagnostics
            .get(&uri)
            .map(Found::all)
            .unwrap_or_default()
    }

    /// Files that have problems now, sorted; all of them count as looked at.
    pub fn problem_files(&mut self) -> Vec<String> {
        self.drain();
        self.unseen.clear();
        let with_problems = self
            .diagnostics
            .iter()
            .filter(|(_, payload)| payload["diagnostics"] != json!([]));
        with_problems
            .map(|(uri, _)| uri.rsplit('/').next().unwrap().to_owned())
            .collect()
    }

    /// Waits until the problems of `file` fit.
    pub fn await_problems(
        &mut self,
        file: &str,
        what: &str,
        fits: impl Fn(&[Found]) -> bool,
    ) -> Vec<Found> {
        let uri = uri(&self.path(file));
        self.wait(&format!("problems of {file}: {what}"), |client| {
            let found = client
                .diagnostics
                .get(&uri)
                .map(Found::all)
                .unwrap_or_default();
            fits(&found).then(|| {
                client.unseen.remove(&uri);
                found
            })
        })
    }

    /// The newest payload of `publishDiagnostics` of a file, untouched.
    pub fn raw_problems(&mut self, file: &str) -> Value {
        self.drain();
        let uri = uri(&self.path(file));
        self.unseen.remove(&uri);
        self.diagnostics.get(&uri).cloned().unwrap_or(Value::Null)
    }

    /// Everything received so far, in order.
    pub fn record(&mut self) -> &[Value] {
        self.drain();
        &self.record
    }

    /// Fails if a reload, a reply or a shown message arrived that nobody asked for.
    pub fn nothing_unread(&mut self) {
        self.drain();
        assert!(self.inbox.is_empty(), "nobody looked at: {:#?}", self.inbox);
    }

    /// The next unread message that fits.
    pub fn message(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(what, |client| {
            let at = client.inbox.iter().position(&fits)?;
            client.inbox.remove(at)
        })
    }

    /// Waits for silence: whatever the server says within `time`, of any kind.
    pub fn quiet_for(&mut self, time: Duration) -> Vec<Value> {
        self.drain();
        let first = self.record.len();
        let deadline = Instant::now() + time;
        while let Ok(incoming) = self.incoming.recv_deadline(deadline) {
            self.sort(incoming);
        }
        self.record.split_off(first)
    }

    /// Pulls in messages until `pick` finds what it wants.
    pub fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = pick(self) {
                return found;
            }
            match self.incoming.recv_deadline(deadline) {
                Ok(incoming) => self.sort(incoming),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("waited in vain for {what}\n{}", self.story())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("no more output, waited for {what}\n{}", self.story())
                }
            }
        }
    }

    fn drain(&mut self) {
        while let Ok(incoming) = self.incoming.try_recv() {
            self.sort(incoming);
        }
    }

    fn sort(&mut self, incoming: Incoming) {
        let message = match incoming {
            Incoming::Message(message) => message,
            Incoming::Garbage(text) => panic!(
                "stdout carries something that is no frame: {text}\n{}",
                self.story()
            ),
            Incoming::Closed => {
                self.closed = true;
                return;
            }
        };
        self.record.push(message.clone());
        let params = &message["params"];
        match (message["method"].as_str(), message.get("id")) {
            (Some(method), Some(id)) => {
                if self.options.answers == Answers::Prompt {
                    let answer = answer(method, params, &self.options.settings);
                    let reply =
                        wire::frame(&json!({ "jsonrpc": "2.0", "id": id, "result": answer }));
                    // The server may be ending, and an answer nobody reads is no failure.
                    let _ = self
                        .stdin
                        .as_mut()
                        .map(|stdin| stdin.write_all(&reply).and_then(|()| stdin.flush()));
                }
            }
            (Some("window/logMessage"), None) => self
                .logs
                .push_back(params["message"].as_str().unwrap().to_owned()),
            (Some("$/progress"), None) => {}
            (Some("experimental/serverStatus"), None) => {
                self.statuses
                    .insert("serverStatus".to_owned(), params.clone());
            }
            (Some("textDocument/publishDiagnostics"), None) => {
                let uri = params["uri"].as_str().unwrap().to_owned();
                if params["diagnostics"] == json!([]) {
                    self.unseen.remove(&uri);
                } else {
                    self.unseen.insert(uri.clone());
                }
                self.diagnostics.insert(uri, params.clone());
            }
            (Some(method), None) if method.starts_with("hotsave/") => {
                assert!(
                    self.options.hotsave,
                    "a client that did not ask for it got {message}"
                );
                self.rules.check(method, params);
                if method == "hotsave/status" {
                    self.statuses.insert(
                        params["workspace"].as_str().unwrap().to_owned(),
                        params.clone(),
                    );
                } else {
                    self.inbox.push_back(message);
                }
            }
            _ => self.inbox.push_back(message),
        }
    }

    /// The absolute path of a project file.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file.trim_start_matches('/'))
    }

    /// Where this server keeps what it keeps per user.
    #[must_use]
    pub fn state_folder(&self) -> &Path {
        &self.state
    }

    /// The end of the conversation and of stderr, for messages of failed tests.
    #[must_use]
    pub fn story(&self) -> String {
        let first = self.record.len().saturating_sub(25);
        let mut story = String::from("--- the last messages of the server ---\n");
        for message in self.record.iter().skip(first) {
            let mut line = message.to_string();
            if line.len() > 1000 {
                line.truncate(
                    (0..=1000)
                        .rev()
                        .find(|&at| line.is_char_boundary(at))
                        .unwrap_or(0),
                );
            }
            story.push_str(&line);
            story.push('\n');
        }
        story.push_str("--- stderr ---\n");
        let stderr = self.stderr();
        let lines: Vec<&str> = stderr.lines().collect();
        story.push_str(
            &lines
                .get(lines.len().saturating_sub(25)..)
                .unwrap_or_default()
                .join("\n"),
        );
        story
    }

    fn look_back(&mut self) {
        self.drain();
        assert!(self.inbox.is_empty(), "nobody looked at: {:#?}", self.inbox);
        assert!(
            self.unseen.is_empty(),
            "nobody looked at the problems of {:?}\n{}",
            self.unseen,
            self.story()
        );
        let running: Vec<_> = self
            .rules
            .generations
            .iter()
            .filter(|(_, (_, running))| *running)
            .collect();
        assert!(
            running.is_empty(),
            "started and never finished: {running:?}"
        );
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        process::kill(self.pid());
        let _ = self.child.wait();
        self.gate.set(GateState::Gone);
        if self.leftovers == Leftovers::Fail && !std::thread::panicking() {
            self.look_back();
        }
    }
}

impl Rules {
    /// Order rules of the protocol (editors specification, 4.5), as far as one message shows them.
    fn check(&mut self, method: &str, params: &Value) {
        let seq = params["seq"].as_u64().unwrap();
        if let Some(last) = self.seq {
            assert!(
                seq == last + 1 || self.gaps && last < seq,
                "seq {seq} after {last}: {method}"
            );
        }
        self.seq = Some(seq);
        let workspace = params["workspace"].as_str().unwrap().to_owned();
        let generation = params["generation"].as_u64().unwrap();
        let (last, running) = self
            .generations
            .get(&workspace)
            .copied()
            .unwrap_or((0, false));
        match method {
            "hotsave/reloadStarted" => {
                assert!(
                    !running || self.gaps,
                    "{generation} started while {last} runs"
                );
                assert!(last < generation, "generation {generation} after {last}");
                self.generations.insert(workspace, (generation, true));
            }
            "hotsave/reloadFinished" => {
                assert!(
                    self.gaps || (running && last == generation),
                    "{generation} finished, {last} was last"
                );
                self.generations.insert(workspace, (generation, false));
            }
            _ => {}
        }
    }
}

/// A notification of the client.
#[must_use]
pub fn notification(method: &str, params: Value) -> Value {
    match params {
        Value::Null => json!({ "jsonrpc": "2.0", "method": method }),
        params => json!({ "jsonrpc": "2.0", "method": method, "params": params }),
    }
}

/// A request of the client.
#[must_use]
pub fn request(id: i64, method: &str, params: Value) -> Value {
    let mut message = notification(method, params);
    message["id"] = json!(id);
    message
}

fn answer(method: &str, params: &Value, settings: &Value) -> Value {
    match method {
        "workspace/configuration" => params["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|_| settings.clone())
            .collect::<Vec<_>>()
            .into(),
        "window/showDocument" => json!({ "success": true }),
        _ => Value::Null,
    }
}

fn collect(mut stream: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n_bytes) = stream.read(&mut buffer) {
            let Some(bytes) = buffer.get(..n_bytes).filter(|bytes| !bytes.is_empty()) else {
                return;
            };
            into.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(bytes));
        }
    });
}
