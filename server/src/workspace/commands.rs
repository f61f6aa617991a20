//! Commands: what a person can ask for, with and without an argument.
//!
//! Every answer comes after the outcome, so that scripts can wait (editors specification, 3.3).

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Instant};

use hotsave_engine::outcome::{Outcome, Tag};
use hotsave_protocol::{Cause, Command};
use tokio::sync::oneshot;

use super::{
    domain::{Domain, Surroundings},
    event::{Answer, Reply, RequestError},
    request::{Force, Request},
};

/// Whether the command without an argument is for the domain of the document opened last, not for all.
pub(super) const fn is_of_one_domain(command: Command) -> bool {
    matches!(command, Command::Trust | Command::Explain)
}

/// The answer of `domain` now, after `outcome`.
pub(super) fn answer(domain: &Domain, message: &str, outcome: Option<&Outcome>) -> Answer {
    Answer {
        message: message.to_owned(),
        workspace: Arc::clone(domain.workspace()),
        generation: outcome.map(|_| domain.generation),
        outcome: outcome.cloned(),
        text: None,
    }
}

impl Domain {
    /// Carries out `command`; `path` is the file it speaks of, if it names one.
    pub(super) fn command(
        &mut self,
        now: Instant,
        command: Command,
        path: Option<&Arc<Path>>,
        reply: Reply<Answer>,
        around: &Surroundings,
    ) {
        match command {
            Command::Reload => {
                let force = match path {
                    Some(path) => Force::Files(BTreeSet::from([Arc::clone(path)])),
                    None => Force::Nothing,
                };
                self.ask(now, force, reply, around);
            }
            Command::ReloadAll => self.ask(now, Force::All, reply, around),
            Command::Pause => {
                let word = if self.settler.pause() {
                    "paused"
                } else {
                    "already paused"
                };
                if word != "paused" {
                    tracing::warn!("pause: {word}");
                }
                reply.send(Ok(answer(self, word, None)));
            }
            Command::Resume => {
                let word = if self.settler.resume(now) {
                    "resumed"
                } else {
                    "was not paused"
                };
                if word != "resumed" {
                    tracing::warn!("resume: {word}");
                }
                reply.send(Ok(answer(self, word, None)));
                self.start_next(now, around);
            }
            Command::Restart => self.restart_host(now, reply, around),
            Command::Trust => match self.grant_trust(now, around) {
                Ok(()) => {
                    let message = if self.may_run() {
                        "trusted to run programs"
                    } else {
                        "noted, but this editor denies trust to the folder"
                    };
                    let mut granted = answer(self, message, None);
                    granted.text = Some(self.config.commands());
                    reply.send(Ok(granted));
                }
                Err(error) => {
                    let message = format!("cannot write the trust store: {error}");
                    reply.send(Err(RequestError::Failed {
                        code: "state",
                        message,
                    }));
                }
            },
            Command::Explain => reply.send(super::explain::explain(self, None).map(|it| Answer {
                generation: Some(it.generation),
                outcome: it.outcome,
                text: Some(it.text.clone()),
                ..answer(self, it.text.lines().next().unwrap_or_default(), None)
            })),
        }
    }

    /// Queues a reload that a person asked for; what was held back or refused goes along.
    fn ask(&mut self, now: Instant, force: Force, reply: Reply<Answer>, around: &Surroundings) {
        // A command works while paused, and takes along what was collected.
        let was_paused = self.settler.resume(now);
        self.settler.hasten(now);
        if let Some(set) = self.settler.take(now) {
            self.request(Request::of_changes(set.changes, set.source));
        }
        self.request(Request {
            force,
            retries: true,
            cause: Some(Cause::Command),
            replies: vec![reply],
            ..Request::default()
        });
        self.start_next(now, around);
        if was_paused {
            self.settler.pause();
        }
    }
}

/// One command for several domains: their answers become one.
pub(super) struct Gathering {
    parts: Vec<oneshot::Receiver<Result<Answer, RequestError>>>,
    answers: Vec<Result<Answer, RequestError>>,
    reply: Option<Reply<Answer>>,
}

impl Gathering {
    /// A reply for each of `n` domains, and what makes one of their answers.
    pub(super) fn new(reply: Reply<Answer>, n: usize) -> (Vec<Reply<Answer>>, Self) {
        let (replies, parts) = (0..n)
            .map(|_| {
                let (sender, receiver) = oneshot::channel();
                (Reply(sender), receiver)
            })
            .unzip();
        (
            replies,
            Self {
                parts,
                answers: Vec::new(),
                reply: Some(reply),
            },
        )
    }

    /// Takes in what has come; returns whether the command is answered, or withdrawn. The worst outcome speaks for all.
    pub(super) fn poll(&mut self) -> bool {
        self.parts.retain_mut(|it| match it.try_recv() {
            Ok(answer) => {
                self.answers.push(answer);
                false
            }
            Err(oneshot::error::TryRecvError::Empty) => true,
            Err(oneshot::error::TryRecvError::Closed) => false,
        });
        if self.reply.as_ref().is_none_or(Reply::is_cancelled) {
            return true;
        }
        if !self.parts.is_empty() {
            return false;
        }
        let severity = |it: &Result<Answer, RequestError>| match it {
            Ok(answer) => answer.outcome.as_ref().map(|it| it.tag),
            Err(_) => Some(Tag::RolledBack),
        };
        let worst = std::mem::take(&mut self.answers)
            .into_iter()
            .max_by_key(severity);
        if let Some((reply, worst)) = self.reply.take().zip(worst) {
            reply.send(worst);
        }
        true
    }
}
