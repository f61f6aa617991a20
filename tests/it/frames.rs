//! T9, T10, T11: what is no message gets an error or silence, and the connection lives on.

use std::io::Write;

use hotsave_tests::{
    client::{Client, request, uri},
    fixture::Project,
    options::Options,
    wire,
};
use serde_json::{Value, json};

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const NOT_INITIALIZED: i64 = -32002;

fn open() -> (Project, Client) {
    let project = Project::new("//- /a.lua\nreturn {}\n");
    let client = Client::open(&project);
    (project, client)
}

/// The next request is answered.
fn assert_lives(client: &mut Client, after: &str) {
    let reply = client.request("hotsave/explain", json!({}));
    assert!(
        reply.get("result").is_some() || reply.get("error").is_some(),
        "after {after}: {reply}"
    );
    client.nothing_unread();
}

fn with_length(header: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = header.replace("{n}", &body.len().to_string()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn bodies_that_are_no_message_are_answered_with_id_null() {
    let (_project, mut client) = open();
    let bodies: [(&str, &[u8], i64); 7] = [
        ("bad JSON", b"{\"jsonrpc\":", PARSE_ERROR),
        (
            "bad UTF-8",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}",
            PARSE_ERROR,
        ),
        ("two values", b"{} {}", PARSE_ERROR),
        ("an empty object", b"{}", INVALID_REQUEST),
        ("a number", b"17", INVALID_REQUEST),
        (
            "a batch",
            b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"shutdown\"}]",
            INVALID_REQUEST,
        ),
        (
            "a method that is no text",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}",
            INVALID_REQUEST,
        ),
    ];
    for (what, body, code) in bodies {
        client.send_raw(&with_length("Content-Length: {n}\r\n\r\n", body));
        let error = client.anonymous_error();
        assert_eq!(error["error"]["code"], code, "{what}: {error}");
        assert_lives(&mut client, what);
    }
    client.finish();
}

#[test]
fn headers_are_read_as_the_standard_says() {
    let (_project, mut client) = open();
    let good = [
        "content-length: {n}\r\n\r\n",
        "CONTENT-LENGTH: {n}\r\n\r\n",
        "Content-Length: {n}\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n",
        "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: {n}\r\n\r\n",
        "Content-Type: application/vscode-jsonrpc; charset=utf8\r\nContent-Length: {n}\r\n\r\n",
        "X-Other: 1\r\nContent-Length: {n}\r\n\r\n",
    ];
    for (index, header) in good.into_iter().enumerate() {
        let id = 5000 + i64::try_from(index).unwrap();
        let body = request(id, "hotsave/explain", json!({})).to_string();
        client.send_raw(&with_length(header, body.as_bytes()));
        client.reply(id);
    }
    client.finish();
}

#[test]
fn broken_header_blocks_are_skipped() {
    let (_project, mut client) = open();
    let many = "X-A: 1\r\n".repeat(17) + "\r\n";
    let blocks = [
        ("no length", "Content-Type: text/plain\r\n\r\n"),
        ("a length that is no number", "Content-Length: many\r\n\r\n"),
        ("a negative length", "Content-Length: -5\r\n\r\n"),
        ("17 headers", many.as_str()),
        ("a line of words", "this is no header\r\n\r\n"),
    ];
    for (what, block) in blocks {
        client.send_raw(block.as_bytes());
        let reply = client.request("hotsave/explain", json!({}));
        assert!(reply.get("result").is_some(), "after {what}: {reply}");
    }
    // Whether such a block is answered with id null or in silence is the server's choice; a crash is not.
    client.accept_leftovers();
}

#[test]
fn a_frame_byte_by_byte_and_two_in_one_write() {
    let (_project, mut client) = open();
    let frame = wire::frame(&request(7001, "hotsave/explain", json!({})));
    for byte in &frame {
        client.send_raw(&[*byte]);
    }
    client.reply(7001);
    let mut two = wire::frame(&request(7002, "hotsave/explain", json!({})));
    two.extend(wire::frame(&request(7003, "hotsave/explain", json!({}))));
    client.send_raw(&two);
    client.reply(7003);
    client.reply(7002);
    client.finish();
}

/// T11.
#[test]
fn unknown_and_wrong_messages_get_what_the_standard_says() {
    let (_project, mut client) = open();
    assert_eq!(
        client.request("no/such/request", json!({}))["error"]["code"],
        METHOD_NOT_FOUND
    );
    client.notify("$/unknown", json!({}));
    client.notify("no/such/notification", json!({ "x": [1, 2] }));
    client.notify("textDocument/didSave", json!({ "textDocument": 5 }));
    let wrong = client.request("workspace/executeCommand", json!({ "command": 5 }));
    assert_eq!(wrong["error"]["code"], INVALID_PARAMS, "{wrong}");
    let unknown = client.request(
        "workspace/executeCommand",
        json!({ "command": "hotsave.noSuchCommand" }),
    );
    assert_eq!(unknown["error"]["code"], INVALID_PARAMS, "{unknown}");
    client.send_raw(&wire::frame(
        &json!({ "jsonrpc": "2.0", "id": "nobody asked", "result": null }),
    ));
    client.send_raw(&wire::frame(
        &json!({ "jsonrpc": "2.0", "id": 424_242, "error": { "code": 1, "message": "no" } }),
    ));
    assert_lives(&mut client, "wrong messages");
    client.finish();
}

#[test]
fn an_id_used_twice_at_once_is_refused() {
    let project = Project::new("//- /hotsave.toml\n[lua]\ndeadline_ms = 60000\n");
    let mut client = Client::open(&project);
    // The first stays open while the module spins for a while.
    client.send_save(
        "slow.lua",
        "local t = os.clock() while os.clock() - t < 0.5 do end\nreturn {}\n",
    );
    let command = json!({ "command": "hotsave.reloadAll" });
    client.send_raw(&wire::frame(&request(
        31,
        "workspace/executeCommand",
        command.clone(),
    )));
    client.send_raw(&wire::frame(&request(
        31,
        "workspace/executeCommand",
        command,
    )));
    let refused = client.message("the refusal", |message| {
        message["id"] == 31 && message.get("error").is_some()
    });
    assert_eq!(refused["error"]["code"], INVALID_REQUEST);
    let answered = client.reply(31);
    assert!(answered.get("result").is_some(), "{answered}");
    client.accept_leftovers();
}

#[test]
fn before_initialize_and_after_shutdown_requests_are_refused() {
    let project = Project::empty();
    let mut client = Client::spawn(&project, Options::default());
    let early = client.request("hotsave/explain", json!({}));
    assert_eq!(early["error"]["code"], NOT_INITIALIZED, "{early}");
    client.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": "file:///nowhere.lua" } }),
    );
    client.initialize();
    client.initialized();
    client.idle();
    let again = client.request("initialize", json!({ "capabilities": {} }));
    assert_eq!(again["error"]["code"], INVALID_REQUEST, "{again}");
    assert_eq!(client.request("shutdown", Value::Null).get("error"), None);
    let late = client.request("hotsave/explain", json!({}));
    assert_eq!(late["error"]["code"], INVALID_REQUEST, "{late}");
    client.notify("exit", Value::Null);
    assert_eq!(
        client.exit_status(hotsave_tests::client::PATIENCE).code(),
        Some(0)
    );
}

/// T9, first half.
#[test]
fn a_document_of_64_mib_is_accepted() {
    let (project, mut client) = open();
    let text = "-- a comment line that is sixty-four bytes long, line end counts\n".repeat(1 << 20)
        + "return {}\n";
    let document = json!({ "uri": uri(&project.path("big.lua")), "languageId": "lua", "version": 1, "text": text });
    client.notify("textDocument/didOpen", json!({ "textDocument": document }));
    assert_lives(&mut client, "64 MiB");
    client.accept_leftovers();
}

/// T9, second half: drained, refused, and the next frame is read from the right byte.
#[test]
fn a_frame_of_300_mib_is_refused() {
    let (_project, mut client) = open();
    let mut stdin = client.take_stdin();
    let length: usize = 300 << 20;
    write!(stdin, "Content-Length: {length}\r\n\r\n").unwrap();
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..300 {
        stdin.write_all(&chunk).unwrap();
    }
    wire::write_frame(&mut stdin, &request(8001, "hotsave/explain", json!({}))).unwrap();
    assert_eq!(client.anonymous_error()["error"]["code"], INVALID_REQUEST);
    client.reply(8001);
    client.accept_leftovers();
}
