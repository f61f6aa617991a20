//! A worker over its real pipe, for tests that play the server.

// Every test binary uses its own part of this; a panic is how a test says no.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, unbounded};
use hotsave_lua::wire;
use serde_json::{Value, json};

/// Far over what anything here takes: a worker that is silent for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The folder of the conformance cases.
pub(crate) fn cases_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/lua-conformance")
}

/// The worker as an example of this crate, which `cargo test` builds beside the tests.
fn binary() -> PathBuf {
    let test = env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/lua-host");
    assert!(
        program.is_file(),
        "first: cargo build -p hotsave-lua --example lua-host"
    );
    program
}

/// One worker process; killed when dropped.
pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    tx: u64,
    pub(crate) deadline_ms: u64,
    /// Program output so far.
    pub(crate) logged: Vec<String>,
    /// Everything between the last update and its `done`.
    pub(crate) between: Vec<Value>,
}

impl Worker {
    /// Starts a worker in `root` and greets it.
    pub(crate) fn start(root: &Path, memory_mb: u32) -> Self {
        let mut child = Command::new(binary())
            .arg(root)
            .arg(format!("{0}/?.lua;{0}/?/init.lua", root.display()))
            .arg(memory_mb.to_string())
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, output) = unbounded();
        thread::spawn(move || {
            for line in stdout.split(b'\n') {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut worker = Self {
            child,
            input,
            output,
            tx: 0,
            deadline_ms: 2000,
            logged: Vec::new(),
            between: Vec::new(),
        };
        assert_eq!(worker.receive()["t"], "hello");
        worker.send(
            &json!({ "t": "welcome", "protocol": 1, "gen": 0, "limits": { "logPerS": 100_000 } }),
        );
        assert_eq!(worker.receive()["t"], "loaded");
        worker
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{message}").unwrap();
        input.flush().unwrap();
    }

    /// The next message; every one must also be readable by the server.
    pub(crate) fn receive(&mut self) -> Value {
        let line = self
            .output
            .recv_timeout(PATIENCE)
            .expect("the worker is silent");
        assert_eq!(
            line.first(),
            Some(&wire::MARK),
            "not a message: {:?}",
            String::from_utf8_lossy(&line)
        );
        let text = &line[1..];
        let typed: Result<wire::FromHost, _> = wire::decode(text);
        assert!(
            typed.is_ok(),
            "{typed:?}: {}",
            String::from_utf8_lossy(text)
        );
        serde_json::from_slice(text).unwrap()
    }

    /// Sends one update with everything journaled and waits for its `done`.
    pub(crate) fn update(&mut self, units: &[Value]) -> Value {
        self.update_with(units, &json!({ "journal": "all" }))
    }

    /// The same with other fields of the message.
    pub(crate) fn update_with(&mut self, units: &[Value], fields: &Value) -> Value {
        self.tx += 1;
        let mut message = json!({
            "t": "update", "tx": self.tx, "gen": self.tx, "cause": "save", "units": units,
            "deadlineMs": self.deadline_ms, "capture": [], "journal": [],
        });
        for (key, value) in fields.as_object().unwrap() {
            message[key] = value.clone();
        }
        self.send(&message);
        self.done()
    }

    /// Waits for `done`, collecting what comes before it.
    pub(crate) fn done(&mut self) -> Value {
        self.between.clear();
        loop {
            let message = self.receive();
            match message["t"].as_str() {
                Some("done") => return message,
                Some("log") => self
                    .logged
                    .push(message["text"].as_str().unwrap().to_owned()),
                _ => self.between.push(message),
            }
        }
    }

    /// Runs a text as a unit of its own.
    pub(crate) fn script(&mut self, name: &str, text: &str) -> Value {
        self.update(&[json!({ "name": name, "chunk": format!("@{name}.lua"), "act": "load", "text": text, "policy": {} })])
    }

    /// Closes stdin without a word and waits for the end.
    pub(crate) fn abandon(mut self) -> std::process::ExitStatus {
        self.input = None;
        self.child.wait().unwrap()
    }

    /// Says goodbye; the worker must answer and end well.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        self.send(&json!({ "t": "stop" }));
        loop {
            let message = self.receive();
            if message["t"] == "bye" {
                break;
            }
        }
        let status = self.child.wait().unwrap();
        if status.success() {
            Ok(())
        } else {
            Err(format!("the worker ended with {status}"))
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
