//! What one connection has agreed on, and the way from its messages to the loop.
//!
//! Holds no document and no state of a project: those are the loop's.

use std::{
    collections::HashSet,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crossbeam_channel::Sender;

use super::capabilities::Client;
use crate::uri::Spellings;
use crate::workspace::{
    event::{EditorMessage, Event, StopCause},
    position::Encoding,
    settings::Notify,
};

/// One connection.
pub(super) struct Session {
    /// How the client spells its files.
    pub(super) spellings: Spellings,
    /// Whether `shutdown` was received.
    pub(super) is_shut_down: AtomicBool,
    /// The editor's process, told by `initialize`.
    pub(super) parent: tokio::sync::watch::Sender<Option<u32>>,
    events: Sender<Event>,
    arrivals: AtomicU64,
    client: OnceLock<Client>,
    client_watches: AtomicBool,
    remarks: Mutex<HashSet<String>>,
    notify: Mutex<Notify>,
}

impl Session {
    pub(super) fn new(events: Sender<Event>) -> Self {
        Self {
            spellings: Spellings::default(),
            is_shut_down: AtomicBool::new(false),
            parent: tokio::sync::watch::Sender::new(None),
            events,
            arrivals: AtomicU64::new(0),
            client: OnceLock::new(),
            client_watches: AtomicBool::new(false),
            remarks: Mutex::default(),
            notify: Mutex::default(),
        }
    }

    /// What the client declared; before `initialize` a client that declared nothing.
    pub(super) fn client(&self) -> &Client {
        static NOTHING: Client = Client::NOTHING;
        self.client.get().unwrap_or(&NOTHING)
    }

    /// Keeps what `initialize` declared; later calls are ignored.
    pub(super) fn declare(&self, client: Client) {
        let _ = self.client.set(client);
    }

    /// What columns count in this connection.
    pub(super) fn encoding(&self) -> Encoding {
        self.client().encoding
    }

    /// Whether the client is to report changes on disk.
    pub(super) fn client_watches(&self) -> bool {
        self.client_watches.load(Ordering::Relaxed)
    }

    /// Keeps the decision that `initialize` took.
    pub(super) fn set_client_watches(&self, client_watches: bool) {
        self.client_watches.store(client_watches, Ordering::Relaxed);
    }

    /// Which changes of health a plain client is told of.
    pub(super) fn notify(&self) -> Notify {
        *self.notify.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the newest setting.
    pub(super) fn set_notify(&self, notify: Notify) {
        *self.notify.lock().unwrap_or_else(PoisonError::into_inner) = notify;
    }

    /// Whether a remark is made for the first time on this connection.
    pub(super) fn is_new(&self, remark: &str) -> bool {
        self.remarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(remark.to_owned())
    }

    /// The number of a message that is being read. Called in reading order only.
    pub(super) fn next_arrival(&self) -> u64 {
        self.arrivals.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sends a message to the loop. A loop that has ended needs none.
    pub(super) fn tell(&self, arrival: u64, message: EditorMessage) {
        let _ = self.events.send(Event::Editor(arrival, message));
    }

    /// Ends the loop.
    pub(super) fn stop(&self, cause: StopCause) {
        let _ = self.events.send(Event::Stop(cause));
    }
}
