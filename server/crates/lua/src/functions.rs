//! The functions of a text and what its top level does: what a host needs to pair old code with new.
//!
//! Only for texts that parse; for others, and where names are not enough, the answers are the cautious ones.

mod bind;
mod leak;
mod load;
mod names;
mod touch;
mod tree;
mod uses;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use hotsave_engine::text::{ContentHash, SourceText};

use self::{bind::Bound, leak::Leaks, load::Loading};
pub use self::{touch::Touch, uses::Use};
use crate::{
    scan::Scan,
    syntax::{Dialect, Parsed, parse},
};

/// One function of a text; the wire's `Fn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Path such as `M.counter/inc`, anonymous ones by ordinal: `M.counter/1`. Unique in its text.
    pub id: String,
    /// Index of the enclosing function; `None` for the main chunk.
    pub parent: Option<usize>,
    /// Line on which the compiler says it begins, from 1.
    pub first_line: u32,
    /// Line of its `end`.
    pub last_line: u32,
    /// Named parameters, `self` of a method among them.
    pub n_parameters: u32,
    /// Whether it takes `...`.
    pub is_vararg: bool,
    /// Names of the locals it takes from outside, in order of first use; never `_ENV`, nor constants folded by 5.4.
    pub free: Vec<String>,
    /// From the word `function` to after `end`.
    pub span: Range<u32>,
    /// Hash of its tokens.
    pub hash: ContentHash,
    /// Whether an old version may be held where only a walk finds it (specification, 7.4).
    pub leak: bool,
}

/// What is to be known besides the text itself.
pub struct Setting<'a> {
    /// The project's dialect.
    pub dialect: Dialect,
    /// The module name under which the text is loaded, for requires made from it.
    pub own_name: &'a str,
    /// The scan of this very text.
    pub scan: &'a Scan,
    /// Whether a text of the project reads a field of this name from a value it does not know; an index answers with
    /// [`crate::index::ModuleIndex::is_read`].
    pub is_read_elsewhere: &'a dyn Fn(&str) -> bool,
}

/// What the parser finds out about one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// All functions in text order, parents before what they contain.
    pub functions: Vec<Function>,
    /// What the text takes from each module it requires at load, by the name it requires.
    ///
    /// *Shape*: an entry is empty if the module is only loaded, or its tables and functions are only stored or called
    /// later; a module without an entry was required in a way that is not understood and counts as whole.
    pub uses: BTreeMap<String, Use>,
    /// Which units the top level can write to.
    pub touch: Touch,
}

/// Parses `text` once and finds out all of it; `None` if it does not parse: then no function is known, every dependency
/// counts as whole, and the top level can write to everything.
#[must_use]
pub fn facts(text: &SourceText, setting: &Setting<'_>) -> Option<Facts> {
    let parsed = parse(text, setting.dialect).filter(|it| it.errors.is_empty())?;
    let bound = bind::bind(&parsed.tree.get_red_root(), setting.dialect);
    let loading = Loading::of(&bound, setting.scan, setting.own_name);
    Some(Facts {
        functions: functions(text, &parsed, &bound, setting.is_read_elsewhere),
        uses: uses::uses(&loading),
        touch: touch::touch(&loading),
    })
}

fn functions(
    text: &SourceText,
    parsed: &Parsed<'_>,
    bound: &Bound,
    is_read_elsewhere: &dyn Fn(&str) -> bool,
) -> Vec<Function> {
    let leaks = Leaks::new(bound, is_read_elsewhere);
    let mut ids = Ids::default();
    let line_of = |offset: u32| text.line_column(offset).0 + 1;
    let mut functions: Vec<Function> = Vec::new();
    for (idx, body) in bound.bodies.iter().enumerate().skip(1) {
        let parent = body.parent.checked_sub(1);
        let outer = parent
            .and_then(|it| functions.get(it))
            .map(|it| it.id.clone());
        let span = body.start..u32::from(body.node.text_range().end());
        let tokens = parsed.tokens.index_at(span.start)..parsed.tokens.index_at(span.end);
        let last = parsed
            .tokens
            .get(tokens.end.saturating_sub(1))
            .map_or(span.start, |it| it.start);
        functions.push(Function {
            id: ids.id(outer.as_deref(), bound, idx),
            parent,
            first_line: line_of(compiled_from(bound, idx)),
            last_line: line_of(last),
            n_parameters: body.n_parameters,
            is_vararg: body.is_vararg,
            free: body
                .free
                .iter()
                .filter_map(|&it| bound.locals.get(it))
                .map(|it| it.name.clone())
                .collect(),
            hash: parsed.tokens.hash_of(tokens),
            leak: leaks.leaks(idx),
            span,
        });
    }
    functions
}

/// Where the compilers take `linedefined`: a function statement's first word, else the parenthesis of the parameters.
fn compiled_from(bound: &Bound, idx: usize) -> u32 {
    let Some(body) = bound.bodies.get(idx) else {
        return 0;
    };
    let is_statement = body
        .node
        .parent()
        .is_some_and(|it| tree::kind(&it) == emmylua_parser::LuaSyntaxKind::FuncStat);
    let parameters = body
        .node
        .first_child()
        .map_or(body.start, |it| tree::start(&it));
    if is_statement { body.start } else { parameters }
}

/// Gives out ids, each once.
#[derive(Default)]
struct Ids {
    n_anonymous: HashMap<Option<String>, usize>,
    n_named: HashMap<String, usize>,
}

impl Ids {
    fn id(&mut self, outer: Option<&str>, bound: &Bound, idx: usize) -> String {
        let written = bound
            .bodies
            .get(idx)
            .and_then(|it| names::written_to(&it.node));
        let id = match (written, outer) {
            (Some(written), None) => written.path(),
            (Some(written), Some(outer)) => format!("{outer}/{}", written.path()),
            (None, outer) => {
                let n_anonymous = self
                    .n_anonymous
                    .entry(outer.map(str::to_owned))
                    .or_default();
                *n_anonymous += 1;
                format!("{}/{n_anonymous}", outer.unwrap_or_default())
            }
        };
        let n_named = self.n_named.entry(id.clone()).or_default();
        *n_named += 1;
        if *n_named == 1 {
            id
        } else {
            format!("{id}#{n_named}")
        }
    }
}

#[cfg(test)]
mod tests;
