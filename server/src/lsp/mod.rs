//! The LSP front end: turns the messages of an editor into events of the main loop, and the loop's outputs into messages.
//!
//! Owns no state of a project and waits for no client. A message travels
//! `frames` → tower-lsp → `guard` → `backend` → loop; what the loop says travels `outbound` → tower-lsp → `frames`.
//! Works on any pipe, so that tests need no process.

mod backend;
mod capabilities;
mod frames;
mod from_proto;
mod guard;
mod handlers;
mod lanes;
pub mod logging;
mod outbound;
mod parent;
mod session;
mod settings;
mod to_proto;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crossbeam_channel::Sender;
use hotsave_protocol::{ExplainRequest, Request as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tower_lsp::{LspService, Server};

use self::{backend::Backend, guard::Guard, outbound::Outbound, session::Session};
use crate::workspace::{
    event::{Event, StopCause},
    output::{Level, Output},
};

/// How long the loop may take to end what it started.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// How long what is left to say may take.
const DRAIN_LIMIT: Duration = Duration::from_millis(100);
/// What tower-lsp may have unread.
const PIPE_BYTES: usize = 64 * 1024;

/// Exit code after `exit` without `shutdown`, the end of input or of the editor.
const LOST: u8 = 1;
/// Exit code after a panic of the loop.
const BROKEN: u8 = 70;

/// Why serving ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Exit,
    InputEnded,
    OutputBroken,
    EditorGone,
    ServerEnded,
    LoopEnded(u8),
    LoopLost,
}

/// Serves one editor until it ends; returns the exit code of the process: 0 after `shutdown` and `exit`, 70 if the loop
/// broke, else 1.
///
/// `start_loop` gets the sender of the loop's outputs and returns that of its events. Tasks may still hold `reader`
/// afterwards: reading stdin cannot be cancelled, so a process has to end by an explicit exit.
pub async fn run<R, W, F>(reader: R, writer: W, start_loop: F) -> u8
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    F: FnOnce(UnboundedSender<Output>) -> Sender<Event>,
{
    let (output_sender, outputs) = unbounded_channel();
    let session = Arc::new(Session::new(start_loop(output_sender)));
    let mut connection = Connection::new(reader, writer, &session, outputs);
    let ending = connection.serve().await;
    tracing::info!("ending: {ending:?}");
    let is_asked = ending == Ending::Exit && session.is_shut_down.load(Ordering::Acquire);
    let exit_code = match ending {
        Ending::LoopEnded(exit_code) => exit_code,
        Ending::LoopLost => {
            let text = "hotsave failed and ends; the log says where".to_owned();
            connection.outbound.show(Level::Error, text);
            BROKEN
        }
        _ => {
            let (cause, exit_code) = if is_asked {
                (StopCause::Asked, 0)
            } else {
                (StopCause::Lost, LOST)
            };
            session.stop(cause);
            match connection.wait_for_loop().await {
                Some(BROKEN) => BROKEN,
                _ => exit_code,
            }
        }
    };
    connection.finish().await;
    exit_code
}

/// The tasks of one connection.
struct Connection {
    session: Arc<Session>,
    outbound: Outbound,
    outputs: UnboundedReceiver<Output>,
    endings: UnboundedReceiver<Ending>,
    /// Dropped to let tower-lsp see the end of its input.
    input: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Connection {
    fn new<R, W>(
        reader: R,
        writer: W,
        session: &Arc<Session>,
        outputs: UnboundedReceiver<Output>,
    ) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (ending_sender, endings) = unbounded_channel();
        let end_with = |ending: Ending| {
            let sender = ending_sender.clone();
            move || {
                let _ = sender.send(ending);
            }
        };
        let outbound = Outbound::new(Arc::clone(session));
        logging::attach(&outbound);
        let backend = Backend {
            session: Arc::clone(session),
            outbound: outbound.clone(),
        };
        let service =
            LspService::build(|_| backend).custom_method(ExplainRequest::METHOD, Backend::explain);
        #[cfg(debug_assertions)]
        let service = service
            .custom_method("hotsave/test/panic", Backend::panic)
            .custom_method("hotsave/test/panicLoop", Backend::panic_loop);
        let (service, _) = service.finish();
        let guard = Guard::new(service, Arc::clone(session), end_with(Ending::Exit));
        let (pipe, server_end) = tokio::io::duplex(PIPE_BYTES);
        let outlet = frames::Outlet::new(writer, end_with(Ending::OutputBroken));
        let server = Server::new(server_end, outlet, outbound.clone())
            .concurrency_level(guard::CONCURRENCY)
            .serve(guard);
        let (input, input_ends) = oneshot::channel();
        tokio::spawn(read(reader, pipe, input_ends, end_with(Ending::InputEnded)));
        Self {
            session: Arc::clone(session),
            outbound,
            outputs,
            endings,
            input: Some(input),
            server: tokio::spawn(server),
        }
    }

    /// Serves until something ends.
    async fn serve(&mut self) -> Ending {
        let mut process_id = self.session.parent.subscribe();
        let editor_gone = async move {
            let process_id = process_id
                .wait_for(Option::is_some)
                .await
                .map_or(None, |it| *it);
            parent::gone(process_id).await;
        };
        tokio::pin!(editor_gone);
        loop {
            tokio::select! {
                output = self.outputs.recv() => match output {
                    Some(Output::Ended { exit_code }) => return Ending::LoopEnded(exit_code),
                    Some(output) => self.outbound.publish(output),
                    None => return Ending::LoopLost,
                },
                Some(ending) = self.endings.recv() => return ending,
                () = &mut editor_gone => return Ending::EditorGone,
                _ = &mut self.server => return Ending::ServerEnded,
            }
        }
    }

    /// Passes on what the loop still says until it has ended; its exit code, `None` if it takes too long.
    async fn wait_for_loop(&mut self) -> Option<u8> {
        let limit = Instant::now() + STOP_LIMIT;
        loop {
            match timeout_at(limit, self.outputs.recv()).await {
                Ok(Some(Output::Ended { exit_code })) => return Some(exit_code),
                Ok(Some(output)) => self.outbound.publish(output),
                Ok(None) => return Some(BROKEN),
                Err(_) => {
                    tracing::warn!("the loop did not end in {} s", STOP_LIMIT.as_secs());
                    return None;
                }
            }
        }
    }

    /// Lets what is left to say leave, as far as the client reads it in time.
    async fn finish(mut self) {
        let limit = Instant::now() + DRAIN_LIMIT;
        // What waits leaves first: at the end of its input tower-lsp sends answers only.
        self.outbound.close();
        let _ = timeout_at(limit, self.outbound.drained()).await;
        drop(self.input.take());
        if !self.server.is_finished() {
            let _ = timeout_at(limit, &mut self.server).await;
        }
        logging::detach();
    }
}

/// Feeds tower-lsp until the end of input, and keeps its pipe open until serving ends.
async fn read(
    reader: impl AsyncRead + Unpin,
    mut pipe: tokio::io::DuplexStream,
    mut input_ends: oneshot::Receiver<()>,
    on_end: impl FnOnce(),
) {
    tokio::select! {
        result = frames::pump(reader, &mut pipe) => {
            if let Err(error) = result {
                tracing::info!("input broken: {error}");
            }
            on_end();
            let _ = input_ends.await;
        }
        _ = &mut input_ends => {}
    }
}
