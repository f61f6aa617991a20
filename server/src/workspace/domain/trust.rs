//! Trust: whether programs of this folder may be executed, and what waits for that.

use std::{ops::Range, sync::Arc, time::Instant};

use hotsave_engine::problem::{Place, Problem, Severity};
use hotsave_protocol as protocol;

use super::{Domain, Surroundings};
use crate::workspace::{
    event::Trust,
    problems::Owner,
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
        let problem = self.trust_problem();
        self.problems.set(
            &Owner::Trust,
            &self.config_path,
            self.generation,
            problem.into_iter().collect(),
        );
    }

    /// One information diagnostic on what the configuration would execute, while it may not; nothing asks by itself
    /// (editors specification, 2.11).
    fn trust_problem(&self) -> Option<Problem> {
        let lua = &self.config.lua;
        if self.may_run() || (lua.entry.is_empty() && lua.allow.is_empty()) {
            return None;
        }
        let asked = self.config.commands().replace('\n', ", ");
        let message = match &self.trust {
            Decision::Changed { trusted } => {
                let trusted = trusted.replace('\n', ", ");
                format!(
                    "trusted to run `{trusted}` and now asks for `{asked}`; hotsave.trust or `hotsave trust` allows it"
                )
            }
            Decision::Unknown | Decision::Granted => {
                format!("not trusted to run `{asked}`; hotsave.trust or `hotsave trust` allows it")
            }
        };
        Some(Problem {
            place: Place {
                path: Arc::clone(&self.config_path),
                text: self.config_text.clone(),
                span: self.command_span(),
            },
            severity: Severity::Information,
            code: "config-untrusted",
            message,
            related: Vec::new(),
            data: Vec::new(),
        })
    }

    /// The first line of the configuration that names a command.
    fn command_span(&self) -> Range<u32> {
        let text = &self.config_text;
        let names_command = |line: &u32| {
            let line = text.line(*line).trim_ascii_start();
            line.starts_with(b"entry") || line.starts_with(b"allow")
        };
        let line = (0..text.n_lines()).find(names_command).unwrap_or(0);
        text.line_range(line)
    }

    /// Whether programs of this folder may be executed.
    pub(crate) fn may_run(&self) -> bool {
        self.trust == Decision::Granted
    }

    /// Trusts what the configuration runs now. What the editor denies stays denied until the editor says otherwise; it
    /// is remembered for other front ends.
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
        self.decide_trust(around);
        if !self.may_run() {
            return Ok(());
        }
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
        if startup == Force::Startup || !self.refusals.is_empty() {
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
