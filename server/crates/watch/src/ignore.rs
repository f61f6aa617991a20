//! Ignore: what is not watched and not walked.
//!
//! Three sources, the first that speaks decides: the caller's globs, the standard rules below, then `.gitignore` files
//! from the innermost outward. They count without a git repository too, but above the root only up to the repository's
//! top: a `.gitignore` in the home folder has no say over projects that happen to lie below it.
//! Must stay true: an ignored directory hides all that is below it, as in git; the root itself is never ignored.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use ::ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use crate::lock::REPOSITORIES;

/// Folders and files that are never a project's own text, in `.gitignore` syntax.
const STANDARD: &[&str] = &[
    // Version control, our own data, installed packages.
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".hotsave",
    ".hotsave-*",
    "node_modules/",
    "lua_modules/",
    ".luarocks/",
    // Editors: backups, locks, swap files, the other half of an atomic save.
    "*~",
    ".#*",
    "\\#*#",
    "*.swp",
    "*.swo",
    "*.swx",
    "4913",
    ".*.kate-swp",
    "*___jb_tmp___",
    "*___jb_old___",
    ".goutputstream-*",
    "*.bck",
    "*.sb-*",
    ".DS_Store",
];

/// The rules of one root; remembers the `.gitignore` files it met.
#[derive(Debug)]
pub struct Ignore {
    pub(crate) root: PathBuf,
    /// The root without symbolic links: a link is a file of the project only if it leads to a place below this.
    pub(crate) real_root: PathBuf,
    extra: Gitignore,
    standard: Gitignore,
    above: Option<Arc<Layer>>,
    /// What is in force inside a directory, for those that were looked into.
    inside: HashMap<PathBuf, Option<Arc<Layer>>>,
}

/// One `.gitignore`, and those further out.
#[derive(Debug)]
pub(crate) struct Layer {
    rules: Gitignore,
    outer: Option<Arc<Layer>>,
}

impl Ignore {
    /// The rules for `root`, with the caller's own globs on top.
    ///
    /// *Shape*: `root` is absolute; globs are those of [`crate::WatchRoot::ignore`].
    /// *Errors*: a glob that cannot be read is left out and logged; ask [`check_glob`] beforehand.
    #[must_use]
    pub fn new(root: &Path, globs: &[String]) -> Self {
        Self {
            root: root.to_path_buf(),
            real_root: root.canonicalize().unwrap_or_else(|_| root.to_path_buf()),
            extra: rules(root, globs.iter().map(String::as_str)),
            standard: rules(root, STANDARD.iter().copied()),
            above: layers_above(root),
            inside: HashMap::new(),
        }
    }

    /// Whether a path is left out, by its own name or by a directory on the way to it.
    ///
    /// *Shape*: a path that does not lie below the root is left out; the root is not.
    pub fn is_ignored(&mut self, path: &Path, is_dir: bool) -> bool {
        let Ok(relative) = path.strip_prefix(&self.root) else {
            return true;
        };
        let mut at = self.root.clone();
        let mut layer = self.layer_inside(&at, self.above.clone());
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            at.push(component);
            let is_last = components.peek().is_none();
            if self.hides(layer.as_deref(), &at, is_dir || !is_last) {
                return true;
            }
            if !is_last {
                layer = self.layer_inside(&at, layer);
            }
        }
        false
    }

    /// All files that are not left out, sorted; several threads list the directories.
    ///
    /// *Shape*: absolute paths. Symbolic links to directories are not followed; links to files count if they lead to a
    /// file below the root. Pipes, sockets and devices are not files.
    pub fn walk(&mut self) -> Vec<PathBuf> {
        self.forget();
        let root = self.root.clone();
        self.walk_below(&root, |_| ()).files
    }

    /// Forgets the `.gitignore` files it read: one of them changed.
    pub fn forget(&mut self) {
        self.inside.clear();
    }

    /// Whether the rules hide this entry of a directory in which `layer` is in force.
    pub(crate) fn hides(&self, layer: Option<&Layer>, path: &Path, is_dir: bool) -> bool {
        match self.extra.matched(path, is_dir) {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => {}
        }
        if self.standard.matched(path, is_dir).is_ignore() {
            return true;
        }
        let mut next = layer;
        while let Some(Layer { rules, outer }) = next {
            match rules.matched(path, is_dir) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => next = outer.as_deref(),
            }
        }
        false
    }

    /// What is in force inside `directory`, given what is in force around it; reads its `.gitignore` once.
    pub(crate) fn layer_inside(
        &mut self,
        directory: &Path,
        outer: Option<Arc<Layer>>,
    ) -> Option<Arc<Layer>> {
        if let Some(layer) = self.inside.get(directory) {
            return layer.clone();
        }
        let layer = read_layer(directory, outer);
        self.remember(directory, layer.clone());
        layer
    }

    pub(crate) fn remember(&mut self, directory: &Path, layer: Option<Arc<Layer>>) {
        self.inside.insert(directory.to_path_buf(), layer);
    }

    /// What is in force around `directory`, which lies below the root or is it.
    pub(crate) fn layer_around(&mut self, directory: &Path) -> Option<Arc<Layer>> {
        let mut layer = self.above.clone();
        let Ok(relative) = directory.strip_prefix(&self.root) else {
            return layer;
        };
        let mut at = self.root.clone();
        for component in relative.components() {
            layer = self.layer_inside(&at, layer);
            at.push(component);
        }
        layer
    }
}

/// Tells why a glob cannot be used.
///
/// *Errors*: the reason, in the words of the glob parser.
pub fn check_glob(glob: &str) -> Result<(), String> {
    GitignoreBuilder::new("/")
        .add_line(None, glob)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// The directory's own `.gitignore` on top of `outer`.
pub(crate) fn read_layer(directory: &Path, outer: Option<Arc<Layer>>) -> Option<Arc<Layer>> {
    let file = directory.join(".gitignore");
    if !file.is_file() {
        return outer;
    }
    let (rules, problem) = Gitignore::new(&file);
    if let Some(problem) = problem {
        tracing::warn!(file = %file.display(), %problem, "part of an ignore file cannot be read");
    }
    Some(Arc::new(Layer { rules, outer }))
}

/// The `.gitignore` files between the repository's top and the root, without the root's own.
fn layers_above(root: &Path) -> Option<Arc<Layer>> {
    let holds_repository =
        |directory: &Path| REPOSITORIES.iter().any(|it| directory.join(it).exists());
    let n_above = root.ancestors().position(holds_repository)?;
    let mut above: Vec<&Path> = root.ancestors().skip(1).take(n_above).collect();
    above.reverse();
    above
        .into_iter()
        .fold(None, |outer, directory| read_layer(directory, outer))
}

fn rules<'a>(root: &Path, globs: impl Iterator<Item = &'a str>) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    for glob in globs {
        if let Err(problem) = builder.add_line(None, glob) {
            tracing::warn!(glob, %problem, "a glob cannot be read and is left out");
        }
    }
    builder.build().unwrap_or_else(|problem| {
        tracing::warn!(%problem, "ignore globs cannot be used together and are left out");
        Gitignore::empty()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ::ignore::WalkBuilder;
    use proptest::prelude::*;

    use super::*;

    /// A folder from `name` or `name:content` lines.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let (name, content) = file.split_once(':').unwrap_or((file, ""));
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    /// The names of the files that count below `root`.
    fn walk(root: &Path, globs: &[&str]) -> Vec<String> {
        let globs: Vec<String> = globs.iter().map(|it| (*it).to_owned()).collect();
        let files = Ignore::new(root, &globs).walk();
        let name = |it: &PathBuf| it.strip_prefix(root).unwrap().display().to_string();
        files.iter().map(name).collect()
    }

    #[test]
    fn gitignore_counts_without_a_repository_and_the_inner_one_wins() {
        let folder = folder(&[
            ".gitignore:*.log\nout/",
            "a.log",
            "out/x.lua",
            "in/.gitignore:!*.log",
            "in/a.log",
            "in/out/y.lua",
        ]);
        assert_eq!(
            walk(folder.path(), &[]),
            [".gitignore", "in/.gitignore", "in/a.log"]
        );
    }

    #[test]
    fn what_lies_in_an_ignored_folder_cannot_be_taken_back() {
        let folder = folder(&[".gitignore:out/\n!out/x.lua", "out/x.lua"]);
        assert_eq!(walk(folder.path(), &[]), [".gitignore"]);
    }

    #[test]
    fn the_callers_globs_have_the_last_word() {
        let folder = folder(&[
            ".gitignore:out/",
            "out/x.lua",
            "gen/y.lua",
            "z.lua",
            "lua_modules/m.lua",
        ]);
        assert_eq!(
            walk(folder.path(), &["gen/", "!out/", "!lua_modules/"]),
            [".gitignore", "lua_modules/m.lua", "out/x.lua", "z.lua"]
        );
    }

    #[test]
    fn rules_above_the_root_count_up_to_the_repository_and_no_further() {
        let folder = folder(&[
            ".gitignore:*",
            "repository/.git/HEAD",
            "repository/.gitignore:*.log",
            "repository/root/a.log",
            "repository/root/b.lua",
            "plain/c.lua",
        ]);
        assert_eq!(walk(&folder.path().join("repository/root"), &[]), ["b.lua"]);
        assert_eq!(walk(&folder.path().join("plain"), &[]), ["c.lua"]);
    }

    #[test]
    fn a_root_inside_an_ignored_folder_is_not_ignored() {
        let folder = folder(&[
            ".git/HEAD",
            ".gitignore:lua_modules/",
            "lua_modules/share/m.lua",
        ]);
        assert_eq!(
            walk(&folder.path().join("lua_modules/share"), &[]),
            ["m.lua"]
        );
    }

    #[test]
    fn a_path_elsewhere_is_ignored_and_a_bad_glob_is_named() {
        let mut ignore = Ignore::new(Path::new("/project"), &[]);
        assert!(ignore.is_ignored(Path::new("/projects/a.lua"), false));
        assert!(!ignore.is_ignored(Path::new("/project"), true));
        assert!(check_glob("{a,b").unwrap_err().contains("{a,b"));
        assert_eq!(check_glob("build/**"), Ok(()));
    }

    fn rules() -> impl Strategy<Value = String> {
        let pattern = prop::sample::select(vec![
            "a", "b/", "/x", "*.lua", "!x", "!b", "a/x", "**/y.lua", "# a", "",
        ]);
        prop::collection::vec(pattern, 0..4).prop_map(|it| it.join("\n"))
    }

    proptest! {
        /// The walk, the question about a single path, and the crate's own walker agree.
        #[test]
        fn every_way_to_ask_gives_the_same_answer(
            files in prop::collection::vec(prop::sample::select(vec!["a/x", "a/b/x", "a/b/y.lua", "b/x", "b/a", "x", "y.lua", "c/d/e/x", "c/a/y.lua", "c/b/z"]), 1..10),
            ignores in prop::collection::vec((prop::sample::select(vec!["", "c/", "c/d/"]), rules()), 0..4),
        ) {
            let folder = folder(&files);
            for (directory, rules) in &ignores {
                fs::create_dir_all(folder.path().join(directory)).unwrap();
                fs::write(folder.path().join(directory).join(".gitignore"), rules).unwrap();
            }
            let all_files = |walk: &mut WalkBuilder| {
                let is_file = |it: &::ignore::DirEntry| it.file_type().is_some_and(|it| it.is_file());
                let mut files: Vec<PathBuf> = walk.build().flatten().filter(is_file).map(::ignore::DirEntry::into_path).collect();
                files.sort();
                files
            };
            let mut ignore = Ignore::new(folder.path(), &[]);
            let walked = ignore.walk();
            let theirs = all_files(WalkBuilder::new(folder.path()).standard_filters(false).git_ignore(true).require_git(false));
            prop_assert_eq!(&walked, &theirs);
            for file in all_files(WalkBuilder::new(folder.path()).standard_filters(false)) {
                prop_assert_eq!(ignore.is_ignored(&file, false), !walked.contains(&file), "{}", file.display());
            }
        }
    }
}
