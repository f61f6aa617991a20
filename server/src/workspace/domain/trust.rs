//! Trust: whether programs of this folder may be executed, and what waits for that.

use std::time::Instant;

use hotsave_protocol as protocol;

use super::{Domain, Surroundings};
use crate::workspace::{
    event::Trust,
    request::{Force, Request},
    trust::Decision,
};

impl Domain {
    pub(super) fn decide_trust(&mut self, around: &Surroundings) {
        self.trust = match self.editor_trust {
            Some(Trust::Granted) => Decision::Granted,
            Some(Trust::Denied) => Decision::Unknown,
            None => around
                .options
                .state
                .decide(&self.folder.path, &self.config.commands()),
        };
        if self.may_run() {
            self.trust_was_missed = false;
        }
    }

    /// Whether programs of this folder may be executed.
    pub(crate) fn may_run(&self) -> bool {
        self.trust == Decision::Granted
    }

    /// Trusts what the configuration runs now. `denied` by the editor stays denied until the editor says otherwise.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) fn grant_trust(
        &mut self,
        now: Instant,
        around: &Surroundings,
    ) -> std::io::Result<()> {
        around
            .options
            .state
            .grant(&self.folder.path, &self.config.commands())?;
        self.editor_trust = self.editor_trust.map(|_| Trust::Granted);
        self.decide_trust(around);
        let startup = if self
            .units
            .as_ref()
            .is_some_and(|it| it.has_startup(&self.config))
        {
            Force::Startup
        } else {
            Force::Nothing
        };
        let cause = Some(protocol::Cause::Command);
        if startup == Force::Startup || self.refusals.files().next().is_some() {
            self.request(Request {
                force: startup,
                retries: true,
                cause,
                ..Request::default()
            });
        }
        self.start_next(now, around);
        Ok(())
    }
}
