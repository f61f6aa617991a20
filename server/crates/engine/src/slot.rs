//! Slot: one operation at a time, and at most one waiting behind it.
//!
//! Runs nothing itself: it only says what may start now and whose result still counts.
//! Must stay true: no request is lost, each ends up in exactly one run, and a run that was given up is never heard again.
//!
//! Its whole life:
//!
//! ```
//! use hotsave_engine::slot::Slot;
//!
//! let merge = |mut older: Vec<&'static str>, newer| {
//!     older.extend::<Vec<_>>(newer);
//!     older
//! };
//! let mut slot = Slot::new();
//! assert!(slot.start().is_none(), "nothing was asked for");
//!
//! slot.request("save of a.lua".into(), vec!["a"], merge);
//! let first = slot.start().unwrap();
//! assert_eq!((first.cause.as_str(), first.request), ("save of a.lua", vec!["a"]));
//!
//! // Two saves while it runs become one run afterwards, for the newest reason.
//! slot.request("save of b.lua".into(), vec!["b"], merge);
//! slot.request("save of c.lua".into(), vec!["c"], merge);
//! assert!(slot.start().is_none(), "one at a time");
//! assert!(slot.finish(first.ticket), "its result counts");
//! let second = slot.start().unwrap();
//! assert_eq!((second.cause.as_str(), second.request), ("save of c.lua", vec!["b", "c"]));
//!
//! // The host hangs and is killed; what it says with its last breath comes too late.
//! assert!(slot.abandon());
//! assert!(!slot.finish(second.ticket), "nobody waits for it any more");
//! assert!(!slot.is_running() && slot.waiting().is_none());
//! ```

/// Why something is to be done, for the log: `save of a.lua`, `worker restarted`.
pub type Cause = String;

/// Names one run of one slot; of use only to the slot that gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// A run that begins now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started<Request> {
    /// To be given back with the result.
    pub ticket: Ticket,
    /// The cause of the newest request in it.
    pub cause: Cause,
    /// What to do.
    pub request: Request,
}

/// Holds the running operation's ticket and the request that waits.
#[derive(Clone, Debug)]
pub struct Slot<Request> {
    running: Option<Ticket>,
    waiting: Option<(Cause, Request)>,
    n_started: u64,
}

impl<Request> Slot<Request> {
    /// Nothing runs, nothing waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            running: None,
            waiting: None,
            n_started: 0,
        }
    }

    /// Queues a request; if one waits already, `merge(older, newer)` takes its place.
    pub fn request(
        &mut self,
        cause: Cause,
        request: Request,
        merge: impl FnOnce(Request, Request) -> Request,
    ) {
        let request = match self.waiting.take() {
            Some((_, older)) => merge(older, request),
            None => request,
        };
        self.waiting = Some((cause, request));
    }

    /// The waiting request, if nothing runs; it runs from now until [`Self::finish`] or [`Self::abandon`].
    #[must_use]
    pub fn start(&mut self) -> Option<Started<Request>> {
        if self.running.is_some() {
            return None;
        }
        let (cause, request) = self.waiting.take()?;
        self.n_started += 1;
        let ticket = Ticket(self.n_started);
        self.running = Some(ticket);
        Some(Started {
            ticket,
            cause,
            request,
        })
    }

    /// Ends the run of this ticket; `false` if it was given up before, its result then is stale and not to be shown.
    #[must_use]
    pub fn finish(&mut self, ticket: Ticket) -> bool {
        let is_current = self.running == Some(ticket);
        if is_current {
            self.running = None;
        }
        is_current
    }

    /// Gives the run up without its result; `false` if nothing ran. What waits stays and may start.
    pub fn abandon(&mut self) -> bool {
        self.running.take().is_some()
    }

    /// Takes the waiting request back before it starts.
    #[must_use]
    pub fn withdraw(&mut self) -> Option<(Cause, Request)> {
        self.waiting.take()
    }

    /// Whether an operation runs.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The request that waits.
    #[must_use]
    pub fn waiting(&self) -> Option<&Request> {
        self.waiting.as_ref().map(|(_, request)| request)
    }
}

impl<Request> Default for Slot<Request> {
    fn default() -> Self {
        Self::new()
    }
}
