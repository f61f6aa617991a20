//! The tower service around tower-lsp's: what comes in is numbered, checked and started here, in reading order.
//!
//! It mends what tower-lsp leaves open: `exit` cancels every open answer, `shutdown` with `"params": null` is refused, a
//! panic leaves the connection mute. Must stay true: each request has exactly one answer; every handler has sent its
//! event before the next message is read.

use std::{
    any::Any,
    collections::HashSet,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::{Context, Poll},
};

use futures::{
    FutureExt,
    future::{BoxFuture, ready},
    task::noop_waker_ref,
};
use serde_json::{Value, json};
use tower::Service;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};

use super::{frames::BAD_FRAME, session::Session};

tokio::task_local! {
    /// Number of the message whose handler runs.
    pub(super) static ARRIVAL: u64;
}

/// Most requests open at once. Below tower-lsp's own limit, at which it would stop to read, `$/cancelRequest` included.
const MAX_OPEN: usize = 1_020;
/// tower-lsp's limit.
pub(super) const CONCURRENCY: usize = 1_024;

const NOT_INITIALIZED: i64 = -32002;
const REQUEST_FAILED: i64 = -32803;

type Reply = Option<Response>;

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Fresh,
    Serving,
    ShutDown,
}

/// The guard around `inner`.
pub(super) struct Guard<S> {
    inner: S,
    session: Arc<Session>,
    life: Life,
    on_exit: Box<dyn Fn() + Send>,
    open: Arc<Mutex<Open>>,
}

/// Requests without an answer.
#[derive(Default)]
struct Open {
    ids: HashSet<Id>,
    /// Those that panicked, of which tower-lsp still has to forget the number.
    panicked: Vec<Id>,
}

impl<S> Guard<S> {
    /// `on_exit` is called at each `exit`.
    pub(super) fn new(
        inner: S,
        session: Arc<Session>,
        on_exit: impl Fn() + Send + 'static,
    ) -> Self {
        Self {
            inner,
            session,
            life: Life::Fresh,
            on_exit: Box::new(on_exit),
            open: Arc::default(),
        }
    }
}

impl<S> Service<Request> for Guard<S>
where
    S: Service<
            Request,
            Response = Reply,
            Future = BoxFuture<'static, Result<Reply, <S as Service<Request>>::Error>>,
        >,
    S::Error: std::fmt::Display + Send + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.admit(&request) {
            Verdict::Pass => self.pass(request),
            Verdict::Drop => ready(Ok(None)).boxed(),
            Verdict::Answer(id, error) => ready(Ok(Some(Response::from_error(id, error)))).boxed(),
        }
    }
}

/// What becomes of a message.
enum Verdict {
    Pass,
    Drop,
    Answer(Id, Error),
}

impl<S> Guard<S>
where
    S: Service<
            Request,
            Response = Reply,
            Future = BoxFuture<'static, Result<Reply, <S as Service<Request>>::Error>>,
        >,
    S::Error: std::fmt::Display + Send + 'static,
{
    fn admit(&self, request: &Request) -> Verdict {
        match request.method() {
            BAD_FRAME => return Verdict::Answer(Id::Null, bad_frame(request.params())),
            "exit" => {
                (self.on_exit)();
                return Verdict::Drop;
            }
            // A response that tower-lsp could not read as one.
            "" => return Verdict::Drop,
            _ => {}
        }
        let is_initialize = request.method() == "initialize";
        let refusal = match self.life {
            Life::Fresh if !is_initialize => {
                Some(error(NOT_INITIALIZED, "the server is not initialized"))
            }
            Life::Serving if is_initialize => Some(refused("initialize was received before")),
            Life::ShutDown => Some(refused("the server is shut down")),
            _ => None,
        };
        match (refusal, request.id()) {
            (Some(_), None) => Verdict::Drop,
            (Some(error), Some(id)) => Verdict::Answer(id.clone(), error),
            (None, Some(id)) => {
                let mut open = locked(&self.open);
                if open.ids.len() >= MAX_OPEN {
                    Verdict::Answer(id.clone(), error(REQUEST_FAILED, "too many open requests"))
                } else if open.ids.insert(id.clone()) {
                    Verdict::Pass
                } else {
                    Verdict::Answer(id.clone(), refused("this id belongs to an open request"))
                }
            }
            (None, None) => Verdict::Pass,
        }
    }

    fn pass(&mut self, request: Request) -> BoxFuture<'static, Result<Reply, Infallible>> {
        self.forget_panicked();
        let method = request.method().to_owned();
        let id = request.id().cloned();
        let request = if method == "shutdown" && id.is_some() {
            self.life = Life::ShutDown;
            self.session.is_shut_down.store(true, Ordering::Release);
            without_params(request)
        } else {
            request
        };
        let arrival = self.session.next_arrival();
        let called = catch_unwind(AssertUnwindSafe(|| self.inner.call(request)));
        let open = Arc::clone(&self.open);
        let name = method.clone();
        let answer = async move {
            let result = match called {
                Ok(handler) => AssertUnwindSafe(handler).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            let mut open = locked(&open);
            if let Some(id) = &id {
                open.ids.remove(id);
            }
            match result {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(error)) => {
                    tracing::error!("{name}: {error}");
                    Ok(id.map(|id| Response::from_error(id, Error::internal_error())))
                }
                Err(panic) => {
                    tracing::error!("{name} panicked: {}", reason(&*panic));
                    open.panicked.extend(id.clone());
                    Ok(id.map(|id| {
                        Response::from_error(id, error(-32603, format!("internal error in {name}")))
                    }))
                }
            }
        };
        let mut answer = ARRIVAL.scope(arrival, answer).boxed();
        // Polled once right here, whatever tower-lsp does with its futures: so events are sent in reading order, and
        // notifications are handled even while an answer waits for a client that does not read.
        match answer
            .as_mut()
            .poll(&mut Context::from_waker(noop_waker_ref()))
        {
            Poll::Ready(Ok(reply)) => {
                if method == "initialize" && reply.as_ref().is_some_and(Response::is_ok) {
                    self.life = Life::Serving;
                }
                ready(Ok(reply)).boxed()
            }
            Poll::Pending => answer,
        }
    }

    /// Lets tower-lsp forget the ids of handlers that panicked; it would refuse them for ever.
    fn forget_panicked(&mut self) {
        let panicked = std::mem::take(&mut locked(&self.open).panicked);
        for id in panicked {
            let cancel = Request::build("$/cancelRequest")
                .params(json!({ "id": id }))
                .finish();
            let _ = self.inner.call(cancel).now_or_never();
        }
    }
}

fn locked(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// tower-lsp refuses a `shutdown` that has parameters, and several clients send `null`.
fn without_params(request: Request) -> Request {
    let (method, id, _) = request.into_parts();
    let request = Request::build(method);
    match id {
        Some(id) => request.id(id).finish(),
        None => request.finish(),
    }
}

fn bad_frame(params: Option<&Value>) -> Error {
    let field = |name| params.and_then(|it| it.get(name));
    let code = field("code").and_then(Value::as_i64).unwrap_or(-32700);
    let message = field("message")
        .and_then(Value::as_str)
        .unwrap_or("bad frame");
    error(code, message.to_owned())
}

fn refused(message: &'static str) -> Error {
    error(-32600, message)
}

fn error(code: i64, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error {
        code: ErrorCode::from(code),
        message: message.into(),
        data: None,
    }
}

/// What a panic says of itself.
fn reason(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}
