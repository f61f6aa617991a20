//! What a domain says of its files and of itself.

use std::{path::Path, sync::Arc, time::Instant};

use hotsave_engine::{
    change::{Content, Source},
    generation::Generation,
    problem::Problem,
};
use hotsave_lua::syntax::Dialect;

use super::{Domain, Surroundings};
use crate::workspace::{
    config,
    documents::Document,
    jobs::{self, JobDone},
    output::{FileProblems, Output},
    problems::Owner,
    status,
    units::{self, Units},
};

impl Domain {
    /// Checks the unsaved text of a document.
    pub(crate) fn check_buffer(&mut self, path: &Arc<Path>, around: &Surroundings) {
        let Some(document) = around.documents.get(path) else {
            return;
        };
        if *path == self.config_path {
            let (_, problems) = config::read(path, &document.text);
            self.problems
                .set(&Owner::Config, path, self.generation, problems);
            return;
        }
        if !self.concerns(path) && &*document.language != "lua" {
            return;
        }
        let problems = match &mut self.units {
            Some(units) => units.judge(path, &document.text),
            None => units::syntax_problems(path, &document.text, Dialect::Lua54),
        };
        self.problems
            .set(&Owner::Syntax, path, self.generation, problems);
        if let Some(problems) = self
            .units
            .as_ref()
            .and_then(|it| it.graph_problems(path, &document.text))
        {
            self.problems
                .set(&Owner::Graph, path, self.generation, problems);
        }
    }

    /// A closed buffer does not count any more: the file does.
    pub(crate) fn closed(&mut self, path: &Arc<Path>, around: &Surroundings) {
        self.problems
            .set(&Owner::Syntax, path, self.generation, Vec::new());
        if *path == self.config_path {
            // What was typed and thrown away says nothing of the file any more.
            let problems = self.config_problems.clone();
            self.problems
                .set(&Owner::Config, path, self.generation, problems);
            return;
        }
        if !path.exists() {
            self.problems.remove_file(path);
        } else if let Some(units) = &self.units {
            // What the disk holds may differ from the buffer that was thrown away.
            let (domain, path, dialect) = (self.id, Arc::clone(path), units.dialect());
            let generation = self.generation;
            around.pool.run(domain, "checked a closed file", move || {
                let change = jobs::read_change(&path, Source::Watcher);
                let problems = match &change.content {
                    Content::Text(text) => units::syntax_problems(&path, text, dialect),
                    Content::Removed => Vec::new(),
                };
                JobDone::Checked {
                    domain,
                    path,
                    generation,
                    problems,
                }
            });
        }
    }

    /// The result of a check of a file that is not open.
    pub(crate) fn checked(
        &mut self,
        path: &Arc<Path>,
        generation: Generation,
        problems: Vec<Problem>,
        around: &Surroundings,
    ) {
        if around.documents.get(path).is_none() {
            self.problems
                .set(&Owner::Syntax, path, generation, problems);
        }
    }

    /// What the host refused and warned of, as it stands now.
    pub(super) fn set_host_problems(&mut self) {
        let mut problems = self.refusals.problems();
        problems.extend(self.units.iter().flat_map(Units::warnings));
        self.problems
            .set_all(&Owner::Host("worker".to_owned()), self.generation, problems);
    }

    /// Sends what changed since the last call.
    pub(crate) fn publish(&mut self, _now: Instant, around: &Surroundings) {
        self.publish_problems(around);
        self.publish_status(around);
    }

    pub(super) fn publish_problems(&mut self, around: &Surroundings) {
        for publication in self.problems.take_changes() {
            let document = around.documents.get(&publication.path);
            let judged_current = |it: &Document| {
                publication
                    .problems
                    .iter()
                    .all(|problem| problem.place.text == it.text)
            };
            let version = document.filter(judged_current).map(|it| it.version);
            around.say(Output::Problems(FileProblems {
                workspace: Arc::clone(&self.workspace),
                generation: publication.generation,
                path: publication.path,
                version,
                problems: publication.problems,
            }));
        }
    }

    pub(super) fn publish_status(&mut self, around: &Surroundings) {
        let status = status::of(self);
        if self.shown.replace(&status) {
            around.say(Output::Status(Box::new(status)));
        }
    }
}
