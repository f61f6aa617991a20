//! The end of a domain: orderly with the server, or at once when its folder closes.

use std::time::Instant;

use hotsave_engine::outcome::{Outcome, Tag};

use super::{Domain, Surroundings};
use crate::workspace::event::RequestError;

impl Domain {
    /// Begins to end what was started; nothing new starts.
    pub(crate) fn begin_stop(&mut self, now: Instant, around: &Surroundings) {
        self.is_stopping = true;
        if let Some((_, request)) = self.slot.withdraw() {
            for reply in request.replies {
                reply.send(Err(RequestError::Cancelled));
            }
        }
        if self.operation.is_none() {
            let reports = self.host.stop(now);
            self.take_reports(now, reports, around);
        }
    }

    /// Whether nothing of the domain runs any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.operation.is_none() && self.host.is_stopped()
    }

    /// Stops the host once the last operation is over.
    pub(crate) fn go_on_stopping(&mut self, now: Instant, around: &Surroundings) {
        if self.is_stopping && self.operation.is_none() {
            let reports = self.host.stop(now);
            self.take_reports(now, reports, around);
        }
    }

    /// Ends at once: the running generation is cancelled, every shown problem taken back, the host killed by being
    /// dropped.
    pub(crate) fn close(mut self, now: Instant, around: &Surroundings) {
        self.is_stopping = true;
        if self.operation.is_some() {
            self.finish(
                now,
                Outcome::new(Tag::Cancelled).because("the folder was closed"),
                around,
            );
        }
        self.problems.clear();
        self.publish_problems(around);
        around
            .options
            .state
            .close_generations(&self.folder.path, self.generation);
    }
}
