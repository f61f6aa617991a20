//! The LSP front end over in-memory pipes, with a scripted loop behind it. Every byte that comes out is read by a strict
//! parser, so each test also holds that the output is frames and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail anywhere"
)]

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use hotsave::{
    lsp,
    workspace::{
        event::{Answer, EditorMessage, Event, Reply, RequestError, StopCause},
        output::{FileProblems, Finished, Level, Output, Started, Status},
        settings::ReloadOn,
    },
};
use hotsave_engine::{
    generation::Generation,
    outcome::{Outcome, Tag},
};
use hotsave_protocol::{Cause, Health, Phase, ReloadKind};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream},
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
};

/// Longest that anything may take here before a test fails.
const LIMIT: Duration = Duration::from_secs(20);
const WORKSPACE: &str = "file:///game";

/// The loop's side: what it was told, and what it says.
struct Script {
    events: Receiver<Event>,
    outputs: UnboundedSender<Output>,
}

impl Script {
    /// The next message of the editor.
    fn message(&self) -> (u64, EditorMessage) {
        match self.events.recv_timeout(LIMIT).unwrap() {
            Event::Editor(arrival, message) => (arrival, message),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The next message for which `pick` is not `None`; others are dropped, and with them their replies.
    fn pick<T>(&self, pick: impl Fn(EditorMessage) -> Option<T>) -> T {
        loop {
            if let Some(it) = pick(self.message().1) {
                return it;
            }
        }
    }

    fn command(&self) -> Reply<Answer> {
        self.pick(|it| match it {
            EditorMessage::Command { reply, .. } => Some(reply),
            _ => None,
        })
    }

    fn say(&self, output: Output) {
        let _ = self.outputs.send(output);
    }

    fn reload(&self, generation: u64, health: Health) {
        let number = generation;
        let generation = Generation::new(number);
        self.say(Output::Started(Started {
            workspace: WORKSPACE.into(),
            generation,
            cause: Cause::Save,
            trigger: vec![Path::new("/game/a.lua").into()],
            kind: ReloadKind::Hot,
        }));
        self.say(Output::Problems(FileProblems {
            workspace: WORKSPACE.into(),
            generation,
            path: Path::new("/game/a.lua").into(),
            version: i32::try_from(number).ok(),
            problems: Vec::new(),
        }));
        self.say(Output::Finished(Box::new(Finished {
            workspace: WORKSPACE.into(),
            generation,
            outcome: Outcome::new(Tag::Applied),
            units: Vec::new(),
            duration: Duration::from_micros(3100),
        })));
        self.status(number, health);
    }

    fn status(&self, generation: u64, health: Health) {
        self.say(Output::Status(Box::new(Status {
            workspace: WORKSPACE.into(),
            generation: Generation::new(generation),
            health,
            phase: Phase::Idle,
            last_good: Generation::new(generation),
            failing: vec![PathBuf::from("/game/a.lua")],
            pending: 0,
            hosts: Vec::new(),
            message: Some(format!("gen {generation}")),
            paused: false,
            trust: None,
        })));
    }

    /// Answers `shutdown` and ends at `Stop`, on a thread of its own; returns why it was stopped.
    fn obey(self) -> std::thread::JoinHandle<StopCause> {
        std::thread::spawn(move || {
            loop {
                match self.events.recv_timeout(LIMIT).unwrap() {
                    Event::Stop(cause) => {
                        self.say(Output::Ended { exit_code: 0 });
                        return cause;
                    }
                    Event::Editor(_, EditorMessage::Shutdown { reply }) => reply.send(Ok(())),
                    _ => {}
                }
            }
        })
    }
}

/// The editor's side.
struct Editor {
    reader: BufReader<DuplexStream>,
    writer: Option<DuplexStream>,
    server: JoinHandle<u8>,
}

impl Editor {
    /// Both sides, not yet acquainted. `n_bytes` is what fits into the pipe to the editor.
    fn start(n_bytes: usize) -> (Self, Script) {
        let (writer, server_reader) = tokio::io::duplex(64 * 1024);
        let (server_writer, reader) = tokio::io::duplex(n_bytes);
        let (event_sender, events): (Sender<Event>, _) = unbounded();
        let (output_sender, output_receiver) = std::sync::mpsc::channel();
        let server = tokio::spawn(lsp::run(server_reader, server_writer, move |outputs| {
            output_sender.send(outputs).unwrap();
            event_sender
        }));
        let outputs = tokio::task::block_in_place(|| output_receiver.recv_timeout(LIMIT)).unwrap();
        (
            Self {
                reader: BufReader::new(reader),
                writer: Some(writer),
                server,
            },
            Script { events, outputs },
        )
    }

    /// Both sides after `initialized`.
    async fn open(capabilities: Value) -> (Self, Script) {
        let (mut editor, script) = Self::start(64 * 1024);
        editor.initialize(capabilities).await;
        script.pick(|it| matches!(it, EditorMessage::Ready).then_some(()));
        (editor, script)
    }

    async fn initialize(&mut self, capabilities: Value) -> Value {
        let folders = json!([{ "uri": WORKSPACE, "name": "game" }]);
        let params =
            json!({ "processId": null, "capabilities": capabilities, "workspaceFolders": folders });
        let answer = self.request(0, "initialize", params).await;
        self.notify("initialized", json!({})).await;
        answer["result"]["capabilities"].clone()
    }

    async fn write(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().unwrap();
        tokio::time::timeout(LIMIT, writer.write_all(bytes))
            .await
            .unwrap()
            .unwrap();
    }

    async fn send(&mut self, message: Value) {
        self.write(&frame(&message.to_string())).await;
    }

    async fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            .await;
    }

    async fn ask(&mut self, id: i64, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await;
    }

    async fn command(&mut self, id: i64) {
        self.ask(
            id,
            "workspace/executeCommand",
            json!({ "command": "hotsave.reload" }),
        )
        .await;
    }

    async fn request(&mut self, id: i64, method: &str, params: Value) -> Value {
        self.ask(id, method, params).await;
        self.answer(id.into()).await
    }

    /// The answer with this id; it must come next.
    async fn answer(&mut self, id: Value) -> Value {
        let message = self.read().await.unwrap();
        assert_eq!(
            (message.get("method"), &message["id"]),
            (None, &id),
            "{message}"
        );
        message
    }

    /// Code of the error that answers this id; it must come next.
    async fn error(&mut self, id: Value) -> i64 {
        let answer = self.answer(id).await;
        answer["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("{answer} is no error"))
    }

    /// The next message, which must be this notification.
    async fn notification(&mut self, method: &str) -> Value {
        let message = self.read().await.unwrap();
        assert_eq!(message["method"], method, "{message}");
        message["params"].clone()
    }

    /// The next message; `None` at the end of output. Anything but a frame fails.
    async fn read(&mut self) -> Option<Value> {
        let read = async {
            let mut head = String::new();
            if self.reader.read_line(&mut head).await.unwrap() == 0 {
                return None;
            }
            let n_bytes = head
                .strip_prefix("Content-Length: ")
                .unwrap()
                .strip_suffix("\r\n")
                .unwrap();
            let mut body = vec![0; 2 + n_bytes.parse::<usize>().unwrap()];
            self.reader.read_exact(&mut body).await.unwrap();
            assert_eq!(&body[..2], b"\r\n");
            let message: Value = serde_json::from_slice(&body[2..]).unwrap();
            assert_eq!(message["jsonrpc"], "2.0");
            Some(message)
        };
        tokio::time::timeout(LIMIT, read)
            .await
            .expect("nothing was sent")
    }

    /// The server answers, and has nothing else to say.
    async fn assert_lives(&mut self, script: &Script, id: i64) {
        self.command(id).await;
        script.command().send(Ok(answer("alive")));
        assert_eq!(self.answer(id.into()).await["result"]["message"], "alive");
    }

    async fn exit_code(self) -> u8 {
        tokio::time::timeout(LIMIT, self.server)
            .await
            .expect("the server did not end")
            .unwrap()
    }

    /// Reads everything until the end of output.
    async fn rest(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(message) = self.read().await {
            messages.push(message);
        }
        messages
    }
}

fn frame(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn answer(message: &str) -> Answer {
    Answer {
        message: message.to_owned(),
        workspace: WORKSPACE.into(),
        generation: None,
        outcome: None,
        text: None,
    }
}

fn declared() -> Value {
    json!({ "experimental": { "hotsave": { "protocol": [1], "events": ["reload", "status"], "preview": "none" } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_and_exit_in_one_write_are_answered_and_end_with_0() {
    for params in ["", r#","params":null"#, r#","params":{}"#] {
        let (mut editor, script) = Editor::open(declared()).await;
        let script = script.obey();
        let shutdown = frame(&format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"shutdown"{params}}}"#
        ));
        let exit = frame(r#"{"jsonrpc":"2.0","method":"exit"}"#);
        editor.write(&[shutdown, exit].concat()).await;
        assert_eq!(editor.answer(json!(7)).await["result"], Value::Null);
        assert_eq!(editor.read().await, None);
        assert_eq!(editor.exit_code().await, 0);
        assert_eq!(script.join().unwrap(), StopCause::Asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_alone_and_the_end_of_either_pipe_end_with_1() {
    let (mut editor, script) = Editor::start(1024);
    let script = script.obey();
    editor.notify("exit", Value::Null).await;
    assert_eq!(editor.exit_code().await, 1);
    assert_eq!(script.join().unwrap(), StopCause::Lost);

    let (mut editor, script) = Editor::open(declared()).await;
    let script = script.obey();
    editor.writer = None;
    assert_eq!(editor.exit_code().await, 1);
    assert_eq!(script.join().unwrap(), StopCause::Lost);

    let (editor, script) = Editor::open(declared()).await;
    drop(editor.reader);
    script.reload(1, Health::Ok);
    let script = script.obey();
    let server = tokio::time::timeout(LIMIT, editor.server);
    assert_eq!(server.await.unwrap().unwrap(), 1);
    assert_eq!(script.join().unwrap(), StopCause::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_loop_is_told_and_ends_with_70() {
    let (mut editor, script) = Editor::open(declared()).await;
    editor.command(5).await;
    let reply = script.command();
    drop((reply, script));
    let rest = editor.rest().await;
    let shown: Vec<_> = rest
        .iter()
        .filter(|it| it["method"] == "window/showMessage")
        .collect();
    assert_eq!(shown.len(), 1, "{rest:?}");
    assert_eq!(shown[0]["params"]["type"], 1);
    let answers = rest.iter().filter(|it| it["id"] == 5).count();
    assert_eq!(answers, 1, "an open request is answered all the same");
    assert_eq!(editor.exit_code().await, 70);

    let (editor, script) = Editor::open(declared()).await;
    script.say(Output::Ended { exit_code: 70 });
    assert_eq!(editor.exit_code().await, 70);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_before_initialize_and_after_shutdown_are_refused() {
    let (mut editor, script) = Editor::start(64 * 1024);
    editor.command(1).await;
    assert_eq!(editor.error(json!(1)).await, -32002);
    editor
        .notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": "file:///game/early.lua" } }),
        )
        .await;
    editor.initialize(declared()).await;
    assert_eq!(
        editor
            .request(2, "initialize", json!({ "capabilities": {} }))
            .await["error"]["code"],
        -32600
    );
    assert!(
        matches!(script.message().1, EditorMessage::Start(_)),
        "what came too early is dropped"
    );
    let _script = script.obey();
    editor.ask(3, "shutdown", Value::Null).await;
    editor.answer(json!(3)).await;
    editor.command(4).await;
    assert_eq!(editor.error(json!(4)).await, -32600);
    editor.ask(5, "shutdown", Value::Null).await;
    assert_eq!(editor.error(json!(5)).await, -32600);
    editor.notify("exit", Value::Null).await;
    assert_eq!(editor.exit_code().await, 0);
}

/// T10; how frames are cut and checked is held by the tests of `frames`.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_frame_is_answered_with_id_null_and_costs_nothing_else() {
    let (mut editor, script) = Editor::open(declared()).await;
    let frames = [
        (frame("{"), -32700),
        (frame("[]"), -32600),
        (frame(r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#), -32600),
        (b"Content-Length: 2\r\n\r\n\xff\xff".to_vec(), -32700),
        (b"X: y\r\n\r\n".to_vec(), -32700),
        (
            frame(&format!(
                r#"{{"jsonrpc":"2.0","method":"a","params":{}{}}}"#,
                "[".repeat(500),
                "]".repeat(500)
            )),
            -32700,
        ),
    ];
    for (id, (bad, code)) in (10..).zip(frames) {
        // What follows a block without length is skipped up to the next length, so the next request comes with it.
        editor.write(&bad).await;
        editor.command(id).await;
        assert_eq!(
            editor.error(Value::Null).await,
            code,
            "{:?}",
            String::from_utf8_lossy(&bad)
        );
        script.command().send(Ok(answer("")));
        editor.answer(json!(id)).await;
    }
}

/// T11.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_wrong_messages_get_what_the_standard_says() {
    let (mut editor, script) = Editor::open(declared()).await;
    assert_eq!(
        editor.request(1, "no/such", json!({})).await["error"]["code"],
        -32601
    );
    assert_eq!(
        editor
            .request(2, "workspace/executeCommand", json!({ "command": 5 }))
            .await["error"]["code"],
        -32602
    );
    let unknown = json!({ "command": "hotsave.fly" });
    assert_eq!(
        editor.request(3, "workspace/executeCommand", unknown).await["error"]["code"],
        -32602
    );
    for method in ["$/unknown", "no/such/notification"] {
        editor.notify(method, json!({ "x": [1] })).await;
    }
    editor
        .notify("textDocument/didSave", json!({ "textDocument": 5 }))
        .await;
    for answer in [
        json!({ "result": null }),
        json!({ "error": { "code": 1, "message": "no", "extra": 1 } }),
    ] {
        let mut message = json!({ "jsonrpc": "2.0", "id": 4711 });
        message
            .as_object_mut()
            .unwrap()
            .extend(answer.as_object().unwrap().clone());
        editor.send(message).await;
    }
    editor.assert_lives(&script, 4).await;

    editor.command(5).await;
    editor.command(5).await;
    assert_eq!(
        editor.error(json!(5)).await,
        -32600,
        "the second use is refused"
    );
    script.command().send(Ok(answer("first")));
    assert_eq!(editor.answer(json!(5)).await["result"]["message"], "first");
    editor.assert_lives(&script, 5).await;
}

/// T12, as far as the front end has a part in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_is_answered_once_and_the_loop_can_see_it() {
    let (mut editor, script) = Editor::open(declared()).await;
    editor.command(1).await;
    let reply = script.command();
    assert!(!reply.is_cancelled());
    editor.notify("$/cancelRequest", json!({ "id": 1 })).await;
    assert_eq!(editor.error(json!(1)).await, -32800);
    assert!(reply.is_cancelled());
    reply.send(Ok(answer("too late")));
    for id in [json!(1), json!(99), json!("x")] {
        editor.notify("$/cancelRequest", json!({ "id": id })).await;
    }
    editor.assert_lives(&script, 1).await;

    editor.command(2).await;
    script.command().send(Err(RequestError::Failed {
        code: "starting",
        message: "not yet".to_owned(),
    }));
    let answer = editor.answer(json!(2)).await;
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["data"]["code"]),
        (&json!(-32803), &json!("starting"))
    );
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_handler_is_an_error_that_names_the_method() {
    let (mut editor, script) = Editor::open(declared()).await;
    for _ in 0..2 {
        let answer = editor.request(1, "hotsave/test/panic", json!({})).await;
        assert_eq!(answer["error"]["code"], -32603);
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .contains("hotsave/test/panic")
        );
    }
    editor.assert_lives(&script, 1).await;
    editor.ask(2, "hotsave/test/panicLoop", json!({})).await;
    editor.answer(json!(2)).await;
    script.pick(|it| matches!(it, EditorMessage::Panic).then_some(()));
}

/// T1 and T6: order holds under a flood, with questions of ours unanswered and requests open.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_reaches_the_loop_in_order_while_the_client_answers_nothing() {
    const N: i64 = 2_000;
    let (mut editor, script) =
        Editor::open(json!({ "workspace": { "configuration": true } })).await;
    // Each provokes a question; at most 32 are open, the rest is not asked.
    for _ in 0..64 {
        editor
            .notify(
                "workspace/didChangeConfiguration",
                json!({ "settings": null }),
            )
            .await;
    }
    let open: Vec<_> = (0..300).map(|it| 100_000 + it).collect();
    for id in &open {
        editor.command(*id).await;
    }
    let mut messages = Vec::new();
    for version in 0..N {
        let edit = json!({ "text": version.to_string() });
        let document = json!({ "uri": "file:///game/a.lua", "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [edit] });
        messages.extend(frame(
            &json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": params })
                .to_string(),
        ));
        if version % 10 == 0 {
            let params = json!({ "textDocument": { "uri": "file:///game/a.lua" } });
            let request = json!({ "jsonrpc": "2.0", "id": version, "method": "textDocument/codeLens", "params": params });
            messages.extend(frame(&request.to_string()));
        }
    }
    let listener = std::thread::spawn(move || {
        let (mut last, mut next_version, mut replies) = (0, 0, Vec::new());
        while i64::from(next_version) < N {
            let (arrival, message) = script.message();
            assert!(last < arrival);
            last = arrival;
            match message {
                EditorMessage::Changed { version, .. } => {
                    assert_eq!(version, next_version);
                    next_version += 1;
                }
                EditorMessage::CodeLens { reply, .. } => {
                    assert_eq!(
                        (next_version - 1) % 10,
                        0,
                        "between the edits it was sent between"
                    );
                    reply.send(Ok(Vec::new()));
                }
                EditorMessage::Command { reply, .. } => replies.push(reply),
                _ => {}
            }
        }
        for reply in replies {
            reply.send(Ok(answer("done")));
        }
        script
    });
    let mut writer = editor.writer.take().unwrap();
    let written = tokio::spawn(async move {
        writer.write_all(&messages).await.unwrap();
        writer
    });
    let mut answered = HashMap::new();
    let mut n_questions = 0;
    while answered.len() < open.len() + N as usize / 10 {
        let message = editor.read().await.unwrap();
        match message.get("method").and_then(Value::as_str) {
            Some("workspace/configuration") => n_questions += 1,
            Some("window/showMessage") => {}
            Some(method) => panic!("{method}"),
            None => {
                let before = answered.insert(message["id"].as_i64().unwrap(), ());
                assert!(
                    before.is_none() && message.get("result").is_some(),
                    "{message}"
                );
            }
        }
    }
    assert_eq!(n_questions, 32);
    let _writer = written.await.unwrap();
    listener.join().unwrap();
}

/// T14 in small: the client does not read for thousands of reloads.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_did_not_read_gets_whole_reloads_a_gap_and_the_last_status() {
    const N: u64 = 10_000;
    let (mut editor, script) = Editor::start(512);
    editor.initialize(declared()).await;
    script.pick(|it| matches!(it, EditorMessage::Ready).then_some(()));
    for generation in 1..=N {
        script.reload(generation, Health::Ok);
    }
    let (mut open, mut last_seq, mut n_gaps, mut n_events) = (None, 0, 0, 0);
    loop {
        let message = editor.read().await.unwrap();
        let params = &message["params"];
        let number = params["generation"].as_u64();
        if let Some(seq) = params["seq"].as_u64() {
            assert!(last_seq < seq);
            n_gaps += u64::from(last_seq + 1 != seq);
            (last_seq, n_events) = (seq, n_events + 1);
        }
        match message["method"].as_str().unwrap() {
            "hotsave/reloadStarted" => assert_eq!(std::mem::replace(&mut open, number), None),
            "hotsave/reloadFinished" => {
                assert_eq!(open.take(), number);
                assert_eq!(params["durationMs"], 3.1);
            }
            "hotsave/status" if number == Some(N) => break,
            "hotsave/status" | "textDocument/publishDiagnostics" => {}
            method => panic!("{method}"),
        }
    }
    assert_eq!(open, None);
    // Every event that was dropped used up its number, so that the last number counts them all.
    assert!(n_events <= last_seq && 2 * N < last_seq);
    assert_eq!(n_events < last_seq, n_gaps > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_before_initialized_and_then_in_order() {
    let (mut editor, script) = Editor::start(64 * 1024);
    let params = json!({ "processId": null, "capabilities": declared() });
    assert!(
        editor
            .request(0, "initialize", params)
            .await
            .get("result")
            .is_some()
    );
    script.reload(1, Health::Ok);
    script.say(Output::Log {
        level: Level::Info,
        text: "the log is not held".to_owned(),
    });
    assert_eq!(
        editor.notification("window/logMessage").await["message"],
        "the log is not held"
    );
    editor.notify("initialized", json!({})).await;
    assert_eq!(
        editor.notification("hotsave/reloadStarted").await["trigger"],
        json!(["file:///game/a.lua"])
    );
    assert_eq!(
        editor.notification("textDocument/publishDiagnostics").await["version"],
        1
    );
    assert_eq!(
        editor.notification("hotsave/reloadFinished").await["outcome"],
        json!({ "tag": "applied" })
    );
    let status = editor.notification("hotsave/status").await;
    assert_eq!(
        (&status["seq"], &status["failing"]),
        (&json!(3), &json!(["file:///game/a.lua"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_client_gets_no_custom_message_and_one_line_per_failure() {
    let (mut editor, script) = Editor::open(json!({})).await;
    for (generation, health) in [
        (1, Health::Ok),
        (2, Health::Error),
        (3, Health::Error),
        (4, Health::Ok),
    ] {
        script.reload(generation, health);
    }
    script.say(Output::Log {
        level: Level::Info,
        text: "end".to_owned(),
    });
    let mut shown = Vec::new();
    loop {
        let message = editor.read().await.unwrap();
        match message["method"].as_str().unwrap() {
            "textDocument/publishDiagnostics" => {}
            "window/showMessage" => shown.push((
                message["params"]["type"].clone(),
                message["params"]["message"].clone(),
            )),
            "window/logMessage" => break,
            method => panic!("{method}"),
        }
    }
    assert_eq!(shown, [(json!(1), json!("gen 2"))]);

    editor.command(1).await;
    script.command().send(Ok(answer("2 modules · 3 ms")));
    let (first, second) = (editor.read().await.unwrap(), editor.read().await.unwrap());
    let (shown, answer) = if first.get("id").is_some() {
        (second, first)
    } else {
        (first, second)
    };
    assert_eq!(
        shown["params"],
        json!({ "type": 3, "message": "2 modules · 3 ms" })
    );
    assert_eq!(
        answer["result"],
        json!({ "message": "2 modules · 3 ms", "workspace": WORKSPACE })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_is_registered_and_settings_are_asked_for_where_the_client_can() {
    let mut capabilities = declared();
    capabilities["workspace"] = json!({
        "configuration": true,
        "didChangeConfiguration": { "dynamicRegistration": true },
        "didChangeWatchedFiles": { "dynamicRegistration": true },
    });
    let (mut editor, script) = Editor::start(64 * 1024);
    let params = json!({
        "processId": null, "capabilities": capabilities, "clientInfo": { "name": "Neovim" },
        "workspaceFolders": [{ "uri": WORKSPACE, "name": "game" }],
        "initializationOptions": { "trust": "denied", "reloadOn": "manualSave" },
    });
    editor.request(0, "initialize", params).await;
    editor.notify("initialized", json!({})).await;
    let start = script.pick(|it| match it {
        EditorMessage::Start(it) => Some(it),
        _ => None,
    });
    assert!(start.client_watches);
    assert_eq!(start.settings.reload_on, ReloadOn::ManualSave);
    assert_eq!(start.trust, Some(hotsave::workspace::event::Trust::Denied));
    assert_eq!(&*start.folders[0].path, Path::new("/game"));

    let registered = editor.read().await.unwrap();
    assert_eq!(registered["method"], "client/registerCapability");
    let watchers = &registered["params"]["registrations"][0]["registerOptions"]["watchers"];
    assert!(
        watchers
            .as_array()
            .unwrap()
            .contains(&json!({ "globPattern": "**/hotsave.toml" }))
    );
    let asked = editor.read().await.unwrap();
    assert_eq!(
        (&asked["method"], &asked["params"]["items"]),
        (
            &json!("workspace/configuration"),
            &json!([{ "section": "hotsave" }])
        )
    );
    let answer = json!([{ "reloadOn": "command" }]);
    editor.send(json!({ "jsonrpc": "2.0", "id": registered["id"], "error": { "code": 1, "message": "no" } })).await;
    editor
        .send(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": answer }))
        .await;
    let settings = script.pick(|it| match it {
        EditorMessage::Settings(it) => Some(it),
        _ => None,
    });
    assert_eq!(settings.reload_on, ReloadOn::Command);
    editor
        .send(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": [{}] }))
        .await;
    editor.assert_lives(&script, 1).await;
}

/// T16, as far as it can be told without a disk.
#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_file_reaches_the_loop_as_one_path() {
    let (mut editor, script) = Editor::open(declared()).await;
    let spellings = [
        "file:///game/a%20b%23.lua",
        "file:///game/x/../a%20b%23.lua",
        "file://localhost/game/%61%20b%23.lua",
    ];
    for uri in spellings {
        let document = json!({ "uri": uri, "languageId": "lua", "version": 1, "text": "" });
        editor
            .notify("textDocument/didOpen", json!({ "textDocument": document }))
            .await;
    }
    editor
        .notify(
            "workspace/didChangeWatchedFiles",
            json!({ "changes": [{ "uri": spellings[0], "type": 2 }] }),
        )
        .await;
    let expected: Arc<Path> = Path::new("/game/a b#.lua").into();
    for _ in spellings {
        let path = script.pick(|it| match it {
            EditorMessage::Opened { path, .. } => Some(path),
            _ => None,
        });
        assert_eq!(path, expected);
    }
    let paths = script.pick(|it| match it {
        EditorMessage::FilesChanged { paths } => Some(paths),
        _ => None,
    });
    assert_eq!(paths, [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lenses_are_refreshed_with_one_question_at_a_time() {
    let capabilities = json!({ "workspace": { "codeLens": { "refreshSupport": true } } });
    let (mut editor, script) = Editor::open(capabilities).await;
    for _ in 0..5 {
        script.say(Output::LensesChanged);
    }
    let asked = editor.read().await.unwrap();
    assert_eq!(asked["method"], "workspace/codeLens/refresh");
    script.say(Output::LensesChanged);
    script.say(Output::Log {
        level: Level::Info,
        text: "asked once".to_owned(),
    });
    let line = editor.notification("window/logMessage").await;
    assert_eq!(line["message"], "asked once");
    editor
        .send(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": null }))
        .await;
    let again = editor.read().await.unwrap();
    assert_eq!(again["method"], "workspace/codeLens/refresh");
    assert_ne!(again["id"], asked["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_open_requests_are_refused_and_cancelling_still_works() {
    const N: i64 = 1_020;
    let (mut editor, script) = Editor::open(declared()).await;
    let replies = std::thread::spawn(move || {
        let replies: Vec<_> = (0..N).map(|_| script.command()).collect();
        (script, replies)
    });
    for id in 0..=N {
        editor.command(id).await;
    }
    assert_eq!(editor.error(json!(N)).await, -32803);
    editor.notify("$/cancelRequest", json!({ "id": 7 })).await;
    assert_eq!(editor.error(json!(7)).await, -32800);
    let (script, replies) = replies.join().unwrap();
    for (idx, reply) in replies.into_iter().enumerate() {
        assert_eq!(reply.is_cancelled(), idx == 7);
        reply.send(Ok(answer("")));
    }
    let mut ids = Vec::new();
    while ids.len() < N as usize - 1 {
        ids.extend(editor.read().await.unwrap()["id"].as_i64());
    }
    ids.sort_unstable();
    assert!(ids.into_iter().eq((0..N).filter(|it| *it != 7)));
    editor.assert_lives(&script, 7).await;
}
