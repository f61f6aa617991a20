//! The golden files under `tests/fixtures/protocol`: read and written again they are the same, and they leave no word out.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod vocabulary;

use std::{collections::BTreeSet, fs, path::PathBuf};

use hotsave_protocol::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// One file: a message of either direction, a request with its result, a declaration with its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    method: String,
    params: Value,
    result: Option<Value>,
}

/// What another version may send, and what it is to be taken for.
#[derive(Deserialize)]
struct Unknown {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    received: Value,
    means: Value,
}

#[derive(Serialize, Deserialize)]
struct CommandCall {
    command: Command,
    arguments: Vec<CommandArgument>,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/fixtures/protocol"
    ))
}

/// Name and text of every golden file, without `unknown.json`.
fn files() -> Vec<(String, String)> {
    let entries = fs::read_dir(folder()).unwrap().map(|it| it.unwrap().path());
    let json = entries.filter(|it| it.extension().is_some_and(|it| it == "json"));
    let named = json.map(|it| {
        (
            it.file_name().unwrap().to_str().unwrap().to_owned(),
            fs::read_to_string(&it).unwrap(),
        )
    });
    let mut files: Vec<(String, String)> =
        named.filter(|(name, _)| name != "unknown.json").collect();
    files.sort();
    files
}

fn again<T: Serialize + DeserializeOwned>(value: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(T::deserialize(value)?)
}

/// Reads and writes the parameters of a method.
fn params_again(method: &str, params: &Value) -> Result<Value, serde_json::Error> {
    match method {
        "initialize" => again::<ClientCapability>(params),
        "workspace/executeCommand" => again::<CommandCall>(params),
        ReloadStarted::METHOD => again::<Event<ReloadStarted>>(params),
        ReloadFinished::METHOD => again::<Event<ReloadFinished>>(params),
        Status::METHOD => again::<Event<Status>>(params),
        PreviewRefresh::METHOD => again::<Event<PreviewRefresh>>(params),
        BuildStatus::METHOD => again::<Event<BuildStatus>>(params),
        RunnerStatus::METHOD => again::<Event<RunnerStatus>>(params),
        StateCaptured::METHOD => again::<Event<StateCaptured>>(params),
        PreviewAck::METHOD => again::<PreviewAck>(params),
        OpenPreview::METHOD => again::<OpenPreview>(params),
        ClosePreview::METHOD => again::<ClosePreview>(params),
        GetState::METHOD => again::<GetState>(params),
        RestoreState::METHOD => again::<RestoreState>(params),
        ExplainRequest::METHOD => again::<ExplainRequest>(params),
        _ => panic!("no such method: {method}"),
    }
}

/// Reads and writes the result of a method.
fn result_again(method: &str, result: &Value) -> Result<Value, serde_json::Error> {
    match method {
        "initialize" => again::<ServerCapability>(result),
        "workspace/executeCommand" => again::<CommandAnswer>(result),
        GetState::METHOD => again::<CapturedState<Value>>(result),
        OpenPreview::METHOD => again::<<OpenPreview as Request>::Answer>(result),
        ClosePreview::METHOD => again::<<ClosePreview as Request>::Answer>(result),
        RestoreState::METHOD => again::<<RestoreState as Request>::Answer>(result),
        ExplainRequest::METHOD => again::<<ExplainRequest as Request>::Answer>(result),
        _ => panic!("{method} has no result"),
    }
}

#[test]
fn golden_files_are_read_and_written_to_the_same_value() {
    for (name, text) in files() {
        let golden: Golden = serde_json::from_str(&text).unwrap();
        let params =
            params_again(&golden.method, &golden.params).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(params, golden.params, "{name}");
        if let Some(result) = golden.result {
            let written =
                result_again(&golden.method, &result).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(written, result, "{name}");
        }
        assert!(
            !text.contains("\"other\""),
            "{name}: a word that this version does not have"
        );
    }
}

#[test]
fn unknown_fields_and_words_are_survived() {
    let text = fs::read_to_string(folder().join("unknown.json")).unwrap();
    let unknown: Unknown = serde_json::from_str(&text).unwrap();
    for case in unknown.cases {
        assert_ne!(case.received, case.means, "{}", case.name);
        assert_eq!(
            params_again(&case.method, &case.received).unwrap(),
            case.means,
            "{}",
            case.name
        );
    }
}

#[test]
fn every_method_and_every_word_has_a_golden_file() {
    let mut found = BTreeSet::new();
    for (_, text) in files() {
        collect_words("", &serde_json::from_str(&text).unwrap(), &mut found);
    }
    let is_missing =
        |(field, word): &(&str, &str)| !found.contains(&((*field).to_owned(), (*word).to_owned()));
    let missing: Vec<_> = vocabulary::words().into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "not in any golden file: {missing:?}");
}

#[test]
fn required_fields_are_required() {
    for (name, text) in files()
        .into_iter()
        .filter(|(name, _)| name.starts_with("reload") || name.starts_with("status"))
    {
        let golden: Golden = serde_json::from_str(&text).unwrap();
        for field in ["workspace", "generation", "seq"] {
            let mut params = golden.params.clone();
            params.as_object_mut().unwrap().remove(field);
            assert!(
                params_again(&golden.method, &params).is_err(),
                "{name} without {field}"
            );
        }
    }
}

#[test]
fn the_highest_common_version_wins() {
    let declare = |protocol: &[u32]| ClientCapability {
        protocol: protocol.to_vec(),
        ..ClientCapability::default()
    };
    assert_eq!(declare(&[1]).version(), Some(1));
    assert_eq!(declare(&[3, 1, 2]).version(), Some(1));
    assert_eq!(declare(&[2]).version(), None);
    assert_eq!(declare(&[]).version(), None);
}

#[test]
fn only_declared_events_are_wanted() {
    let mut client = ClientCapability {
        protocol: vec![1],
        events: vec![EventGroup::Reload, EventGroup::Preview],
        ..ClientCapability::default()
    };
    assert!(client.wants(EventGroup::Reload) && !client.wants(EventGroup::Status));
    assert!(!client.wants(EventGroup::Preview), "it shows no previews");
    client.preview = PreviewSupport::Browser;
    assert!(client.wants(EventGroup::Preview));
    client.protocol = vec![9];
    assert!(
        !client.wants(EventGroup::Reload),
        "no common version, no custom message"
    );
}

#[test]
fn durations_keep_microseconds() {
    for (text, micros) in [
        ("0", 0),
        ("3", 3_000),
        ("3.1", 3_100),
        ("0.042", 42),
        ("1840.123", 1_840_123),
    ] {
        let ms: Ms = serde_json::from_str(text).unwrap();
        assert_eq!(ms.duration().as_micros(), micros);
        assert_eq!(serde_json::to_string(&ms).unwrap(), text);
    }
    assert_eq!(
        serde_json::from_str::<Ms>("16.0").unwrap(),
        Ms::from(std::time::Duration::from_millis(16))
    );
    assert!(serde_json::from_str::<Ms>("-1").is_err());
}

#[test]
fn ids_of_commands_are_read_back() {
    for &command in Command::ALL {
        assert_eq!(Command::from_id(command.id()), Some(command));
        assert_eq!(serde_json::to_value(command).unwrap(), command.id());
    }
    assert_eq!(Command::from_id("hotsave.fly"), None);
}

/// Every text value with the name of its field; the items of a list count for the list's field.
fn collect_words(field: &str, value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::String(text) => {
            found.insert((field.to_owned(), text.clone()));
        }
        Value::Array(items) => items.iter().for_each(|it| collect_words(field, it, found)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, it)| collect_words(name, it, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
