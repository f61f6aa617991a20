//! From our own types to the wire: the only conversions in this direction.
//!
//! Byte spans become columns here, on the text that each problem was judged on; paths become URIs as the client spells
//! them.

use std::path::Path;

use hotsave_engine::{
    outcome::{Outcome, Stage, Tag},
    problem::{Place, Problem, Related},
};
use hotsave_protocol as protocol;
use serde_json::{Map, Value, json};
use tower_lsp::{
    jsonrpc::{Error, ErrorCode},
    lsp_types::{CodeLens, Command, Range},
};

use super::session::Session;
use crate::workspace::{
    event::{Answer, Explanation, Lens, RequestError},
    output::{FileProblems, Finished, Started, Status, Unit},
};

/// Diagnostics shown of one file; one more says how many there are beyond.
const MAX_PER_FILE: usize = 100;

/// Where `docs/diagnostics` is published, if this build knows: the page of `lua/syntax` is `lua-syntax.md` there.
const PAGES: Option<&str> = option_env!("HOTSAVE_PAGES");

const REQUEST_FAILED: i64 = -32803;

/// `hotsave/reloadStarted`.
pub(super) fn started(it: &Started, session: &Session) -> protocol::ReloadStarted {
    let trigger = it.trigger.iter().take(protocol::ReloadStarted::MAX_TRIGGER);
    protocol::ReloadStarted {
        cause: it.cause,
        trigger: trigger.map(|it| session.spellings.uri(it)).collect(),
        kind: it.kind,
    }
}

/// `hotsave/reloadFinished`.
pub(super) fn finished(it: &Finished, session: &Session) -> protocol::ReloadFinished {
    protocol::ReloadFinished {
        outcome: outcome(&it.outcome, session),
        units: it.units.iter().map(|it| unit(it, session)).collect(),
        duration_ms: it.duration.into(),
    }
}

/// `hotsave/status`.
pub(super) fn status(it: &Status, session: &Session) -> protocol::Status {
    protocol::Status {
        health: it.health,
        phase: it.phase,
        last_good_generation: it.last_good.number(),
        failing: it
            .failing
            .iter()
            .map(|it| session.spellings.uri(it))
            .collect(),
        pending: it.pending,
        hosts: it.hosts.clone(),
        message: it.message.clone(),
        paused: it.paused,
        trust: it.trust,
    }
}

/// `experimental/serverStatus`: the worst health of all folders, and the line of the one that changed.
pub(super) fn server_status<'a>(
    all: impl Iterator<Item = &'a protocol::Health>,
    changed: &Status,
) -> Value {
    let rank = |it: &protocol::Health| match it {
        protocol::Health::Error => 2,
        protocol::Health::Warning => 1,
        protocol::Health::Ok | protocol::Health::Other => 0,
    };
    let health = all.max_by_key(|it| rank(it)).map_or("ok", |it| it.word());
    let quiescent = changed.phase != protocol::Phase::Starting;
    let mut params = json!({ "health": health, "quiescent": quiescent });
    if let (Some(message), Some(fields)) = (&changed.message, params.as_object_mut()) {
        fields.insert("message".to_owned(), message.clone().into());
    }
    params
}

/// `textDocument/publishDiagnostics`.
pub(super) fn diagnostics(file: &FileProblems, session: &Session) -> Value {
    let shown = file.problems.iter().take(MAX_PER_FILE);
    let mut diagnostics: Vec<Value> = shown.map(|it| diagnostic(it, session)).collect();
    if let Some(n_more) = file
        .problems
        .len()
        .checked_sub(MAX_PER_FILE)
        .filter(|it| *it > 0)
    {
        diagnostics.push(json!({
            "range": protocol::Range::default(),
            "severity": protocol::Severity::Information,
            "source": "hotsave",
            "message": format!("{n_more} more problems in this file are not shown"),
        }));
    }
    let mut params =
        json!({ "uri": session.spellings.uri(&file.path), "diagnostics": diagnostics });
    if let (Some(version), Some(fields)) = (file.version, params.as_object_mut()) {
        fields.insert("version".to_owned(), version.into());
    }
    params
}

/// The answer of a command.
pub(super) fn answer(it: &Answer, session: &Session) -> protocol::CommandAnswer {
    protocol::CommandAnswer {
        message: it.message.clone(),
        workspace: it.workspace.to_string(),
        generation: it.generation.map(|it| it.number()),
        outcome: it.outcome.as_ref().map(|it| outcome(it, session)),
        text: it.text.clone(),
    }
}

/// The answer of `hotsave/explain`.
pub(super) fn explanation(it: Explanation, session: &Session) -> protocol::Explanation {
    let units = it.units.into_iter();
    protocol::Explanation {
        generation: it.generation.number(),
        outcome: it.outcome.as_ref().map(|it| outcome(it, session)),
        cause: it.cause,
        trigger: it
            .trigger
            .iter()
            .map(|it| session.spellings.uri(it))
            .collect(),
        hosts: it.hosts,
        units: units
            .map(|(path, unit)| protocol::ExplainedUnit {
                uri: session.spellings.uri(&path),
                ..unit
            })
            .collect(),
        skipped: it.skipped,
        builds: Vec::new(),
        text: it.text,
        status: status(&it.status, session),
    }
}

/// A code lens. A client that keeps the commands for itself gets the same id, which it has registered.
pub(super) fn lens(it: Lens) -> CodeLens {
    let place = tower_lsp::lsp_types::Position::new(it.line, 0);
    let argument = serde_json::to_value(it.argument).ok();
    CodeLens {
        range: Range::new(place, place),
        command: Some(Command {
            title: it.title,
            command: it.command.id().to_owned(),
            arguments: argument.map(|it| vec![it]),
        }),
        data: None,
    }
}

/// The error of a request.
pub(super) fn error(it: RequestError) -> Error {
    match it {
        RequestError::InvalidParams(message) => Error::invalid_params(message),
        RequestError::Cancelled => Error::request_cancelled(),
        RequestError::Failed { code, message } => Error {
            code: ErrorCode::ServerError(REQUEST_FAILED),
            message: message.into(),
            data: Some(json!({ "code": code })),
        },
    }
}

fn outcome(it: &Outcome, session: &Session) -> protocol::Outcome {
    let problems = it.problems.iter().take(protocol::Outcome::MAX_PROBLEMS);
    protocol::Outcome {
        tag: match it.tag {
            Tag::Unchanged => protocol::Tag::Unchanged,
            Tag::Applied => protocol::Tag::Applied,
            Tag::Cancelled => protocol::Tag::Cancelled,
            Tag::Superseded => protocol::Tag::Superseded,
            Tag::NeedsRestart => protocol::Tag::NeedsRestart,
            Tag::Rejected => protocol::Tag::Rejected,
            Tag::RolledBack => protocol::Tag::RolledBack,
        },
        stage: it.stage.map(stage),
        reason: it.reason.clone(),
        problems: problems.map(|it| problem(it, session)).collect(),
        by: it.by.map(|it| it.number()),
    }
}

fn stage(it: Stage) -> protocol::Stage {
    match it {
        Stage::Parse => protocol::Stage::Parse,
        Stage::Check => protocol::Stage::Check,
        Stage::Plan => protocol::Stage::Plan,
        Stage::Compile => protocol::Stage::Compile,
        Stage::Preflight => protocol::Stage::Preflight,
        Stage::Run => protocol::Stage::Run,
        Stage::Validate => protocol::Stage::Validate,
        Stage::Merge => protocol::Stage::Merge,
        Stage::Redirect => protocol::Stage::Redirect,
        Stage::Hooks => protocol::Stage::Hooks,
        Stage::Trust => protocol::Stage::Trust,
        Stage::Config => protocol::Stage::Config,
        Stage::Host => protocol::Stage::Host,
    }
}

fn unit(it: &Unit, session: &Session) -> protocol::Unit {
    protocol::Unit {
        name: it.name.clone(),
        uri: session.spellings.uri(&it.path),
        host: it.host.clone(),
        kept: it.kept,
        taken: it.taken,
        conflicts: it.conflicts,
        duration_ms: it.duration.into(),
    }
}

fn problem(it: &Problem, session: &Session) -> protocol::Problem {
    protocol::Problem {
        uri: session.spellings.uri(&it.place.path),
        range: range(&it.place, session),
        severity: protocol::Severity::from(it.severity as u8),
        code: it.code.to_owned(),
        message: it.message.clone(),
    }
}

fn diagnostic(it: &Problem, session: &Session) -> Value {
    let client = session.client();
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("range", json!(range(&it.place, session)));
    set("severity", json!(it.severity as u8));
    set("source", "hotsave".into());
    set("code", it.code.into());
    set("message", message(it, client.related_information).into());
    if let Some(pages) = PAGES.filter(|_| client.code_description) {
        set(
            "codeDescription",
            json!({ "href": format!("{pages}/{}.md", it.code.replace('/', "-")) }),
        );
    }
    if client.related_information && !it.related.is_empty() {
        let places = it.related.iter().map(|it| {
            let place = &it.place;
            let location = json!({ "uri": session.spellings.uri(&place.path), "range": range(place, session) });
            json!({ "location": location, "message": it.message })
        });
        set("relatedInformation", places.collect());
    }
    if client.diagnostic_data && !it.data.is_empty() {
        let data: Map<String, Value> = it
            .data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_str().into()))
            .collect();
        set("data", data.into());
    }
    Value::Object(fields)
}

/// The message, which names its nearest cause in the first line where it has one. For a client that shows no related
/// places all of them follow, a line each.
fn message(it: &Problem, shows_related: bool) -> String {
    if shows_related {
        return it.message.clone();
    }
    let lines = std::iter::once(it.message.clone()).chain(it.related.iter().map(told));
    lines.collect::<Vec<_>>().join("\n")
}

fn told(it: &Related) -> String {
    let (path, line) = line_of(&it.place);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}:{}: {}", line + 1, it.message)
}

fn line_of(place: &Place) -> (&Path, u32) {
    (&place.path, place.text.line_column(place.span.start).0)
}

fn range(place: &Place, session: &Session) -> protocol::Range {
    let at = |offset| {
        let position = session.encoding().position(&place.text, offset);
        protocol::Position {
            line: position.line,
            character: position.character,
        }
    };
    protocol::Range {
        start: at(place.span.start),
        end: at(place.span.end),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hotsave_engine::{generation::Generation, problem::Severity, text::SourceText};
    use tower_lsp::lsp_types::InitializeParams;

    use super::*;
    use crate::lsp::capabilities::Client;

    fn session(capabilities: Value) -> Session {
        let (events, _) = crossbeam_channel::unbounded();
        let session = Session::new(events);
        let params: InitializeParams =
            serde_json::from_value(json!({ "capabilities": capabilities })).unwrap();
        session.declare(Client::of(&params));
        session
    }

    fn place(path: &str, text: &str, needle: &str) -> Place {
        let start = text.find(needle).unwrap() as u32;
        let span = start..start + needle.len() as u32;
        Place {
            path: Path::new(path).into(),
            text: SourceText::new(text.as_bytes()),
            span,
        }
    }

    fn faulty() -> Problem {
        let related = |path, text, needle, message: &str| Related {
            place: place(path, text, needle),
            message: message.to_owned(),
        };
        Problem {
            place: place("/g/enemy.lua", "local s = \"😀\" .. x.y\n", "x.y"),
            severity: Severity::Error,
            code: "lua/load-error",
            message: "attempt to index a nil value (global 'x')\nhint".to_owned(),
            related: vec![
                related(
                    "/g/enemy.lua",
                    "local s = \"😀\" .. x.y\n",
                    "local",
                    "in main chunk",
                ),
                related(
                    "/g/main.lua",
                    "\n\nrequire 'enemy'",
                    "require",
                    "required here",
                ),
                related("/g/boot.lua", "dofile 'main'", "dofile", "run here"),
            ],
            data: vec![("module", "x".to_owned())],
        }
    }

    fn published(problems: Vec<Problem>, session: &Session) -> Value {
        let path: Arc<Path> = Path::new("/g/enemy.lua").into();
        let (workspace, generation) = ("file:///g".into(), Generation::new(3));
        diagnostics(
            &FileProblems {
                workspace,
                generation,
                path,
                version: Some(4),
                problems,
            },
            session,
        )
    }

    #[test]
    fn columns_count_what_was_negotiated() {
        for (encoding, start) in [("utf-8", 20), ("utf-16", 18), ("utf-32", 17)] {
            let session = session(json!({ "general": { "positionEncodings": [encoding] } }));
            let published = published(vec![faulty()], &session);
            let range = &published["diagnostics"][0]["range"];
            assert_eq!(
                range["start"],
                json!({ "line": 0, "character": start }),
                "{encoding}"
            );
            assert_eq!(
                range["end"],
                json!({ "line": 0, "character": start + 3 }),
                "{encoding}"
            );
        }
    }

    #[test]
    fn a_client_with_related_places_gets_them() {
        let can = json!({ "relatedInformation": true, "dataSupport": true });
        let session = session(json!({ "textDocument": { "publishDiagnostics": can } }));
        session.spellings.learn("file:///g/main%2Elua");
        let published = published(vec![faulty()], &session);
        assert_eq!(
            (&published["uri"], &published["version"]),
            (&json!("file:///g/enemy.lua"), &json!(4))
        );
        let it = &published["diagnostics"][0];
        assert_eq!(
            it["message"],
            "attempt to index a nil value (global 'x')\nhint"
        );
        assert_eq!(
            (&it["source"], &it["code"], &it["severity"]),
            (&json!("hotsave"), &json!("lua/load-error"), &json!(1))
        );
        assert_eq!(it["relatedInformation"].as_array().unwrap().len(), 3);
        assert_eq!(
            it["relatedInformation"][1]["location"]["uri"],
            "file:///g/main%2Elua"
        );
        assert_eq!(it["data"], json!({ "module": "x" }));
    }

    #[test]
    fn a_client_without_related_places_reads_them_in_the_message() {
        let published = published(vec![faulty()], &session(json!({})));
        let it = &published["diagnostics"][0];
        let lines: Vec<_> = it["message"].as_str().unwrap().lines().collect();
        assert_eq!(
            lines[1..],
            [
                "hint",
                "enemy.lua:1: in main chunk",
                "main.lua:3: required here",
                "boot.lua:1: run here"
            ]
        );
        assert_eq!((it.get("relatedInformation"), it.get("data")), (None, None));
    }

    #[test]
    fn beyond_a_hundred_only_their_number_is_shown() {
        let session = session(json!({}));
        assert_eq!(
            published(vec![faulty(); 100], &session)["diagnostics"]
                .as_array()
                .unwrap()
                .len(),
            100
        );
        let many = published(vec![faulty(); 123], &session);
        let many = many["diagnostics"].as_array().unwrap();
        assert_eq!(many.len(), 101);
        assert_eq!(
            many[100]["message"],
            "23 more problems in this file are not shown"
        );
        assert_eq!(published(Vec::new(), &session)["diagnostics"], json!([]));
    }

    #[test]
    fn failures_carry_their_code() {
        let it = error(RequestError::Failed {
            code: "starting",
            message: "not yet".to_owned(),
        });
        assert_eq!(
            (it.code.code(), it.data),
            (-32803, Some(json!({ "code": "starting" })))
        );
        assert_eq!(error(RequestError::Cancelled).code.code(), -32800);
        assert_eq!(
            error(RequestError::InvalidParams(String::new()))
                .code
                .code(),
            -32602
        );
    }
}
