//! The way out: the only owner of what tower-lsp sends to the client besides answers.
//!
//! Nothing here waits for the client. tower-lsp pulls the next parcel when the writer has room, so what waits, waits in
//! the bounded lanes and not in a channel of tower-lsp's; `seq` is given at that moment. tower-lsp's own `Client` is not
//! used: its channel holds one message, every sender awaits it, and an answer that comes after its time-out panics there.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{Sink, Stream, task::AtomicWaker};
use hotsave_protocol::{self as protocol, EventBody, Health};
use serde_json::{Value, json};
use tokio::sync;
use tower_lsp::{
    Loopback,
    jsonrpc::{Id, Request, Response},
};

use super::{
    lanes::{Lanes, Parcel},
    session::Session,
    to_proto,
};
use crate::workspace::{
    output::{Level, Output, Status},
    settings::Notify,
};

/// Most requests of ours that may be unanswered at once.
const MAX_ASKS: usize = 32;
/// How long an answer is waited for.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// How long the same message is not shown again.
const SAME_MESSAGE: Duration = Duration::from_secs(10);
/// How often lenses are asked to be refreshed at most.
const REFRESH_EVERY: Duration = Duration::from_millis(250);

/// What to do with the client's answer; `None` if there is none or it is an error.
type OnAnswer = Box<dyn FnOnce(Option<Value>) + Send>;

/// A handle on the way out, cheap to clone.
#[derive(Clone)]
pub(super) struct Outbound(Arc<Shared>);

struct Shared {
    session: Arc<Session>,
    waker: AtomicWaker,
    drained: sync::Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lanes: Lanes,
    is_closed: bool,
    seq: u64,
    next_ask: i64,
    asks: HashMap<i64, (&'static str, OnAnswer)>,
    refresh: Refresh,
    last_message: Option<(Instant, String)>,
    /// Health of every folder as it was said last.
    health: HashMap<Arc<str>, Health>,
}

/// Whether lenses are being refreshed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refresh {
    #[default]
    Idle,
    Open,
    /// They changed again after the client was asked.
    OpenAndDue,
}

impl Outbound {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self(Arc::new(Shared {
            session,
            waker: AtomicWaker::new(),
            drained: sync::Notify::new(),
            state: Mutex::default(),
        }))
    }

    /// Lets everything flow, after `initialized`.
    pub(super) fn open(&self) {
        self.change(|state| state.lanes.open());
    }

    /// No more is accepted; what waits still leaves.
    pub(super) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    /// Returns when it is closed and everything has been handed to the writer.
    pub(super) async fn drained(&self) {
        self.0.drained.notified().await;
    }

    /// Sends on what the loop says, as far as the client wants it.
    pub(super) fn publish(&self, output: Output) {
        let client = self.0.session.client();
        match output {
            Output::Started(it) if client.wants(protocol::EventGroup::Reload) => {
                self.put(Parcel::Started(it))
            }
            Output::Finished(it) if client.wants(protocol::EventGroup::Reload) => {
                self.put(Parcel::Finished(it))
            }
            Output::Started(_) | Output::Finished(_) => {}
            Output::Status(it) => {
                self.tell_health(&it);
                if client.wants(protocol::EventGroup::Status) || client.server_status {
                    self.put(Parcel::Status(it));
                }
            }
            Output::Problems(it) => self.put(Parcel::Problems(it)),
            Output::Message { level, text } => self.show_once(level, text),
            Output::Log { level, text } => self.log(level, text),
            Output::LensesChanged => self.refresh_lenses(),
            Output::Ended { .. } => {}
        }
    }

    /// Shows a line to the person, whatever the client declared.
    pub(super) fn show(&self, level: Level, text: String) {
        self.put(Parcel::Message(level, text));
    }

    /// Adds a line to the client's log.
    pub(super) fn log(&self, level: Level, text: String) {
        self.put(Parcel::Log(level, text));
    }

    /// Asks the client; `on_answer` is called once, in reading order with the client's other messages, or after the
    /// time-out.
    ///
    /// *Errors*: none; too many open questions are answered with nothing at once.
    pub(super) fn ask(
        &self,
        method: &'static str,
        params: Value,
        on_answer: impl FnOnce(Option<Value>) + Send + 'static,
    ) {
        let on_answer: OnAnswer = Box::new(on_answer);
        let refused = {
            let mut state = self.state();
            if state.asks.len() < MAX_ASKS {
                let id = state.next_ask;
                state.next_ask += 1;
                state.asks.insert(id, (method, on_answer));
                state.lanes.put(Parcel::Ask { id, method, params });
                self.give_up_later(id);
                None
            } else {
                Some(on_answer)
            }
        };
        self.0.waker.wake();
        if let Some(on_answer) = refused {
            tracing::warn!("too many unanswered requests, {method} is not sent");
            on_answer(None);
        }
    }

    fn give_up_later(&self, id: i64) {
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(ASK_LIMIT).await;
            let asked = this.state().asks.remove(&id);
            if let Some((method, on_answer)) = asked {
                tracing::warn!("no answer to {method} in {} s", ASK_LIMIT.as_secs());
                on_answer(None);
            }
        });
    }

    fn answered(&self, response: Response) {
        let (id, result) = response.into_parts();
        let Id::Number(id) = id else { return };
        let Some((method, on_answer)) = self.state().asks.remove(&id) else {
            return;
        };
        if let Err(error) = &result {
            tracing::warn!("{method} refused by the client: {}", error.message);
        }
        on_answer(result.ok());
    }

    /// One line per change of health, for a client that cannot show the status.
    fn tell_health(&self, status: &Status) {
        let before = self
            .state()
            .health
            .insert(Arc::clone(&status.workspace), status.health);
        let session = &self.0.session;
        if session.client().wants(protocol::EventGroup::Status) || before == Some(status.health) {
            return;
        }
        let text = |otherwise: &str| {
            status
                .message
                .clone()
                .unwrap_or_else(|| otherwise.to_owned())
        };
        let was_bad = before == Some(Health::Error);
        match (session.notify(), status.health) {
            (Notify::Failures | Notify::All, Health::Error) => {
                self.show_once(Level::Error, text("hotsave: reload failed"))
            }
            (Notify::All, Health::Ok) if was_bad => {
                self.show_once(Level::Info, text("hotsave: fixed again"))
            }
            _ => {}
        }
    }

    fn show_once(&self, level: Level, text: String) {
        let now = Instant::now();
        let mut state = self.state();
        let is_again = state
            .last_message
            .as_ref()
            .is_some_and(|(at, it)| *it == text && now < *at + SAME_MESSAGE);
        if !is_again {
            state.last_message = Some((now, text.clone()));
            drop(state);
            self.put(Parcel::Message(level, text));
        }
    }

    /// Asks for new lenses after a while, during which further changes ride along; one question is open at a time.
    fn refresh_lenses(&self) {
        if !self.0.session.client().lens_refresh {
            return;
        }
        let before = {
            let mut state = self.state();
            let next = if state.refresh == Refresh::Idle {
                Refresh::Open
            } else {
                Refresh::OpenAndDue
            };
            std::mem::replace(&mut state.refresh, next)
        };
        if before != Refresh::Idle {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(REFRESH_EVERY).await;
            this.state().refresh = Refresh::Open;
            let again = this.clone();
            this.ask("workspace/codeLens/refresh", Value::Null, move |_| {
                let before = std::mem::take(&mut again.state().refresh);
                if before == Refresh::OpenAndDue {
                    again.refresh_lenses();
                }
            });
        });
    }

    fn put(&self, parcel: Parcel) {
        self.change(|state| {
            if !state.is_closed {
                state.lanes.put(parcel);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.waker.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message, numbered; `None` when nothing may leave now.
    fn next(&self) -> Option<Vec<Request>> {
        let mut state = self.state();
        let parcel = state.lanes.take()?;
        state.seq += state.lanes.take_lost_events();
        Some(state.messages(parcel, &self.0.session))
    }
}

impl State {
    /// What a parcel becomes on the wire; one that became pointless is nothing.
    fn messages(&mut self, parcel: Parcel, session: &Session) -> Vec<Request> {
        match parcel {
            Parcel::Started(it) => vec![self.event(
                &it.workspace,
                it.generation,
                to_proto::started(&it, session),
            )],
            Parcel::Finished(it) => vec![self.event(
                &it.workspace,
                it.generation,
                to_proto::finished(&it, session),
            )],
            Parcel::Status(it) => {
                let mut messages = Vec::new();
                let client = session.client();
                if client.wants(protocol::EventGroup::Status) {
                    messages.push(self.event(
                        &it.workspace,
                        it.generation,
                        to_proto::status(&it, session),
                    ));
                }
                if client.server_status {
                    let params = to_proto::server_status(self.health.values(), &it);
                    messages.push(notification("experimental/serverStatus", params));
                }
                messages
            }
            Parcel::Problems(it) => {
                vec![notification(
                    "textDocument/publishDiagnostics",
                    to_proto::diagnostics(&it, session),
                )]
            }
            Parcel::Message(level, text) => vec![line("window/showMessage", level, &text)],
            Parcel::Log(level, text) => vec![line("window/logMessage", level, &text)],
            Parcel::Ask { id, method, params } => {
                let request = Request::build(method).id(id);
                vec![
                    if params.is_null() {
                        request
                    } else {
                        request.params(params)
                    }
                    .finish(),
                ]
            }
        }
    }

    fn event<Body: EventBody>(
        &mut self,
        workspace: &str,
        generation: hotsave_engine::generation::Generation,
        body: Body,
    ) -> Request {
        self.seq += 1;
        let event = protocol::Event {
            workspace: workspace.to_owned(),
            generation: generation.number(),
            seq: self.seq,
            body,
        };
        // These types have no map keys but strings, which is all that could fail.
        notification(
            Body::METHOD,
            serde_json::to_value(event).unwrap_or_default(),
        )
    }
}

fn notification(method: &'static str, params: Value) -> Request {
    Request::build(method).params(params).finish()
}

fn line(method: &'static str, level: Level, text: &str) -> Request {
    notification(method, json!({ "type": level as u8, "message": text }))
}

impl Loopback for Outbound {
    type RequestStream = Leaving;
    type ResponseSink = Answers;

    fn split(self) -> (Leaving, Answers) {
        (
            Leaving {
                outbound: self.clone(),
                ready: Vec::new(),
            },
            Answers(self),
        )
    }
}

/// What leaves, pulled by the writer.
pub(super) struct Leaving {
    outbound: Outbound,
    /// The rest of the last parcel, last first.
    ready: Vec<Request>,
}

impl Stream for Leaving {
    type Item = Request;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        let this = self.get_mut();
        this.outbound.0.waker.register(cx.waker());
        loop {
            if let Some(request) = this.ready.pop() {
                return Poll::Ready(Some(request));
            }
            match this.outbound.next() {
                Some(requests) => this.ready = requests.into_iter().rev().collect(),
                None if this.outbound.state().is_closed => {
                    this.outbound.0.drained.notify_one();
                    return Poll::Ready(None);
                }
                None => return Poll::Pending,
            }
        }
    }
}

/// The client's answers to our requests.
pub(super) struct Answers(Outbound);

impl Sink<Response> for Answers {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, response: Response) -> Result<(), Infallible> {
        self.0.answered(response);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}
