//! The language server as tower-lsp sees it: a message comes in, an event goes out. No logic here.
//!
//! Must stay true: the event is sent before the first `.await`, and what is awaited is the loop's answer, never the client.

use std::{path::Path, sync::Arc, time::Duration};

use hotsave_protocol as protocol;
use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::{
    LanguageServer,
    jsonrpc::Result,
    lsp_types::{
        CodeLens, CodeLensParams, CreateFilesParams, DeleteFilesParams,
        DidChangeConfigurationParams, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
        DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
        DidSaveTextDocumentParams, ExecuteCommandParams, InitializeParams, InitializeResult,
        InitializedParams, RenameFilesParams, WillSaveTextDocumentParams,
    },
};

use super::{from_proto, guard::ARRIVAL, handlers, outbound::Outbound, session::Session, to_proto};
use crate::workspace::event::{EditorMessage, Reply, RequestError};

/// How long `shutdown` waits for what was started to end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(3);

/// The backend of one connection.
pub(super) struct Backend {
    pub(super) session: Arc<Session>,
    pub(super) outbound: Outbound,
}

impl Backend {
    fn tell(&self, message: EditorMessage) {
        self.session.tell(ARRIVAL.get(), message);
    }

    fn look_at(&self, paths: Vec<Arc<Path>>) {
        self.tell(EditorMessage::FilesChanged { paths });
    }

    /// Sends a request to the loop and waits for its answer. Dropping this cancels the request.
    pub(super) async fn ask<T>(
        &self,
        message: impl FnOnce(Reply<T>) -> EditorMessage,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.tell(message(Reply(sender)));
        let ended = |_| {
            Err(RequestError::Failed {
                code: "ended",
                message: "the server is ending".to_owned(),
            })
        };
        receiver
            .await
            .unwrap_or_else(ended)
            .map_err(to_proto::error)
    }

    /// `hotsave/explain`.
    pub(super) async fn explain(
        &self,
        request: Option<protocol::ExplainRequest>,
    ) -> Result<protocol::Explanation> {
        let request = request.unwrap_or_default();
        let explanation = self
            .ask(|reply| EditorMessage::Explain { request, reply })
            .await?;
        Ok(to_proto::explanation(*explanation, &self.session))
    }

    /// `hotsave/test/panic`.
    #[cfg(debug_assertions)]
    #[expect(
        clippy::panic,
        reason = "the test of this very path, debug builds only"
    )]
    pub(super) async fn panic(&self, _: Value) -> Result<()> {
        panic!("asked for by a test")
    }

    /// `hotsave/test/panicLoop`.
    #[cfg(debug_assertions)]
    pub(super) async fn panic_loop(&self, _: Value) -> Result<()> {
        self.tell(EditorMessage::Panic);
        Ok(())
    }
}

#[tower_lsp::async_trait]
impl LanguageServer for Backend {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let (result, start) = handlers::initialize::handle(&self.session, &params);
        self.tell(EditorMessage::Start(Box::new(start)));
        Ok(result)
    }

    async fn initialized(&self, _: InitializedParams) {
        // The way out is open before the loop can say anything to it.
        handlers::initialized::handle(&self.session, &self.outbound);
        self.tell(EditorMessage::Ready);
    }

    async fn shutdown(&self) -> Result<()> {
        let answer = self.ask(|reply| EditorMessage::Shutdown { reply });
        // Whatever is left by then ends with the process.
        tokio::time::timeout(SHUTDOWN_LIMIT, answer)
            .await
            .unwrap_or(Ok(()))
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let document = params.text_document;
        self.tell(EditorMessage::Opened {
            path: self.session.spellings.learn(document.uri.as_str()),
            uri: document.uri.into(),
            language: document.language_id,
            version: document.version,
            text: document.text,
        });
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        self.tell(EditorMessage::Changed {
            path: from_proto::path(&params.text_document.uri),
            version: params.text_document.version,
            edits: from_proto::edits(params.content_changes),
        });
    }

    async fn will_save(&self, params: WillSaveTextDocumentParams) {
        let path = from_proto::path(&params.text_document.uri);
        self.tell(EditorMessage::WillSave {
            path,
            manual: from_proto::is_manual(params.reason),
        });
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        self.tell(EditorMessage::Saved {
            path: from_proto::path(&params.text_document.uri),
            text: params.text,
        });
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.tell(EditorMessage::Closed {
            path: from_proto::path(&params.text_document.uri),
        });
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        self.look_at(handlers::files::watched(&params));
    }

    async fn did_create_files(&self, params: CreateFilesParams) {
        self.look_at(handlers::files::created(&params));
    }

    async fn did_rename_files(&self, params: RenameFilesParams) {
        self.look_at(handlers::files::renamed(&params));
    }

    async fn did_delete_files(&self, params: DeleteFilesParams) {
        self.look_at(handlers::files::deleted(&params));
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        self.tell(EditorMessage::Folders {
            added: params.event.added.iter().map(from_proto::folder).collect(),
            removed: params
                .event
                .removed
                .iter()
                .map(|it| from_proto::path(&it.uri))
                .collect(),
        });
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        handlers::configuration::changed(&self.session, &self.outbound, &params.settings);
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        handlers::execute_command::handle(self, params).await
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        let path = from_proto::path(&params.text_document.uri);
        let lenses = self
            .ask(|reply| EditorMessage::CodeLens { path, reply })
            .await?;
        Ok(Some(lenses.into_iter().map(to_proto::lens).collect()))
    }

    async fn code_lens_resolve(&self, lens: CodeLens) -> Result<CodeLens> {
        // Lenses are sent whole; a client that asks for the rest anyway gets its own back.
        Ok(lens)
    }
}
