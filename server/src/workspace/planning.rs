//! Planning: what a change set means for the units that run, up to the messages a host is sent.
//!
//! The order is the engine's, the meaning of a text the Lua crate's; here they meet the project's rules about what is
//! loaded at all (Lua specification, 3.4, 4.4, 5.1 steps 2 to 4, 5.3).

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::Arc,
};

use hotsave_engine::{
    change::{Change, Content},
    outcome::{Outcome, Stage, Tag},
    plan::{self, Act, Step},
    problem::{Place, Problem, Severity},
    text::SourceText,
};
use hotsave_lua::{
    errors::codes,
    functions::{Function, Touch},
    scan::{Form, When},
    wire,
};
use hotsave_protocol::Skipped;

use super::{
    config::{Config, Load},
    refusals::Refusals,
    request::Force,
    transaction::{Part, Transaction},
    units::Units,
};

/// Bytes on the wire of one transaction when a host starts, below `wire::MAX_LINE` with room for the last units; a save
/// is always one transaction.
const BATCH_BYTES: usize = 10 << 20;

/// Time for each unit that a transaction loads without naming it.
const EXTRA_MS_PER_UNIT: u32 = 20;

/// Modules that the worker has without a file.
const STANDARD: [&str; 11] = [
    "_G",
    "coroutine",
    "debug",
    "hot",
    "hotsave",
    "io",
    "math",
    "os",
    "package",
    "string",
    "table",
];

/// What is to be planned.
pub(super) struct Ask<'a> {
    pub(super) changes: &'a [Change],
    pub(super) force: &'a Force,
    pub(super) refusals: &'a Refusals,
    /// Refused files that are not to be tried again this time.
    pub(super) left_alone: &'a BTreeSet<Arc<Path>>,
    /// Units that are not loaded this time, nor what needs them.
    pub(super) left_out: &'a HashSet<u32>,
    pub(super) config: &'a Config,
    /// Whether there is a host that speaks the dialect.
    pub(super) has_host: bool,
}

/// A plan, and what it leaves out.
pub(super) struct Planned {
    pub(super) verdict: Verdict,
    /// Files whose newest text runs already, in effect: nothing is pending about them.
    pub(super) settled: Vec<Arc<Path>>,
    /// What was left out, and why.
    pub(super) skipped: Vec<Skipped>,
}

/// What is to be done about a change set.
pub(super) enum Verdict {
    /// Nothing is sent; this is how it ends.
    Over(Outcome),
    /// This; when a host starts there may be more to plan after it.
    Run(Box<Transaction>),
}

/// The change set as units.
#[derive(Default)]
struct Sorted {
    /// Units whose code differs from the running one, that are forced to run again, or that are to be loaded.
    changed: Vec<u32>,
    removed: Vec<u32>,
    /// Of `changed`, those that do not run yet.
    wanted: HashSet<u32>,
    settled: Vec<Arc<Path>>,
    skipped: Vec<Skipped>,
    /// The word for a set in which nothing is left to do (Lua specification, 5.4).
    reason: Option<&'static str>,
    taken_along: BTreeSet<Arc<Path>>,
}

impl Sorted {
    fn skip(&mut self, name: &str, reason: &'static str, why: &str) {
        self.reason = self.reason.or(Some(reason));
        self.skipped.push(Skipped {
            name: name.to_owned(),
            why: why.to_owned(),
        });
    }
}

impl Units {
    /// Plans a change set that [`Units::take_in`] has seen.
    pub(super) fn plan(&mut self, ask: &Ask<'_>) -> Planned {
        let mut sorted = self.sort(ask);
        if let Some(outcome) = self.static_refusal(&sorted) {
            return Planned {
                verdict: Verdict::Over(outcome),
                settled: sorted.settled,
                skipped: sorted.skipped,
            };
        }
        self.take_refused_along(ask, &mut sorted);
        let steps = plan::plan(
            self.index.graph(),
            &sorted.changed,
            &sorted.removed,
            &View {
                units: self,
                wanted: &sorted.wanted,
            },
        )
        .steps;
        let verdict = if steps.is_empty() {
            Verdict::Over(Outcome::new(Tag::Unchanged).because(sorted.reason.unwrap_or("sameText")))
        } else if !ask.has_host {
            Verdict::Over(Outcome::new(Tag::Unchanged).because("noHost"))
        } else {
            Verdict::Run(Box::new(self.transaction(ask, &steps, &sorted)))
        };
        Planned {
            verdict,
            settled: sorted.settled,
            skipped: sorted.skipped,
        }
    }

    // ---- what the change set is ---------------------------------------------------------------------------------

    fn sort(&mut self, ask: &Ask<'_>) -> Sorted {
        let mut sorted = Sorted::default();
        for change in ask.changes {
            match &change.content {
                Content::Text(text) => self.sort_text(&change.path, text, ask, &mut sorted),
                Content::Removed => match self.running_id(&change.path) {
                    Some(id) => sorted.removed.push(id),
                    None => sorted.settled.push(Arc::clone(&change.path)),
                },
            }
        }
        match ask.force {
            Force::Nothing => {}
            Force::Files(files) => {
                for path in files {
                    self.force(path, &mut sorted);
                }
            }
            Force::All => sorted.changed.extend(self.running.keys()),
            Force::Startup => self.sort_startup(ask, &mut sorted),
        }
        sorted.changed.sort_unstable();
        sorted.changed.dedup();
        sorted.changed.retain(|it| !sorted.removed.contains(it));
        sorted
    }

    fn sort_text(
        &mut self,
        path: &Arc<Path>,
        text: &SourceText,
        ask: &Ask<'_>,
        sorted: &mut Sorted,
    ) {
        let Some(id) = self.index.id(path) else {
            sorted.skip(&self.shown(path), "notLoaded", "it is ignored");
            return;
        };
        let (name, code) = (self.name(id), self.code_of(id));
        if let Some(running) = self.running.get_mut(&id) {
            if running.text == *text {
                sorted.skip(&name, "sameText", "its text is the running one");
                sorted.settled.push(Arc::clone(path));
            } else if running.takes_comments(text, code) {
                sorted.skip(&name, "commentOnly", "only comments and white space differ");
                sorted.settled.push(Arc::clone(path));
            } else {
                sorted.changed.push(id);
            }
        } else if let Some(why) = self.why_not_loaded(id, path, ask.config) {
            sorted.skip(&name, "notLoaded", why);
            sorted.settled.push(Arc::clone(path));
        } else if let Some(missing) = self.foreign_requires(id).first() {
            sorted.skip(
                &name,
                "notLoadable",
                &format!("it needs `{missing}`, which is not part of this project"),
            );
            sorted.settled.push(Arc::clone(path));
        } else {
            sorted.changed.push(id);
            sorted.wanted.insert(id);
        }
    }

    /// Why a file that does not run is not a reason to load it; `None` if it is (Lua specification, 3.4).
    fn why_not_loaded(&self, id: u32, path: &Path, config: &Config) -> Option<&'static str> {
        if self.entries.contains(path) {
            return None;
        }
        match config.lua.load {
            _ if !self.index.is_module(id) => {
                Some("it is a script, and saving never starts a program")
            }
            _ if is_test_file(self.index.relative_path(id)) => {
                Some("it is a test file, and saving never starts a program")
            }
            Load::Entry => Some("no entry requires it"),
            Load::Saved | Load::All => None,
        }
    }

    fn force(&mut self, path: &Arc<Path>, sorted: &mut Sorted) {
        match self.index.id(path) {
            Some(id) if self.running.contains_key(&id) => sorted.changed.push(id),
            Some(id) if self.index.is_module(id) || self.entries.contains(path) => {
                sorted.changed.push(id);
                sorted.wanted.insert(id);
            }
            _ => sorted.skip(
                &self.shown(path),
                "notLoaded",
                "it is no module of this project",
            ),
        }
    }

    /// Everything the configuration loads, broken files and what needs them left out.
    fn sort_startup(&self, ask: &Ask<'_>, sorted: &mut Sorted) {
        let mut roots: Vec<u32> = self
            .entries
            .iter()
            .filter_map(|it| self.index.id(it))
            .collect();
        for missing in self.entries.iter().filter(|it| self.index.id(it).is_none()) {
            sorted.skipped.push(Skipped {
                name: self.shown(missing),
                why: "the entry does not exist".to_owned(),
            });
        }
        if ask.config.lua.load == Load::All {
            let modules = self.index.files().filter(|&it| self.index.is_module(it));
            roots.extend(modules.filter(|&it| !is_test_file(self.index.relative_path(it))));
        }
        let left_out: Vec<u32> = ask.left_out.iter().copied().collect();
        let left_out: HashSet<u32> = self
            .index
            .graph()
            .closure(&left_out, |_| false)
            .into_iter()
            .collect();
        roots.retain(|it| !self.running.contains_key(it) && !left_out.contains(it));
        sorted.wanted.extend(&roots);
        sorted.changed.extend(roots);
    }

    // ---- static rules -------------------------------------------------------------------------------------------

    /// Refuses what needs no host to be refused (step 2).
    fn static_refusal(&mut self, sorted: &Sorted) -> Option<Outcome> {
        let mut broken: Vec<u32> = sorted
            .changed
            .iter()
            .copied()
            .filter(|it| self.broken.contains(it))
            .collect();
        broken.sort_unstable();
        if !broken.is_empty() {
            let problems: Vec<Problem> = broken
                .iter()
                .flat_map(|&it| self.syntax_problems_of(it))
                .collect();
            return Some(refused(Stage::Parse, problems));
        }
        let mut problems = Vec::new();
        for &id in &sorted.removed {
            problems.extend(self.still_required(id, &sorted.removed));
        }
        for &id in &sorted.changed {
            problems.extend(self.missing_return(id));
        }
        (!problems.is_empty()).then(|| refused(Stage::Check, problems))
    }

    /// The requires of units that stay and that lead to the removed unit `id`.
    fn still_required(&self, id: u32, removed: &[u32]) -> Vec<Problem> {
        let Some(gone) = self.running.get(&id) else {
            return Vec::new();
        };
        let requirers = self.orphaned.get(&id).into_iter().flatten();
        let stay = requirers.filter(|it| self.running.contains_key(it) && !removed.contains(it));
        let of_gone = |it: &Problem| {
            it.code == codes::MODULE_NOT_FOUND
                && it
                    .data
                    .iter()
                    .any(|(key, name)| *key == "name" && *name == gone.name)
        };
        let problems = stay
            .flat_map(|&it| self.problems_of_file(it))
            .filter(of_gone);
        problems
            .map(|it| Problem {
                severity: Severity::Error,
                ..it
            })
            .collect()
    }

    /// Names a file needs while it loads that nothing in this project can answer: libraries installed elsewhere.
    fn foreign_requires(&self, id: u32) -> Vec<String> {
        let needed = self.index.targets(id).filter(|(it, target)| {
            target.is_none() && it.form == Form::Plain && it.when == When::Load
        });
        let names = needed.filter_map(|(it, _)| it.name.resolved(""));
        names
            .filter(|it| !STANDARD.contains(&it.as_str()) && !self.index.knows_first_segment(it))
            .collect()
    }

    /// The running text returns a value and the new one returns none.
    fn missing_return(&self, id: u32) -> Option<Problem> {
        let running = self.running.get(&id)?;
        let text = self.newest.get(&id)?;
        if !running.returns || self.returns(id) {
            return None;
        }
        let last_line = text.n_lines().saturating_sub(1);
        let last_line = (0..=last_line)
            .rev()
            .find(|&it| !text.line(it).trim_ascii().is_empty())
            .unwrap_or(0);
        Some(Problem {
            place: Place {
                path: Arc::clone(&running.path),
                text: text.clone(),
                span: text.line_range(last_line),
            },
            severity: Severity::Error,
            code: codes::MISSING_RETURN,
            message: format!("`{}` returned a value and does not any more", running.name),
            related: Vec::new(),
            data: Vec::new(),
        })
    }

    // ---- who else -----------------------------------------------------------------------------------------------

    /// Adds refused units that the set has to do with (5.3), so that mending one file retries what failed because of it.
    fn take_refused_along(&self, ask: &Ask<'_>, sorted: &mut Sorted) {
        if ask.refusals.is_empty() {
            return;
        }
        let in_set: HashSet<&Path> = ask.changes.iter().map(|it| &*it.path).collect();
        let related = self.related(&sorted.changed);
        for (path, text) in ask.refusals.files() {
            if in_set.contains(&**path) {
                continue;
            }
            if text.is_none() {
                self.take_removal_along(path, ask, sorted);
                continue;
            }
            let Some(id) = self.index.id(path) else {
                continue;
            };
            let is_hopeless = self.broken.contains(&id)
                || ask.left_alone.contains(path)
                || sorted.changed.binary_search(&id).is_ok();
            if !is_hopeless && related.contains(&id) {
                sorted.taken_along.insert(Arc::clone(path));
            }
        }
        for path in &sorted.taken_along {
            if let Some(id) = self.index.id(path) {
                sorted.changed.push(id);
                if !self.running.contains_key(&id) {
                    sorted.wanted.insert(id);
                }
            }
        }
        sorted.changed.sort_unstable();
        sorted.changed.dedup();
    }

    /// Units that have to do with `changed`: those that need one of them while loading, at any distance, and those that
    /// one of them needs.
    fn related(&self, changed: &[u32]) -> HashSet<u32> {
        let graph = self.index.graph();
        let mut related: HashSet<u32> = graph.closure(changed, |_| false).into_iter().collect();
        let mut open = changed.to_vec();
        let mut below: HashSet<u32> = changed.iter().copied().collect();
        while let Some(id) = open.pop() {
            let dependencies = graph.dependencies(id).iter();
            open.extend(dependencies.filter(|&&it| below.insert(it)));
        }
        related.extend(below);
        related
    }

    /// A deletion that was refused because somebody needed the file goes through once nobody does.
    fn take_removal_along(&self, path: &Arc<Path>, ask: &Ask<'_>, sorted: &mut Sorted) {
        let Some(id) = self.running_id(path) else {
            return;
        };
        if !ask.left_alone.contains(path) && self.still_required(id, &sorted.removed).is_empty() {
            sorted.removed.push(id);
            sorted.taken_along.insert(Arc::clone(path));
        }
    }

    // ---- messages -----------------------------------------------------------------------------------------------

    /// How many units the host will find and load by itself, because what it is sent needs them and nobody has loaded
    /// them: each gets the time of a unit that is sent (Lua specification, 9.1).
    fn n_found_on_the_way(&self, parts: &[Part]) -> u32 {
        let sent: HashSet<u32> = parts.iter().map(|it| it.id).collect();
        let mut open: Vec<u32> = sent.iter().copied().collect();
        let mut found = HashSet::new();
        while let Some(unit) = open.pop() {
            let needed = self.index.graph().dependencies(unit).iter().copied();
            let needed = needed.filter(|it| !self.running.contains_key(it) && !sent.contains(it));
            open.extend(needed.filter(|&it| found.insert(it)));
        }
        u32::try_from(found.len()).unwrap_or(u32::MAX)
    }

    fn transaction(&mut self, ask: &Ask<'_>, steps: &[Step], sorted: &Sorted) -> Transaction {
        let in_set: HashSet<u32> = steps.iter().map(|it| it.unit).collect();
        let is_startup = *ask.force == Force::Startup;
        let mut transaction = Transaction {
            taken_along: sorted.taken_along.clone(),
            ..Transaction::default()
        };
        let mut n_bytes = 0;
        let mut last_scc = None;
        let mut touched = HashSet::new();
        for step in steps {
            // What does not fit is planned again once this much runs.
            if is_startup && n_bytes > BATCH_BYTES && last_scc != Some(step.scc) {
                break;
            }
            last_scc = Some(step.scc);
            let Some((part, mut unit)) = self.part(step, &in_set) else {
                continue;
            };
            n_bytes += bytes_on_the_wire(part.text.bytes());
            if is_startup {
                // Nobody holds an older function yet; and what runs already, a top level may spoil.
                if !self.running.is_empty() {
                    transaction.update.journal = wire::Journal::All;
                }
            } else {
                self.add_facts(
                    &part,
                    &mut unit,
                    &mut transaction.update.journal,
                    &mut touched,
                );
            }
            transaction.parts.push(part);
            transaction.update.units.push(unit);
        }
        transaction.update.deadline_ms =
            EXTRA_MS_PER_UNIT.saturating_mul(self.n_found_on_the_way(&transaction.parts));
        transaction
    }

    fn part(&mut self, step: &Step, in_set: &HashSet<u32>) -> Option<(Part, wire::Unit)> {
        let id = step.unit;
        let path = match self.running.get(&id) {
            Some(running) => Arc::clone(&running.path),
            None => Arc::from(self.index.path(id)),
        };
        let name = self.name(id);
        let text = match step.act {
            Act::Remove => SourceText::new(Vec::new()),
            Act::Rerun => self.running.get(&id)?.text.clone(),
            Act::Replace | Act::Load => self.newest_text(id)?,
        };
        let mut unit = wire::Unit {
            name: name.clone(),
            chunk: format!("@{}", self.shown(&path)),
            act: wire_act(step.act),
            scc: step.scc,
            ..wire::Unit::default()
        };
        let mut because = Vec::new();
        match step.act {
            Act::Remove => because.push("its file is gone".to_owned()),
            Act::Rerun => {
                for &dependency in self
                    .index
                    .graph()
                    .dependencies(id)
                    .iter()
                    .filter(|it| in_set.contains(it))
                {
                    let dependency = self.name(dependency);
                    because.push(format!("`{name}` needs `{dependency}` while it loads"));
                    let uses = self.facts(id).and_then(|it| it.uses.get(&dependency));
                    let taken = uses.map_or_else(
                        || wire::Use {
                            whole: true,
                            ..wire::Use::default()
                        },
                        |it| wire::Use {
                            whole: it.whole,
                            calls: it.calls,
                            reads: it.reads.iter().cloned().collect(),
                        },
                    );
                    unit.when.insert(dependency, taken);
                }
            }
            Act::Replace => because.push("its text changed".to_owned()),
            Act::Load => because.push("it did not run yet".to_owned()),
        }
        if step.act != Act::Remove {
            unit.hash = text.hash().to_string();
            unit.set_source(text.bytes());
        }
        let part = Part {
            id,
            name,
            path,
            act: step.act,
            text,
            because,
        };
        Some((part, unit))
    }

    /// Adds what the parser knows of a part: its functions, and what its top level may write to beyond its own (5.2).
    /// `seen` are the units whose closure is in the journal already.
    fn add_facts(
        &self,
        part: &Part,
        unit: &mut wire::Unit,
        journal: &mut wire::Journal,
        seen: &mut HashSet<u32>,
    ) {
        let found;
        let facts = match part.act {
            Act::Remove => return,
            Act::Rerun => self.facts(part.id),
            Act::Load | Act::Replace => {
                found = self.facts_of(&part.name, &part.text);
                found.as_ref()
            }
        };
        if part.act != Act::Rerun {
            unit.fns = facts
                .map(|it| it.functions.iter().map(wire_function).collect())
                .unwrap_or_default();
        }
        let wire::Journal::Units(touched) = journal else {
            return;
        };
        match facts.map(|it| &it.touch) {
            None | Some(Touch::All(_)) => *journal = wire::Journal::All,
            Some(Touch::Units(names)) => {
                let named = names.iter().filter_map(|it| self.index.resolve(it));
                let mut open: Vec<u32> = named.filter(|&it| seen.insert(it)).collect();
                while let Some(id) = open.pop() {
                    touched.extend(self.running.get(&id).map(|it| it.name.clone()));
                    open.extend(
                        self.index
                            .graph()
                            .dependencies(id)
                            .iter()
                            .filter(|&&it| seen.insert(it)),
                    );
                }
            }
        }
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }
}

fn refused(stage: Stage, problems: Vec<Problem>) -> Outcome {
    let reason = problems
        .first()
        .map(|it| it.message.lines().next().unwrap_or_default().to_owned());
    Outcome {
        stage: Some(stage),
        reason,
        problems,
        ..Outcome::new(Tag::Rejected)
    }
}

/// Length of a text as a JSON string.
fn bytes_on_the_wire(text: &[u8]) -> usize {
    let escaped = |it: &u8| match it {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.iter().map(escaped).sum()
}

fn wire_function(function: &Function) -> wire::Function {
    wire::Function {
        id: function.id.clone(),
        parent: function
            .parent
            .and_then(|it| i32::try_from(it).ok())
            .unwrap_or(-1),
        first_line: function.first_line,
        last_line: function.last_line,
        n_parameters: function.n_parameters,
        vararg: function.is_vararg,
        free: function.free.clone(),
        bytes: [function.span.start, function.span.end],
        hash: function.hash.to_string(),
        leak: function.leak,
    }
}

const fn wire_act(act: Act) -> wire::Act {
    match act {
        Act::Remove => wire::Act::Remove,
        Act::Load => wire::Act::Load,
        Act::Replace => wire::Act::Replace,
        Act::Rerun => wire::Act::Rerun,
    }
}

/// Whether a file is a test by its name or folder (Lua specification, 3.4).
fn is_test_file(relative: &str) -> bool {
    let path = Path::new(relative);
    let in_test_folder = path.parent().is_some_and(|it| {
        it.iter()
            .any(|part| ["spec", "test", "tests"].iter().any(|word| part == *word))
    });
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    in_test_folder
        || stem.ends_with("_spec")
        || stem.ends_with("_test")
        || stem.starts_with("test_")
}

/// The engine's view of the units.
struct View<'a> {
    units: &'a Units,
    wanted: &'a HashSet<u32>,
}

impl plan::Units for View<'_> {
    fn is_loaded(&self, unit: u32) -> bool {
        self.units.running.contains_key(&unit)
    }

    fn is_wanted(&self, unit: u32) -> bool {
        self.wanted.contains(&unit)
    }

    fn load_order(&self, unit: u32) -> u64 {
        self.units
            .running
            .get(&unit)
            .map_or(u64::MAX, |it| it.order)
    }
}
