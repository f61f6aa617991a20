//! The units of a project: which Lua files there are, which of them run, with which text, and what a change means for
//! them.
//!
//! Plans and remembers; sends nothing and runs nothing. Must stay true: `running` is exactly what the host has accepted,
//! so that a refused text never counts as running and a rebuilt host can be told from a fresh one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{
    config::{Config, DialectChoice, Load},
    transaction::Transaction,
};
use hotsave_engine::{
    change::{Change, Content},
    generation::Generation,
    plan::Act,
    problem::{Place, Problem, Related, Severity},
    text::{ContentHash, SourceText},
};
use hotsave_lua::{
    errors::{self, Chunk, Context, Source},
    functions::{self, Facts, Setting},
    index::{self, FileId, ModuleIndex},
    resolve::Templates,
    scan::{self, Form, LineMap, Require},
    syntax::{self, Dialect},
    wire,
};

/// Module templates of a project that names none (Lua specification, 3.1, plain modules).
const DEFAULT_TEMPLATES: [&str; 8] = [
    "?.lua",
    "?/init.lua",
    "src/?.lua",
    "src/?/init.lua",
    "lib/?.lua",
    "lib/?/init.lua",
    "lua/?.lua",
    "lua/?/init.lua",
];

/// All Lua files of a project, and what runs of them.
pub(super) struct Units {
    pub(super) root: Arc<Path>,
    pub(super) dialect: Dialect,
    templates: Vec<String>,
    loaders: Vec<String>,
    pub(super) entries: BTreeSet<Arc<Path>>,
    pub(super) index: ModuleIndex,
    pub(super) running: HashMap<u32, Running>,
    next_order: u64,
    /// Newest texts of files that a plan may need and that are not accepted yet.
    pub(super) newest: HashMap<u32, SourceText>,
    /// The newest text that was parsed of a path, and what came of it.
    judged: HashMap<Arc<Path>, (ContentHash, Vec<Problem>)>,
    /// Files whose newest text does not compile.
    pub(super) broken: HashSet<u32>,
    /// Deleted files, and the files whose requires led to them.
    pub(super) orphaned: HashMap<FileId, Vec<FileId>>,
    /// Numbers of deleted files: the index does not find them any more, but they may still run.
    gone: HashMap<Arc<Path>, FileId>,
    /// Files whose graph problems are to be shown anew.
    touched: BTreeSet<FileId>,
    /// Warnings of the last transaction of a unit.
    warnings: BTreeMap<u32, Vec<Problem>>,
}

/// A unit the host has accepted.
pub(super) struct Running {
    pub(super) name: String,
    pub(super) path: Arc<Path>,
    /// The newest text that was accepted; where only comments changed, not the one the host was sent.
    pub(super) text: SourceText,
    /// The text the host was sent.
    sent: SourceText,
    code: ContentHash,
    /// Whether its text returns a value at its end.
    pub(super) returns: bool,
    pub(super) order: u64,
    pub(super) since: Generation,
    pub(super) duration: Duration,
    pub(super) kept: u64,
    /// What the parser found out about `sent`; `None` if that does not parse.
    facts: OnceLock<Option<Facts>>,
}

impl Running {
    /// Takes `text` over without telling the host, if only comments, white space or line ends differ.
    pub(super) fn takes_comments(&mut self, text: &SourceText, code: ContentHash) -> bool {
        let only_comments = self.code == code;
        if only_comments {
            self.text = text.clone();
        }
        only_comments
    }

    /// The text to show problems on, and how the lines of the one that runs lie in it.
    fn source(&self) -> Source {
        let lines = (self.text != self.sent)
            .then(|| LineMap::between(&self.sent, &self.text))
            .flatten();
        Source {
            path: Arc::clone(&self.path),
            text: self.text.clone(),
            lines,
        }
    }
}

impl Units {
    /// Reads and indexes `files`.
    pub(super) fn index(root: &Arc<Path>, config: &Config, files: &[PathBuf]) -> Self {
        let dialect = match config.lua.dialect {
            DialectChoice::Auto | DialectChoice::Lua54 => Dialect::Lua54,
            DialectChoice::Lua53 => Dialect::Lua53,
            DialectChoice::Lua52 => Dialect::Lua52,
            DialectChoice::LuaJit => Dialect::LuaJit,
            DialectChoice::Lua51 => Dialect::Lua51,
        };
        let templates = if config.lua.path.is_empty() {
            DEFAULT_TEMPLATES.map(str::to_owned).to_vec()
        } else {
            config.lua.path.clone()
        };
        let options = index::Options {
            templates: Templates::new(templates.iter().map(String::as_str)),
            loaders: config.lua.loaders.clone(),
        };
        let (index, unread) = ModuleIndex::build(Arc::clone(root), options, files);
        for file in unread {
            tracing::warn!("cannot read {}: {}", file.path.display(), file.error);
        }
        Self {
            root: Arc::clone(root),
            dialect,
            templates,
            loaders: config.lua.loaders.clone(),
            entries: config
                .lua
                .entry
                .iter()
                .map(|it| Arc::from(root.join(it)))
                .collect(),
            index,
            running: HashMap::new(),
            next_order: 0,
            newest: HashMap::new(),
            judged: HashMap::new(),
            broken: HashSet::new(),
            orphaned: HashMap::new(),
            gone: HashMap::new(),
            touched: BTreeSet::new(),
            warnings: BTreeMap::new(),
        }
    }

    /// Content hash of every indexed file.
    pub(super) fn hashes(&self) -> Vec<(Arc<Path>, ContentHash)> {
        let hash = |it| Some((Arc::from(self.index.path(it)), self.index.hash(it)?));
        self.index.files().filter_map(hash).collect()
    }

    /// What the parser finds out about `text`, loaded as `name`.
    pub(super) fn facts_of(&self, name: &str, text: &SourceText) -> Option<Facts> {
        let setting = Setting {
            dialect: self.dialect,
            own_name: name,
            scan: &scan::scan(text, &self.loaders),
            is_read_elsewhere: &|field| self.index.is_read(field),
        };
        functions::facts(text, &setting)
    }

    /// The same for the text that a running unit was sent, found out once.
    pub(super) fn facts(&self, file: FileId) -> Option<&Facts> {
        let running = self.running.get(&file)?;
        running
            .facts
            .get_or_init(|| self.facts_of(&running.name, &running.sent))
            .as_ref()
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether this is the content that the index knows already.
    pub(super) fn knows(&self, path: &Path, content: &Content) -> bool {
        let known = self.index.id(path).and_then(|it| self.index.hash(it));
        known == content.hash()
    }

    /// How many Lua files there are, and how many of them are modules.
    pub(super) fn count(&self) -> (usize, usize) {
        let n_modules = self
            .index
            .files()
            .filter(|&it| self.index.is_module(it))
            .count();
        (self.index.files().count(), n_modules)
    }

    /// Module templates for the host, relative to the project.
    pub(super) fn templates(&self) -> String {
        self.templates.join(";")
    }

    /// Whether the worker, which is Lua 5.4, can run this project.
    pub(super) fn runs_in_worker(&self) -> bool {
        self.dialect == Dialect::Lua54
    }

    /// Whether the configuration loads anything when the host starts.
    pub(super) fn has_startup(&self, config: &Config) -> bool {
        self.runs_in_worker() && (!self.entries.is_empty() || config.lua.load == Load::All)
    }

    /// Takes over what an accepted transaction brought; returns the units that the host found and loaded by itself, as the
    /// wire would have named them.
    pub(super) fn commit(
        &mut self,
        transaction: &Transaction,
        done: &wire::Done,
        generation: Generation,
    ) -> Vec<wire::Unit> {
        let mut adopted = Vec::new();
        let by_name: HashMap<&str, &wire::DoneUnit> =
            done.units.iter().map(|it| (&*it.name, it)).collect();
        for part in &transaction.parts {
            if part.act == Act::Remove {
                self.running.remove(&part.id);
                self.warnings.remove(&part.id);
                continue;
            }
            let unit = by_name.get(&*part.name).copied();
            if part.act == Act::Rerun && !unit.is_some_and(|it| it.ran) {
                continue;
            }
            self.newest.remove(&part.id);
            self.accept(
                part.id,
                &part.name,
                &part.path,
                part.text.clone(),
                generation,
                unit,
            );
        }
        // What a unit required and nobody had loaded was found by the host itself.
        for unit in &done.units {
            let Some(chunk) = &unit.chunk else { continue };
            let path = self.path_of(chunk);
            let Some(id) = self
                .index
                .id(&path)
                .filter(|it| !self.running.contains_key(it))
            else {
                continue;
            };
            // The file may have been saved since the host read it; then nobody knows the text that runs, and any text
            // counts as another.
            let bytes = std::fs::read(&path).ok();
            let bytes =
                bytes.filter(|it| unit.sum.is_none_or(|sum| sum == wire::polynomial_sum(it)));
            if bytes.is_none() {
                let unknown = SourceText::new(Vec::new());
                self.accept(id, &unit.name, &path, unknown, generation, Some(unit));
            }
            if let Some(bytes) = bytes {
                let mut found = wire::Unit {
                    name: unit.name.clone(),
                    chunk: chunk.clone(),
                    ..wire::Unit::default()
                };
                found.set_source(&bytes);
                adopted.push(found);
                self.accept(
                    id,
                    &unit.name,
                    &path,
                    SourceText::new(bytes),
                    generation,
                    Some(unit),
                );
            }
        }
        adopted
    }

    /// The file of a chunk name as the host forms it.
    pub(super) fn path_of(&self, chunk: &str) -> Arc<Path> {
        Arc::from(self.root.join(chunk.trim_start_matches(['@', '.', '/'])))
    }

    fn accept(
        &mut self,
        id: u32,
        name: &str,
        path: &Arc<Path>,
        text: SourceText,
        generation: Generation,
        unit: Option<&wire::DoneUnit>,
    ) {
        let before = self.running.remove(&id);
        let order = before.as_ref().map_or_else(
            || {
                self.next_order += 1;
                self.next_order
            },
            |it| it.order,
        );
        // A dependent runs its old text again, whose facts are known: parsing it anew would cost more than running it.
        let facts = before
            .filter(|it| it.sent == text && it.name == name)
            .map_or_else(OnceLock::new, |it| it.facts);
        let known = self.index.scan(id);
        let known = known.filter(|_| self.index.hash(id) == Some(text.hash()));
        let (code, returns) = known.map_or_else(
            || {
                let scan = scan::scan(&text, &self.loaders);
                (scan.code, scan.returns)
            },
            |it| (it.code, it.returns),
        );
        let running = Running {
            name: name.to_owned(),
            path: Arc::clone(path),
            sent: text.clone(),
            text,
            code,
            returns,
            order,
            since: generation,
            duration: Duration::try_from_secs_f64(unit.map_or(0.0, |it| it.ms) / 1000.0)
                .unwrap_or_default(),
            kept: unit.map_or(0, |it| it.kept.into()),
            facts,
        };
        self.running.insert(id, running);
    }

    /// Hash of a file's tokens, in the newest text.
    pub(super) fn code_of(&self, file: FileId) -> ContentHash {
        self.index
            .scan(file)
            .map_or(ContentHash::from_u64(0), |it| it.code)
    }

    /// Whether a file's newest text ends in a `return`.
    pub(super) fn returns(&self, file: FileId) -> bool {
        self.index.scan(file).is_some_and(|it| it.returns)
    }

    /// The unit's name: what it is required by, else its path.
    pub(super) fn name(&self, file: FileId) -> String {
        let running = self.running.get(&file).map(|it| it.name.clone());
        running
            .or_else(|| self.index.name(file))
            .unwrap_or_else(|| self.index.relative_path(file).to_owned())
    }

    /// These units are gone from the host and do not come back by themselves.
    pub(super) fn forget(&mut self, names: &[String]) {
        let names: HashSet<&String> = names.iter().collect();
        self.running.retain(|_, it| !names.contains(&it.name));
    }

    /// The host starts with nothing.
    pub(super) fn forget_all(&mut self) {
        self.running.clear();
        self.warnings.clear();
    }

    /// Whether the host has any unit of this project.
    pub(super) fn runs_anything(&self) -> bool {
        !self.running.is_empty()
    }

    /// The files of all units that run.
    pub(super) fn running_paths(&self) -> BTreeSet<Arc<Path>> {
        self.running
            .values()
            .map(|it| Arc::clone(&it.path))
            .collect()
    }

    /// The number of the unit that runs from this file.
    pub(super) fn running_id(&self, path: &Path) -> Option<u32> {
        let id = self.index.id(path).or_else(|| self.gone.get(path).copied());
        id.filter(|it| self.running.contains_key(it))
    }

    /// The newest text of a file, from the disk if nobody told of it.
    pub(super) fn newest_text(&self, id: u32) -> Option<SourceText> {
        let told = self
            .newest
            .get(&id)
            .or_else(|| self.running.get(&id).map(|it| &it.text));
        told.cloned()
            .or_else(|| std::fs::read(self.index.path(id)).ok().map(SourceText::new))
    }

    /// What the parser says about the newest text of a file.
    pub(super) fn syntax_problems_of(&self, id: u32) -> Vec<Problem> {
        let Some(text) = self.newest.get(&id) else {
            return Vec::new();
        };
        syntax_problems(&Arc::from(self.index.path(id)), text, self.dialect)
    }

    /// What a host says is wrong, in the texts that it was sent or runs.
    pub(super) fn problems_of_done(
        &self,
        done: &wire::Done,
        transaction: &Transaction,
        trigger: &[Arc<Path>],
    ) -> Vec<Problem> {
        let trigger: Vec<Source> = trigger
            .iter()
            .filter_map(|it| self.source_at(it, transaction))
            .collect();
        let context = Context {
            root: &self.root,
            source: &|chunk| self.source_of(chunk, transaction),
            trigger: &trigger,
        };
        done.problems
            .iter()
            .filter_map(|it| errors::locate(it, &context))
            .collect()
    }

    /// The text of a chunk: of the transaction, else of the running program, else of the disk.
    fn source_of(&self, chunk: Chunk<'_>, transaction: &Transaction) -> Option<Source> {
        let is_meant = |path: &Path| {
            path.strip_prefix(&self.root)
                .is_ok_and(|it| chunk.matches(&it.to_string_lossy()))
        };
        let path = match chunk {
            Chunk::File(file) => Arc::from(self.root.join(file.trim_start_matches("./"))),
            Chunk::Tail(_) => {
                let sent = transaction.parts.iter().map(|it| &it.path);
                Arc::clone(
                    sent.chain(self.running.values().map(|it| &it.path))
                        .find(|it| is_meant(it))?,
                )
            }
        };
        self.source_at(&path, transaction)
    }

    fn source_at(&self, path: &Arc<Path>, transaction: &Transaction) -> Option<Source> {
        if let Some(part) = transaction
            .parts
            .iter()
            .find(|it| it.path == *path && it.act != Act::Remove)
        {
            return Some(Source {
                path: Arc::clone(path),
                text: part.text.clone(),
                lines: None,
            });
        }
        let file = self.index.id(path)?;
        match self.running.get(&file) {
            Some(running) => Some(running.source()),
            None => Some(Source {
                path: Arc::clone(path),
                text: self.newest_text(file)?,
                lines: None,
            }),
        }
    }

    pub(super) fn set_warnings(&mut self, id: u32, warnings: Vec<Problem>) {
        if warnings.is_empty() {
            self.warnings.remove(&id);
        } else {
            self.warnings.insert(id, warnings);
        }
    }

    /// The known files below a directory.
    pub(super) fn files_below(&self, directory: &Path) -> Vec<Arc<Path>> {
        let paths = self.index.files().map(|it| self.index.path(it));
        paths
            .filter(|it| it.starts_with(directory))
            .map(Arc::from)
            .collect()
    }

    /// The unit of this file, if it runs.
    pub(super) fn running(&self, path: &Path) -> Option<&Running> {
        self.running.get(&self.index.id(path)?)
    }

    /// Module names that nothing answers, in the whole project. What else the graph has to say of a file is said when
    /// the file is opened or saved, so that a project's first index costs no second look at every text.
    pub(super) fn missing_modules(&self) -> Vec<Problem> {
        let is_missing = |(require, target): (&Require, Option<FileId>)| {
            let name = require.name.resolved("");
            target.is_none()
                && require.form == Form::Plain
                && name.is_some_and(|it| self.index.knows_first_segment(&it))
        };
        let files = self
            .index
            .files()
            .filter(|&it| self.index.targets(it).any(is_missing));
        files
            .flat_map(|it| self.problems_of_file(it))
            .filter(|it| it.severity <= Severity::Warning)
            .collect()
    }

    /// What the graph says of a text, if that is the one the index knows.
    pub(super) fn graph_problems(&self, path: &Path, text: &SourceText) -> Option<Vec<Problem>> {
        let file = self
            .index
            .id(path)
            .filter(|&it| self.index.hash(it) == Some(text.hash()))?;
        Some(self.index.problems(file, text))
    }

    pub(super) fn problems_of_file(&self, file: FileId) -> Vec<Problem> {
        self.newest_text(file)
            .map(|it| self.index.problems(file, &it))
            .unwrap_or_default()
    }

    /// What the last transactions warned of.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Problem> + '_ {
        self.warnings.values().flatten().cloned()
    }

    /// What the parser says about a text. The newest one of each path is parsed once: a buffer is judged as it is typed,
    /// and the same text again when it is saved.
    pub(super) fn judge(&mut self, path: &Arc<Path>, text: &SourceText) -> Vec<Problem> {
        if let Some((hash, problems)) = self.judged.get(path)
            && *hash == text.hash()
        {
            return problems.clone();
        }
        let problems = syntax_problems(path, text, self.dialect);
        let judged = (text.hash(), problems.clone());
        self.judged.insert(Arc::clone(path), judged);
        problems
    }

    /// Takes a change into index and graph; returns what the parser says about the new text.
    pub(super) fn take_in(&mut self, change: &Change) -> Vec<Problem> {
        let delta = match &change.content {
            Content::Text(text) => self.index.set(&change.path, text),
            Content::Removed => self.index.remove(&change.path),
        };
        self.touched.extend(delta.moved.iter().copied());
        let Some(file) = delta.file else {
            return Vec::new();
        };
        self.touched.insert(file);
        match &change.content {
            Content::Text(text) => {
                self.orphaned.remove(&file);
                self.gone.remove(&change.path);
                self.newest.insert(file, text.clone());
                let problems = self.judge(&change.path, text);
                if problems.is_empty() {
                    self.broken.remove(&file);
                } else {
                    self.broken.insert(file);
                }
                problems
            }
            Content::Removed => {
                self.newest.remove(&file);
                self.broken.remove(&file);
                self.orphaned.insert(file, delta.moved);
                self.gone.insert(Arc::clone(&change.path), file);
                Vec::new()
            }
        }
    }

    /// Graph problems of the files that the last changes touched.
    pub(super) fn take_graph_problems(&mut self) -> Vec<(Arc<Path>, Vec<Problem>)> {
        let touched = std::mem::take(&mut self.touched);
        touched
            .into_iter()
            .map(|it| (Arc::from(self.index.path(it)), self.problems_of_file(it)))
            .collect()
    }
}

/// What the parser says about a text, as problems.
pub(super) fn syntax_problems(
    path: &Arc<Path>,
    text: &SourceText,
    dialect: Dialect,
) -> Vec<Problem> {
    let Some(found) = syntax::check(text, dialect) else {
        return Vec::new();
    };
    let place = |span| Place {
        path: Arc::clone(path),
        text: text.clone(),
        span,
    };
    let related = found.opened.map(|(span, message)| Related {
        place: place(span),
        message,
    });
    vec![Problem {
        place: place(found.span),
        severity: Severity::Error,
        code: found.code,
        message: found.message,
        related: related.into_iter().collect(),
        data: Vec::new(),
    }]
}
