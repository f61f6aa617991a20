//! The module index: every Lua file of one project, what it requires and who requires it.
//!
//! Texts are not kept: a file costs its scan, some hundred bytes. Must stay true: a change costs the changed file, its
//! edges and the requirers whose answer moved, whatever the size of the project; and the index after any changes is the
//! one a fresh build gives.

mod build;
mod problems;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use hotsave_engine::{
    graph::Graph,
    text::{ContentHash, SourceText},
};

pub use self::build::Unread;
use crate::{
    resolve::{Templates, slashed},
    scan::{Form, Name, Require, Scan, When, field_key, scan},
};

/// A Lua file of the project; the node of the graph. A path keeps its number for good, deleted or not.
pub type FileId = u32;

/// What the configuration says about modules.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where modules are.
    pub templates: Templates,
    /// Functions besides `require` that load modules.
    pub loaders: Vec<String>,
}

/// All Lua files of one project.
#[derive(Debug)]
pub struct ModuleIndex {
    root: Arc<Path>,
    options: Options,
    files: Vec<File>,
    by_path: HashMap<Box<str>, FileId>,
    /// Everything that some file requires, and what answers now.
    asked: HashMap<Key, Asked>,
    /// How many files have a name that begins with this segment.
    first_segments: HashMap<Box<str>, usize>,
    /// How many files read a field of this key as a value.
    field_reads: HashMap<u32, usize>,
    graph: Graph,
}

#[derive(Debug)]
struct File {
    /// Relative to the root.
    path: Box<str>,
    /// `None` while the file does not exist.
    content: Option<Content>,
    /// What it asks for now, one for each require; `None` for names only the program knows.
    keys: Box<[Option<Key>]>,
}

#[derive(Debug)]
struct Content {
    hash: ContentHash,
    scan: Scan,
}

/// What a require asks for: names that lead to the same candidates are one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// With slashes for dots.
    Module(Box<str>),
    /// A path relative to the root.
    Path(Box<str>),
}

#[derive(Debug, Default)]
struct Asked {
    answer: Option<FileId>,
    requirers: Vec<FileId>,
}

/// What a change did to the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is new, or exists again.
    Created,
    /// Its code changed.
    Code,
    /// Only comments, whitespace or line ends changed.
    CommentOnly,
    /// Nothing changed.
    Same,
    /// It is gone.
    Removed,
    /// It is no file of this project, or was not there.
    Unknown,
}

/// What a change did to the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The changed file; `None` with [`Effect::Unknown`].
    pub file: Option<FileId>,
    /// What happened to it.
    pub effect: Effect,
    /// Other files whose requires now lead elsewhere, ascending; their texts did not change.
    pub moved: Vec<FileId>,
}

impl ModuleIndex {
    /// An index without files.
    #[must_use]
    pub fn new(root: impl Into<Arc<Path>>, options: Options) -> Self {
        Self {
            root: root.into(),
            options,
            files: Vec::new(),
            by_path: HashMap::new(),
            asked: HashMap::new(),
            first_segments: HashMap::new(),
            field_reads: HashMap::new(),
            graph: Graph::new(),
        }
    }

    /// Takes the new text of the file at `path` (absolute).
    pub fn set(&mut self, path: &Path, text: &SourceText) -> Delta {
        let Some(relative) = self.relative(path) else {
            return Delta::unknown();
        };
        let file = self.file_at(&relative);
        let before = self.content(file).map(|it| (it.hash, it.scan.code));
        if before.is_some_and(|(hash, _)| hash == text.hash()) {
            return Delta {
                file: Some(file),
                effect: Effect::Same,
                moved: Vec::new(),
            };
        }
        let scan = scan(text, &self.options.loaders);
        let effect = match before {
            None => Effect::Created,
            Some((_, code)) if code == scan.code => Effect::CommentOnly,
            Some(_) => Effect::Code,
        };
        self.put(
            file,
            Some(Content {
                hash: text.hash(),
                scan,
            }),
        );
        let mut moved = HashSet::new();
        if effect == Effect::Created {
            self.count_names(file, true);
            self.answer_again(file, &mut moved);
        }
        self.link(file);
        self.settle(file, effect, moved)
    }

    /// Takes note that the file at `path` (absolute) is gone.
    pub fn remove(&mut self, path: &Path) -> Delta {
        let known = self
            .relative(path)
            .and_then(|it| self.by_path.get(&*it).copied());
        let Some(file) = known.filter(|&it| self.content(it).is_some()) else {
            return Delta::unknown();
        };
        self.forget_keys(file);
        self.put(file, None);
        self.count_names(file, false);
        self.graph.set_edges(file, &[], &[]);
        let mut moved = HashSet::new();
        self.answer_again(file, &mut moved);
        self.settle(file, Effect::Removed, moved)
    }

    /// The project's root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The number of an existing file.
    #[must_use]
    pub fn id(&self, path: &Path) -> Option<FileId> {
        let file = self.by_path.get(&*self.relative(path)?).copied()?;
        self.content(file).map(|_| file)
    }

    /// Absolute path of a file; the root for a number never given out.
    #[must_use]
    pub fn path(&self, file: FileId) -> PathBuf {
        self.files
            .get(file as usize)
            .map_or_else(|| self.root.to_path_buf(), |it| self.root.join(&*it.path))
    }

    /// Path relative to the root, with `/`; empty for a number never given out.
    #[must_use]
    pub fn relative_path(&self, file: FileId) -> &str {
        self.files.get(file as usize).map_or("", |it| &it.path)
    }

    /// Existing files, ascending.
    pub fn files(&self) -> impl Iterator<Item = FileId> + '_ {
        (0..)
            .zip(&self.files)
            .filter(|(_, it)| it.content.is_some())
            .map(|(file, _)| file)
    }

    /// Hash of the text that the index knows.
    #[must_use]
    pub fn hash(&self, file: FileId) -> Option<ContentHash> {
        self.content(file).map(|it| it.hash)
    }

    /// What the tokens of an existing file say.
    #[must_use]
    pub fn scan(&self, file: FileId) -> Option<&Scan> {
        self.content(file).map(|it| &it.scan)
    }

    /// Load and late edges between files. Nodes are [`FileId`]s.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The file that answers for a module name.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<FileId> {
        self.options
            .templates
            .candidates(name)
            .find_map(|it| self.existing(&it))
    }

    /// What each require of a file leads to, beside the require; `None` where nothing answers.
    pub fn targets(&self, file: FileId) -> impl Iterator<Item = (&Require, Option<FileId>)> {
        let requires = self.scan(file).map_or(&[][..], |it| &it.requires);
        let keys = self.files.get(file as usize).map_or(&[][..], |it| &it.keys);
        let answer = |key: &Option<Key>| self.asked.get(key.as_ref()?)?.answer;
        requires
            .iter()
            .zip(keys.iter().map(answer).chain(std::iter::repeat(None)))
    }

    /// The module names that lead to a file: those that are required first, the most required before others.
    ///
    /// *Shape*: empty for a file no template covers and for one that an earlier candidate shadows under every name.
    #[must_use]
    pub fn names(&self, file: FileId) -> Vec<String> {
        let mut names = self.options.templates.names(self.relative_path(file));
        names.retain(|it| self.resolve(it) == Some(file));
        names.sort_by_key(|it| std::cmp::Reverse(self.n_requirers(it)));
        names
    }

    /// The one of [`Self::names`] that a host should use.
    #[must_use]
    pub fn name(&self, file: FileId) -> Option<String> {
        self.names(file).into_iter().next()
    }

    /// Whether the file is a module: it returns a value at top level or is required somewhere.
    #[must_use]
    pub fn is_module(&self, file: FileId) -> bool {
        self.scan(file).is_some_and(|it| it.returns)
            || self
                .options
                .templates
                .names(self.relative_path(file))
                .iter()
                .any(|it| {
                    self.asked_of(it)
                        .is_some_and(|it| it.answer == Some(file) && !it.requirers.is_empty())
                })
    }

    /// Whether some file reads a field of this name as a value from something it does not know.
    #[must_use]
    pub fn is_read(&self, field: &str) -> bool {
        self.field_reads.contains_key(&field_key(field.as_bytes()))
    }

    fn asked_of(&self, name: &str) -> Option<&Asked> {
        self.asked.get(&Key::Module(slashed(name).into()))
    }

    fn n_requirers(&self, name: &str) -> usize {
        self.asked_of(name).map_or(0, |it| it.requirers.len())
    }

    fn content(&self, file: FileId) -> Option<&Content> {
        self.files.get(file as usize)?.content.as_ref()
    }

    fn existing(&self, relative: &str) -> Option<FileId> {
        let file = self.by_path.get(relative).copied()?;
        self.content(file).map(|_| file)
    }

    fn relative(&self, path: &Path) -> Option<String> {
        let parts = path
            .strip_prefix(&self.root)
            .ok()?
            .components()
            .map(|it| it.as_os_str().to_str());
        Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
    }

    fn file_at(&mut self, relative: &str) -> FileId {
        if let Some(&file) = self.by_path.get(relative) {
            return file;
        }
        let file = FileId::try_from(self.files.len()).unwrap_or(FileId::MAX);
        self.files.push(File {
            path: relative.into(),
            content: None,
            keys: Box::default(),
        });
        self.by_path.insert(relative.into(), file);
        file
    }

    fn put(&mut self, file: FileId, content: Option<Content>) {
        for key in content.iter().flat_map(|it| &it.scan.field_reads) {
            *self.field_reads.entry(*key).or_default() += 1;
        }
        let Some(it) = self.files.get_mut(file as usize) else {
            return;
        };
        let before = std::mem::replace(&mut it.content, content);
        for key in before.iter().flat_map(|it| &it.scan.field_reads) {
            if let Some(count) = self.field_reads.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.field_reads.remove(key);
                }
            }
        }
    }

    fn count_names(&mut self, file: FileId, is_there: bool) {
        for name in self.options.templates.names(self.relative_path(file)) {
            let first = name.split('.').next().unwrap_or_default();
            let count = self.first_segments.entry(first.into()).or_default();
            *count = if is_there {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }

    /// Asks anew who answers for the names of a file that came or went; collects the requirers whose answer moved.
    fn answer_again(&mut self, file: FileId, moved: &mut HashSet<FileId>) {
        let path: Box<str> = self.relative_path(file).into();
        let names = self.options.templates.names(&path);
        let keys = names
            .iter()
            .map(|it| Key::Module(slashed(it).into()))
            .chain([Key::Path(path)]);
        for key in keys {
            let answer = self.answer(&key);
            if let Some(asked) = self.asked.get_mut(&key)
                && asked.answer != answer
            {
                asked.answer = answer;
                moved.extend(asked.requirers.iter().copied());
            }
        }
    }

    fn answer(&self, key: &Key) -> Option<FileId> {
        match key {
            Key::Module(name) => self.resolve(name),
            Key::Path(path) => self.existing(path),
        }
    }

    fn forget_keys(&mut self, file: FileId) {
        let keys = self
            .files
            .get_mut(file as usize)
            .map(|it| std::mem::take(&mut it.keys))
            .unwrap_or_default();
        for key in keys.into_iter().flatten() {
            let Some(asked) = self.asked.get_mut(&key) else {
                continue;
            };
            asked.requirers.retain(|&it| it != file);
            if asked.requirers.is_empty() {
                self.asked.remove(&key);
            }
        }
    }

    /// Makes the keys and edges of a file from its scan.
    fn link(&mut self, file: FileId) {
        self.forget_keys(file);
        let Some(scan) = self.scan(file) else { return };
        // Few files ask by their own name, and finding that takes many look-ups.
        let asks_by_own_name = scan
            .requires
            .iter()
            .any(|it| matches!(it.name, Name::Own(..)));
        let own = asks_by_own_name.then(|| self.name(file)).flatten();
        let key = |it: &Require| {
            let name = it.name.resolved(own.as_deref().unwrap_or_default())?;
            Some(match it.form {
                Form::File => Key::Path(name.trim_start_matches("./").into()),
                Form::Plain | Form::Optional => Key::Module(slashed(&name).into()),
            })
        };
        let keys: Box<[Option<Key>]> = scan.requires.iter().map(key).collect();
        for key in keys.iter().flatten() {
            if !self.asked.contains_key(key) {
                let answer = self.answer(key);
                self.asked.insert(
                    key.clone(),
                    Asked {
                        answer,
                        requirers: Vec::new(),
                    },
                );
            }
            if let Some(asked) = self.asked.get_mut(key)
                // It has just been taken out everywhere, so that it can only be the last.
                && asked.requirers.last() != Some(&file)
            {
                asked.requirers.push(file);
            }
        }
        if let Some(it) = self.files.get_mut(file as usize) {
            it.keys = keys;
        }
        self.set_edges(file);
    }

    fn set_edges(&mut self, file: FileId) {
        let (mut load, mut late) = (Vec::new(), Vec::new());
        for (require, target) in self.targets(file) {
            match require.when {
                When::Load => load.extend(target),
                When::Late => late.extend(target),
            }
        }
        self.graph.set_edges(file, &load, &late);
    }

    fn settle(&mut self, file: FileId, effect: Effect, mut moved: HashSet<FileId>) -> Delta {
        moved.remove(&file);
        let mut moved: Vec<FileId> = moved.into_iter().collect();
        moved.sort_unstable();
        for &it in &moved {
            self.set_edges(it);
        }
        Delta {
            file: Some(file),
            effect,
            moved,
        }
    }
}

impl Delta {
    const fn unknown() -> Self {
        Self {
            file: None,
            effect: Effect::Unknown,
            moved: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
