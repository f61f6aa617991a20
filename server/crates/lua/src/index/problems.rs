//! What is wrong with the requires of a file, as far as names and files tell.

use std::{collections::HashMap, path::Path, sync::Arc};

use hotsave_engine::{
    problem::{Place, Problem, Severity},
    text::SourceText,
};

use super::{FileId, Key, ModuleIndex};
use crate::{
    resolve::slashed,
    scan::{Form, Name, Require, When},
};

/// What hosts answer for without a file; `love`, `vim` and the like cover all names below them.
const BUILT_IN: &[&str] = &[
    "_G",
    "bit",
    "bit32",
    "coroutine",
    "debug",
    "ffi",
    "hot",
    "io",
    "jit",
    "love",
    "math",
    "ngx",
    "os",
    "package",
    "resty",
    "string",
    "table",
    "utf8",
    "vim",
];

impl ModuleIndex {
    /// Problems of the requires of `file`; `text` is the text that the index was last given for it.
    ///
    /// *Shape*: in text order; `data` of `lua/module-not-found` has `name`, one `candidate` for each file tried and one
    /// `suggestion` for each similar name, the best first.
    #[must_use]
    pub fn problems(&self, file: FileId, text: &SourceText) -> Vec<Problem> {
        if self.hash(file) != Some(text.hash()) {
            return Vec::new();
        }
        let path: Arc<Path> = self.path(file).into();
        let own_name = self.name(file).unwrap_or_default();
        let mut dependents = None;
        let mut problems = Vec::new();
        for (require, target) in self.targets(file) {
            let mut report = |severity, code, message: String, data| {
                let place = Place {
                    path: path.clone(),
                    text: text.clone(),
                    span: require.argument.clone(),
                };
                problems.push(Problem {
                    place,
                    severity,
                    code,
                    message,
                    related: Vec::new(),
                    data,
                });
            };
            let Some(name) = require.name.resolved(&own_name) else {
                let message = "the name of this module is known only at run time".to_owned();
                report(Severity::Hint, "lua/dynamic-require", message, Vec::new());
                continue;
            };
            let Some(target) = target else {
                if require.form != Form::File && !is_built_in(&name) {
                    let severity = self.severity_of_missing(require, &name);
                    let message = format!("module '{name}' not found");
                    report(severity, "lua/module-not-found", message, self.help(&name));
                }
                continue;
            };
            if require.form == Form::File {
                continue;
            }
            if let Some(shadowed) = self.shadowed(&name, target) {
                let message = format!(
                    "'{name}' is {}, which hides {}",
                    self.relative_path(target),
                    self.relative_path(shadowed)
                );
                let data = vec![("shadowed", self.relative_path(shadowed).to_owned())];
                report(Severity::Information, "lua/shadowed-module", message, data);
            }
            if let Some(first) = self
                .names(target)
                .into_iter()
                .next()
                .filter(|it| slashed(it) != slashed(&name))
            {
                let path = self.relative_path(target);
                let message = format!(
                    "{path} is loaded both as '{first}' and as '{name}': it runs twice, with two states"
                );
                report(
                    Severity::Warning,
                    "lua/duplicate-module",
                    message,
                    vec![("name", first)],
                );
            }
            let dependents =
                dependents.get_or_insert_with(|| self.graph.closure(&[file], |_| false));
            if require.when == When::Load && dependents.contains(&target) {
                let chain: Vec<&str> = self
                    .chain(target, file)
                    .iter()
                    .map(|&it| self.relative_path(it))
                    .collect();
                let message = format!(
                    "requires itself: {} → {}",
                    self.relative_path(file),
                    chain.join(" → ")
                );
                report(
                    Severity::Information,
                    "lua/require-cycle",
                    message,
                    Vec::new(),
                );
            }
        }
        problems
    }

    /// Whether anything in the project has a name that begins like this one.
    #[must_use]
    pub fn knows_first_segment(&self, name: &str) -> bool {
        let name = slashed(name);
        let first = name.split('/').next().unwrap_or_default();
        self.first_segments.get(first).is_some_and(|&it| it > 0)
    }

    fn severity_of_missing(&self, require: &Require, name: &str) -> Severity {
        if require.form == Form::Optional {
            Severity::Hint
        } else if self.knows_first_segment(name) || matches!(require.name, Name::Own(..)) {
            Severity::Warning
        } else {
            // Most likely a library that is installed elsewhere.
            Severity::Information
        }
    }

    fn help(&self, name: &str) -> Vec<(&'static str, String)> {
        let candidates = self
            .options
            .templates
            .candidates(name)
            .map(|it| ("candidate", it));
        let suggestions = self.similar(name).into_iter().map(|it| ("suggestion", it));
        std::iter::once(("name", name.to_owned()))
            .chain(candidates)
            .chain(suggestions)
            .collect()
    }

    /// At most three names of files here that differ from `name` by little.
    fn similar(&self, name: &str) -> Vec<String> {
        let mut similar: Vec<(usize, String)> = Vec::new();
        let limit = (name.len() / 4).clamp(1, 3);
        for file in &self.files {
            // A path shares the name's letters; the bound spares the distance to most files.
            if file.content.is_none() || file.path.len() + limit < name.len() {
                continue;
            }
            for it in self.options.templates.names(&file.path) {
                if it.len().abs_diff(name.len()) <= limit {
                    let distance = strsim::osa_distance(&it, name);
                    if distance <= limit {
                        similar.push((distance, it));
                    }
                }
            }
        }
        similar.sort();
        similar.dedup();
        similar.into_iter().map(|(_, it)| it).take(3).collect()
    }

    /// A file at a later candidate, which would answer if `target` were not there.
    fn shadowed(&self, name: &str, target: FileId) -> Option<FileId> {
        let answers = self
            .options
            .templates
            .candidates(name)
            .filter_map(|it| self.existing(&it));
        answers.skip(1).find(|&it| it != target)
    }

    /// The shortest way over load edges, both ends included.
    fn chain(&self, from: FileId, to: FileId) -> Vec<FileId> {
        let mut came_from = HashMap::from([(from, from)]);
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(file) = queue.pop_front() {
            if file == to {
                break;
            }
            for &next in self.graph.dependencies(file) {
                came_from.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    file
                });
            }
        }
        let mut chain = vec![to];
        while let Some(&before) = chain.last().and_then(|it| came_from.get(it))
            && chain.last() != Some(&from)
        {
            chain.push(before);
        }
        chain.reverse();
        chain
    }

    /// Whether anything requires this name, for callers that only have a name.
    #[must_use]
    pub fn is_required(&self, name: &str) -> bool {
        self.asked.contains_key(&Key::Module(slashed(name).into()))
    }
}

fn is_built_in(name: &str) -> bool {
    let first = name.split(['.', '/']).next().unwrap_or_default();
    BUILT_IN.contains(&first)
}
