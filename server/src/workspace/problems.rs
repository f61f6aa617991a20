//! The problem store: who says what is wrong with which file, and what of it must be shown anew.
//!
//! Problems of all owners are merged per file. A file is published when what it shows has changed, once with an empty
//! set when its last problem goes, and never for a generation older than the one the owner has already shown
//! (editors specification, 3.2).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use hotsave_engine::{generation::Generation, problem::Problem};
use hotsave_lua::errors::codes;

/// Who found a problem. Each owner replaces only its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owner {
    /// The parser.
    Syntax,
    /// The module graph.
    Graph,
    /// A host, by its name; shown as `lua:NAME`.
    Host(String),
    /// `hotsave.toml`.
    Config,
    /// What `hotsave.toml` would execute and may not.
    Trust,
}

/// Problems by file and owner.
#[derive(Debug, Default)]
pub(super) struct ProblemStore {
    files: HashMap<Arc<Path>, File>,
    owners: HashMap<Owner, HashSet<Arc<Path>>>,
    dirty: HashSet<Arc<Path>>,
}

#[derive(Debug, Default)]
struct File {
    by_owner: BTreeMap<Owner, (Generation, Vec<Problem>)>,
    shown: Vec<Problem>,
}

/// What a file shows from now on.
#[derive(Debug, PartialEq)]
pub(super) struct Publication {
    /// The file.
    pub(super) path: Arc<Path>,
    /// The newest generation among its problems.
    pub(super) generation: Generation,
    /// Errors first, then by place; empty clears the file.
    pub(super) problems: Vec<Problem>,
}

impl ProblemStore {
    /// Replaces what `owner` says of `path`; dropped if the owner has already spoken of it in a later generation.
    pub(super) fn set(
        &mut self,
        owner: &Owner,
        path: &Arc<Path>,
        generation: Generation,
        problems: Vec<Problem>,
    ) {
        let known = self.files.get(path).and_then(|it| it.by_owner.get(owner));
        if known.is_none() && problems.is_empty() {
            return;
        }
        if known.is_some_and(|(shown, _)| *shown > generation) {
            return;
        }
        let file = self.files.entry(Arc::clone(path)).or_default();
        if problems.is_empty() {
            file.by_owner.remove(owner);
            if let Some(paths) = self.owners.get_mut(owner) {
                paths.remove(path);
            }
        } else {
            file.by_owner.insert(owner.clone(), (generation, problems));
            self.owners
                .entry(owner.clone())
                .or_default()
                .insert(Arc::clone(path));
        }
        self.dirty.insert(Arc::clone(path));
    }

    /// Replaces everything `owner` says: files it does not name any more lose its problems.
    pub(super) fn set_all(
        &mut self,
        owner: &Owner,
        generation: Generation,
        problems: Vec<Problem>,
    ) {
        let mut by_path: HashMap<Arc<Path>, Vec<Problem>> = HashMap::new();
        for problem in problems {
            by_path
                .entry(Arc::clone(&problem.place.path))
                .or_default()
                .push(problem);
        }
        for path in self.paths_of(owner) {
            by_path.entry(path).or_default();
        }
        for (path, problems) in by_path {
            self.set(owner, &path, generation, problems);
        }
    }

    /// The files that `owner` has problems in.
    #[must_use]
    pub(super) fn paths_of(&self, owner: &Owner) -> Vec<Arc<Path>> {
        self.owners
            .get(owner)
            .map(|it| it.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Forgets a file that is gone, whoever spoke of it.
    pub(super) fn remove_file(&mut self, path: &Path) {
        let Some((path, file)) = self
            .files
            .get_key_value(path)
            .map(|(path, file)| (Arc::clone(path), file))
        else {
            return;
        };
        for owner in file.by_owner.keys() {
            if let Some(paths) = self.owners.get_mut(owner) {
                paths.remove(&path);
            }
        }
        if let Some(file) = self.files.get_mut(&path) {
            file.by_owner.clear();
        }
        self.dirty.insert(path);
    }

    /// Forgets everything; the next [`Self::take_changes`] empties every file that shows something.
    pub(super) fn clear(&mut self) {
        self.owners.clear();
        for (path, file) in &mut self.files {
            file.by_owner.clear();
            self.dirty.insert(Arc::clone(path));
        }
    }

    /// The files whose shown set changed since the last call, in path order.
    pub(super) fn take_changes(&mut self) -> Vec<Publication> {
        let mut dirty: Vec<Arc<Path>> = self.dirty.drain().collect();
        dirty.sort();
        let mut publications = Vec::new();
        for path in dirty {
            let Some(file) = self.files.get_mut(&path) else {
                continue;
            };
            let generation = file
                .by_owner
                .values()
                .map(|(it, _)| *it)
                .max()
                .unwrap_or_default();
            let problems = file.merged();
            if problems != file.shown {
                file.shown.clone_from(&problems);
                publications.push(Publication {
                    path: Arc::clone(&path),
                    generation,
                    problems,
                });
            }
            if file.by_owner.is_empty() {
                self.files.remove(&path);
            }
        }
        publications
    }
}

impl File {
    /// All owners' problems, equal ones once, errors first, then by place.
    fn merged(&self) -> Vec<Problem> {
        let mut all: Vec<&Problem> = self
            .by_owner
            .values()
            .flat_map(|(_, problems)| problems)
            .collect();
        all.sort_by_key(|it| (it.severity, it.place.span.start, it.place.span.end));
        let mut merged: Vec<Problem> = Vec::new();
        for problem in all {
            if !merged.iter().any(|it| same(it, problem)) {
                merged.push(problem.clone());
            }
        }
        merged
    }
}

/// Whether two owners found the same thing; the graver of the two is shown.
///
/// A line has one first syntax error and a require one answer, whoever judged it and in whatever words: what the graph
/// warns of and a host then failed of is one problem, and so is what the parser and a host's compiler stumble over.
fn same(one: &Problem, other: &Problem) -> bool {
    let line_of = |it: &Problem| it.place.text.line_column(it.place.span.start).0;
    one.code == other.code
        && match one.code {
            codes::SYNTAX => line_of(one) == line_of(other),
            codes::MODULE_NOT_FOUND => one.place.span == other.place.span,
            _ => one.place.span == other.place.span && one.message == other.message,
        }
}

#[cfg(test)]
mod tests {
    use hotsave_engine::{
        problem::{Place, Severity},
        text::SourceText,
    };

    use super::*;

    fn path(name: &str) -> Arc<Path> {
        Arc::from(Path::new(name))
    }

    fn problem(file: &str, message: &str) -> Problem {
        Problem {
            place: Place {
                path: path(file),
                text: SourceText::new(*b"local x"),
                span: 0..5,
            },
            severity: Severity::Error,
            code: codes::LOAD_ERROR,
            message: message.to_owned(),
            related: Vec::new(),
            data: Vec::new(),
        }
    }

    fn shown(store: &mut ProblemStore) -> Vec<(String, Vec<String>)> {
        let show = |it: Publication| {
            (
                it.path.display().to_string(),
                it.problems.into_iter().map(|it| it.message).collect(),
            )
        };
        store.take_changes().into_iter().map(show).collect()
    }

    #[test]
    fn owners_are_merged_and_equal_problems_shown_once() {
        let mut store = ProblemStore::default();
        let host = Owner::Host("worker".into());
        store.set(
            &Owner::Syntax,
            &path("/a"),
            Generation::new(1),
            vec![problem("/a", "one")],
        );
        store.set(
            &host,
            &path("/a"),
            Generation::new(1),
            vec![problem("/a", "one"), problem("/a", "two")],
        );
        assert_eq!(
            shown(&mut store),
            [("/a".to_owned(), vec!["one".to_owned(), "two".to_owned()])]
        );
        store.set(&host, &path("/a"), Generation::new(2), Vec::new());
        assert_eq!(
            shown(&mut store),
            [("/a".to_owned(), vec!["one".to_owned()])]
        );
    }

    #[test]
    fn a_line_has_one_syntax_error_whoever_found_it() {
        let mut store = ProblemStore::default();
        let host = Owner::Host("worker".into());
        let at = |code, span: std::ops::Range<u32>, message: &str| {
            let mut it = problem("/a", message);
            it.code = code;
            it.place.span = span;
            it
        };
        let parser = at(codes::SYNTAX, 6..7, "the parser's words");
        let compiler = at(codes::SYNTAX, 0..7, "the compiler's words");
        store.set(
            &Owner::Syntax,
            &path("/a"),
            Generation::new(1),
            vec![parser],
        );
        store.set(&host, &path("/a"), Generation::new(1), vec![compiler]);
        assert_eq!(store.take_changes()[0].problems.len(), 1);
    }

    #[test]
    fn the_last_problem_leaves_one_empty_set_and_unchanged_sets_are_not_sent_again() {
        let mut store = ProblemStore::default();
        store.set(
            &Owner::Syntax,
            &path("/a"),
            Generation::new(1),
            vec![problem("/a", "one")],
        );
        assert_eq!(shown(&mut store).len(), 1);
        store.set(
            &Owner::Syntax,
            &path("/a"),
            Generation::new(2),
            vec![problem("/a", "one")],
        );
        assert!(shown(&mut store).is_empty());
        store.set(&Owner::Syntax, &path("/a"), Generation::new(3), Vec::new());
        assert_eq!(shown(&mut store), [("/a".to_owned(), Vec::new())]);
        store.set(&Owner::Syntax, &path("/a"), Generation::new(4), Vec::new());
        assert!(shown(&mut store).is_empty());
    }

    #[test]
    fn an_older_generation_does_not_replace_a_newer_one() {
        let mut store = ProblemStore::default();
        store.set(
            &Owner::Syntax,
            &path("/a"),
            Generation::new(5),
            vec![problem("/a", "new")],
        );
        store.set(
            &Owner::Syntax,
            &path("/a"),
            Generation::new(4),
            vec![problem("/a", "old")],
        );
        store.set(&Owner::Syntax, &path("/a"), Generation::new(4), Vec::new());
        assert_eq!(
            shown(&mut store),
            [("/a".to_owned(), vec!["new".to_owned()])]
        );
    }

    #[test]
    fn a_whole_scope_clears_files_it_no_longer_names_and_removed_files_are_emptied() {
        let mut store = ProblemStore::default();
        let both = vec![problem("/a", "one"), problem("/b", "two")];
        store.set_all(&Owner::Graph, Generation::new(1), both);
        assert_eq!(shown(&mut store).len(), 2);
        store.set_all(
            &Owner::Graph,
            Generation::new(2),
            vec![problem("/b", "two")],
        );
        assert_eq!(shown(&mut store), [("/a".to_owned(), Vec::new())]);
        store.remove_file(Path::new("/b"));
        assert_eq!(shown(&mut store), [("/b".to_owned(), Vec::new())]);
    }
}
