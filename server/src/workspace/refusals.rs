//! Refusals: the newest texts that the running program does not have, and why.
//!
//! A refused change set stays refused, file by file, until the file is applied, returns to the running text or is gone;
//! its problems stay as long as one of its files is left. Health is `error` exactly while something is failing here
//! (editors specification, section 1; Lua specification, 5.3).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use hotsave_engine::{
    problem::{Problem, Severity},
    text::SourceText,
};

/// Refused change sets, oldest first, and the files they are about. Each file is in one of them at most.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The newest refused text of every file, `None` for a deletion, and the number of its refusal.
    files: BTreeMap<Arc<Path>, (u64, Option<SourceText>)>,
    refusals: BTreeMap<u64, Refusal>,
    next: u64,
}

#[derive(Debug)]
struct Refusal {
    /// How many files are left of it.
    n_files: usize,
    problems: Vec<Problem>,
    /// Whether its own fault, and not a missing permission, is why.
    is_failing: bool,
}

impl Refusals {
    /// Notes that `files` were refused because of `problems`; an earlier refusal of one of them is over.
    pub(super) fn refuse(
        &mut self,
        files: BTreeMap<Arc<Path>, Option<SourceText>>,
        problems: Vec<Problem>,
        is_failing: bool,
    ) {
        for path in files.keys() {
            self.resolve(path);
        }
        if files.is_empty() {
            return;
        }
        let number = self.next;
        self.next += 1;
        let refusal = Refusal {
            n_files: files.len(),
            problems,
            is_failing,
        };
        self.refusals.insert(number, refusal);
        let files = files.into_iter();
        self.files
            .extend(files.map(|(path, text)| (path, (number, text))));
    }

    /// Notes that a newer text of a file waits for a person or a permission. What was failing is failing until it has
    /// been tried, unless it is gone.
    pub(super) fn hold(&mut self, path: Arc<Path>, text: Option<SourceText>) {
        match self.files.get_mut(&path) {
            Some((_, known)) if text.is_some() => *known = text,
            _ => self.refuse(BTreeMap::from([(path, text)]), Vec::new(), false),
        }
    }

    /// The file was applied, runs its newest text again, or is gone.
    pub(super) fn resolve(&mut self, path: &Path) {
        let Some((number, _)) = self.files.remove(path) else {
            return;
        };
        if let Some(refusal) = self.refusals.get_mut(&number) {
            refusal.n_files -= 1;
            if refusal.n_files == 0 {
                self.refusals.remove(&number);
            }
        }
    }

    /// Nothing is refused any more: everything was loaded anew.
    pub(super) fn clear(&mut self) {
        self.files.clear();
        self.refusals.clear();
    }

    /// Whether the newest text of this file was refused.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Whether no file is refused.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The newest refused text of every file, `None` for a deletion.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Arc<Path>, &Option<SourceText>)> {
        self.files.iter().map(|(path, (_, text))| (path, text))
    }

    /// All problems, oldest refusal first.
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.refusals
            .values()
            .flat_map(|it| it.problems.iter().cloned())
            .collect()
    }

    /// The files to show as failing: where the errors stand, or the refused files themselves where none stands in
    /// `root`.
    pub(super) fn failing(&self, root: &Path) -> Vec<PathBuf> {
        let mut failing = BTreeSet::new();
        let mut without_place = BTreeSet::new();
        for (number, refusal) in self.refusals.iter().filter(|(_, it)| it.is_failing) {
            let n_before = failing.len();
            let errors = refusal
                .problems
                .iter()
                .filter(|it| it.severity == Severity::Error);
            failing.extend(
                errors
                    .map(|it| it.place.path.to_path_buf())
                    .filter(|it| it.starts_with(root)),
            );
            if failing.len() == n_before {
                without_place.insert(*number);
            }
        }
        if !without_place.is_empty() {
            let files = self.files.iter();
            let files = files.filter(|(_, (number, _))| without_place.contains(number));
            failing.extend(files.map(|(path, _)| path.to_path_buf()));
        }
        failing.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use hotsave_engine::problem::Place;

    use super::*;

    fn path(name: &str) -> Arc<Path> {
        Arc::from(Path::new(name))
    }

    fn files(names: &[&str]) -> BTreeMap<Arc<Path>, Option<SourceText>> {
        names
            .iter()
            .map(|it| (path(it), Some(SourceText::new(*b"x"))))
            .collect()
    }

    fn error_in(name: &str) -> Problem {
        Problem {
            place: Place {
                path: path(name),
                text: SourceText::new(*b"x"),
                span: 0..1,
            },
            severity: Severity::Error,
            code: "lua/load-error",
            message: "no".into(),
            related: Vec::new(),
            data: Vec::new(),
        }
    }

    fn failing(refusals: &Refusals) -> Vec<String> {
        refusals
            .failing(Path::new("/p"))
            .iter()
            .map(|it| it.display().to_string())
            .collect()
    }

    #[test]
    fn a_refusal_lasts_until_its_last_file_is_resolved() {
        let mut refusals = Refusals::default();
        refusals.refuse(files(&["/p/a", "/p/b"]), vec![error_in("/p/c")], true);
        assert_eq!(failing(&refusals), ["/p/c"]);
        refusals.resolve(Path::new("/p/a"));
        assert_eq!(failing(&refusals), ["/p/c"]);
        refusals.resolve(Path::new("/p/b"));
        assert!(failing(&refusals).is_empty() && refusals.problems().is_empty());
    }

    #[test]
    fn a_newer_refusal_of_a_file_replaces_the_older_one() {
        let mut refusals = Refusals::default();
        refusals.refuse(files(&["/p/a"]), vec![error_in("/p/a")], true);
        refusals.refuse(files(&["/p/a"]), Vec::new(), true);
        assert!(refusals.problems().is_empty());
        assert_eq!(
            failing(&refusals),
            ["/p/a"],
            "without an error in the project the file itself is failing"
        );
    }

    #[test]
    fn success_elsewhere_hides_nothing_and_missing_trust_is_no_failure() {
        let mut refusals = Refusals::default();
        refusals.refuse(files(&["/p/a"]), vec![error_in("/p/a")], true);
        refusals.refuse(files(&["/p/b"]), Vec::new(), false);
        refusals.resolve(Path::new("/p/other"));
        assert_eq!(failing(&refusals), ["/p/a"]);
        assert!(
            refusals
                .files()
                .any(|(path, _)| **path == *Path::new("/p/b"))
        );
    }

    #[test]
    fn a_newer_text_that_only_waits_ends_no_failure_and_a_deletion_does() {
        let mut refusals = Refusals::default();
        refusals.refuse(files(&["/p/a", "/p/b"]), vec![error_in("/p/a")], true);
        refusals.hold(path("/p/a"), Some(SourceText::new(*b"y")));
        assert_eq!(failing(&refusals), ["/p/a"]);
        refusals.hold(path("/p/a"), None);
        refusals.hold(path("/p/b"), None);
        assert!(failing(&refusals).is_empty());
        assert!(refusals.contains(Path::new("/p/a")) && refusals.contains(Path::new("/p/b")));
    }
}
