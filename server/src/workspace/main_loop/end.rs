//! The end: hosts get their time, then everything is closed, then the loop returns.

use std::{path::Path, sync::Arc, time::Instant};

use super::{MainLoop, STOP_LIMIT, Stopping};
use crate::workspace::{
    domain::Domain,
    event::{Reply, StopCause},
};

impl MainLoop {
    pub(super) fn shutdown(&mut self, now: Instant, reply: Reply<()>) {
        match &mut self.stopping {
            Some(stopping) if stopping.is_done => reply.send(Ok(())),
            Some(stopping) => stopping.reply = Some(reply),
            None => {
                self.begin_stop(now, None);
                if let Some(stopping) = &mut self.stopping {
                    stopping.reply = Some(reply);
                }
            }
        }
    }

    pub(super) fn stop(&mut self, now: Instant, cause: StopCause) {
        let exit_code = match cause {
            StopCause::Asked => 0,
            StopCause::Lost => 1,
        };
        match &mut self.stopping {
            Some(stopping) => stopping.exit_code = Some(exit_code),
            None => self.begin_stop(now, Some(exit_code)),
        }
    }

    pub(super) fn begin_stop(&mut self, now: Instant, exit_code: Option<u8>) {
        for domain in self.domains.values_mut() {
            domain.begin_stop(now, &self.around);
        }
        self.stopping = Some(Stopping {
            deadline: now + STOP_LIMIT,
            reply: None,
            exit_code,
            is_done: false,
        });
    }

    /// Closes everything once the hosts have ended or their time is up.
    pub(super) fn go_on_stopping(&mut self, now: Instant) -> Option<u8> {
        if self.stopping.as_ref()?.is_done {
            return self.stopping.as_ref()?.exit_code;
        }
        for domain in self.domains.values_mut() {
            domain.go_on_stopping(now, &self.around);
        }
        let stopping = self.stopping.as_mut()?;
        if !stopping.is_done
            && (now >= stopping.deadline || self.domains.values().all(Domain::is_stopped))
        {
            stopping.is_done = true;
            let roots: Vec<Arc<Path>> = self
                .domains
                .values()
                .map(|it| Arc::clone(it.root()))
                .collect();
            for root in roots {
                self.close_domain(now, &root);
            }
        }
        let stopping = self.stopping.as_mut()?;
        if !stopping.is_done {
            return None;
        }
        if let Some(reply) = stopping.reply.take() {
            reply.send(Ok(()));
        }
        stopping.exit_code
    }
}
