//! A minimal editor: starts the server on a folder, says `initialize`, and hands on what comes back.
//!
//! It opens no document and reports no save: the server's own watcher sees what a person does to the files.
//! Must stay true: the server ends with this program, however that ends (its stdin closes).

use std::{
    io::{Read, Write},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use crossbeam_channel::{Receiver, Sender, after, never, select};
use hotsave_tests::{client, options, wire};
use serde_json::{Value, json};

use crate::news::News;

/// How long the server may take to answer `initialize` and `shutdown`.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Session {
    child: Child,
    stdin: ChildStdin,
    incoming: Receiver<wire::Incoming>,
    interrupts: (Sender<()>, Receiver<()>),
    /// Collects what the server writes to stderr, for the case that it ends unasked.
    stderr: Option<JoinHandle<String>>,
}

/// Ends the wait of a [`Session`] from elsewhere.
pub(crate) struct Interrupter(Sender<()>);

impl Interrupter {
    pub(crate) fn interrupt(&self) {
        // Full means that it was interrupted already, closed that it is over.
        let _ = self.0.try_send(());
    }
}

impl Session {
    /// Starts the server for `folder` (absolute), with `state` as its per-user directory, and greets it.
    pub(crate) fn open(folder: &Path, state: &Path) -> anyhow::Result<Self> {
        let binary = options::binary();
        let mut child = Command::new(&binary)
            .arg("lsp")
            .current_dir(folder)
            .env("HOTSAVE_STATE_DIR", state)
            // A group of its own: Ctrl-C is for us, and we end the server in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            bail!("the server has no pipes");
        };
        let (incoming, _) = wire::spawn_reader(stdout, wire::Gate::default());
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let interrupts = crossbeam_channel::bounded(1);
        let mut session = Self {
            child,
            stdin,
            incoming,
            interrupts,
            stderr: Some(stderr),
        };
        let answer = session.request(1, "initialize", &initialize(folder))?;
        ensure!(
            answer.get("error").is_none(),
            "the server refused: {answer}"
        );
        session.send(&client::notification("initialized", json!({})))?;
        Ok(session)
    }

    /// What ends [`Self::next`] early.
    pub(crate) fn interrupter(&self) -> Interrupter {
        Interrupter(self.interrupts.0.clone())
    }

    /// The next message that says something to a person; `None` when interrupted or `deadline` has passed.
    ///
    /// *Errors*: the server ended.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> anyhow::Result<Option<News>> {
        let timeout = deadline.map_or_else(never, |it| {
            after(it.saturating_duration_since(Instant::now()))
        });
        loop {
            let message = select! {
                recv(self.interrupts.1) -> _ => return Ok(None),
                recv(timeout) -> _ => return Ok(None),
                recv(self.incoming) -> incoming => self.message(incoming.ok())?,
            };
            if let Some(news) = News::read(&message) {
                return Ok(Some(news));
            }
        }
    }

    /// `shutdown`, `exit`, and the end of the process.
    ///
    /// *Errors*: it ended otherwise than asked.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        self.request(2, "shutdown", &Value::Null)?;
        self.send(&client::notification("exit", Value::Null))?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// A message of the server; a request is answered on the way.
    fn message(&mut self, incoming: Option<wire::Incoming>) -> anyhow::Result<Value> {
        let message = match incoming {
            Some(wire::Incoming::Message(message)) => message,
            Some(wire::Incoming::Garbage(text)) => bail!("the server wrote no message: {text}"),
            Some(wire::Incoming::Closed) | None => {
                let status = self.child.wait()?;
                let stderr = self
                    .stderr
                    .take()
                    .and_then(|it| it.join().ok())
                    .unwrap_or_default();
                bail!("the server ended with {status}\n{stderr}");
            }
        };
        if let (Some(id), true) = (message.get("id"), message.get("method").is_some()) {
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": null }))?;
        }
        Ok(message)
    }

    fn request(&mut self, id: u64, method: &str, params: &Value) -> anyhow::Result<Value> {
        let mut request = client::notification(method, params.clone());
        request["id"] = json!(id);
        self.send(&request)?;
        let timeout = after(PATIENCE);
        loop {
            let message = select! {
                recv(timeout) -> _ => bail!("no answer to {method} in {} s", PATIENCE.as_secs()),
                recv(self.incoming) -> incoming => self.message(incoming.ok())?,
            };
            if message["id"] == id && message.get("method").is_none() {
                return Ok(message);
            }
        }
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        wire::write_frame(&mut self.stdin, message).context("the server does not read")?;
        self.stdin.flush()?;
        Ok(())
    }
}

fn initialize(folder: &Path) -> Value {
    json!({
        "processId": std::process::id(),
        "clientInfo": { "name": "hotsave-demo" },
        "rootUri": client::uri(folder),
        "workspaceFolders": [{ "name": "demo", "uri": client::uri(folder) }],
        "capabilities": {
            "textDocument": { "publishDiagnostics": { "relatedInformation": true } },
            "experimental": { "hotsave": { "protocol": [1], "events": ["reload", "status"], "preview": "none" } },
        },
        "initializationOptions": { "trust": "granted", "watcher": "server" },
    })
}
