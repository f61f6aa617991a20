//! Finds the requires among the tokens and decides which of them run at load.
//!
//! Functions are known by the path they are written to (`f`, `M.f`); a call of that path calls them. Scopes are ignored:
//! of two functions of one name both count as called, which errs towards load.

use std::collections::{HashMap, HashSet};

use super::{
    Form, Require, When,
    fold::{Name, fold},
};
use crate::tokens::{Kind, Tokens, string_value};

/// A function body, or the main chunk (the first one).
#[derive(Default)]
struct Body {
    /// The enclosing body.
    parent: usize,
    /// Inside `pcall`.
    is_protected: bool,
    /// Function expressions it calls where they stand, or gives to `pcall`.
    runs: Vec<usize>,
    /// Paths of the functions it calls.
    calls: Vec<Box<[u8]>>,
}

struct Finder<'t, 'a> {
    tokens: &'t Tokens<'a>,
    loaders: &'t [String],
    bodies: Vec<Body>,
    /// Bodies by the path they are assigned to.
    named: HashMap<Box<[u8]>, Vec<usize>>,
    /// Open blocks: the body a function opens, `None` for others.
    open: Vec<Option<usize>>,
    current: usize,
    /// `local r = require`.
    aliases: Vec<&'a [u8]>,
    constants: Vec<(&'a [u8], Name)>,
    /// How often each name is assigned; counted when first asked for.
    assigned: Option<HashMap<&'a [u8], usize>>,
    found: Vec<(usize, Require)>,
    returns: bool,
}

/// All requires in text order, and whether the text returns a value.
pub(super) fn requires<'a>(tokens: &Tokens<'a>, loaders: &[String]) -> (Vec<Require>, bool) {
    let mut finder = Finder {
        tokens,
        loaders,
        bodies: vec![Body::default()],
        named: HashMap::new(),
        open: Vec::new(),
        current: 0,
        aliases: Vec::new(),
        constants: Vec::new(),
        assigned: None,
        found: Vec::new(),
        returns: false,
    };
    let mut idx = 0;
    while idx < tokens.len() {
        idx = finder.step(idx);
    }
    let at_load = finder.run_at_load();
    let requires = finder.found.into_iter().filter_map(|(body, mut require)| {
        if at_load.contains(&body) {
            require.when = When::Load;
        } else if require.form == Form::File {
            return None;
        }
        Some(require)
    });
    (requires.collect(), finder.returns)
}

impl<'a> Finder<'_, 'a> {
    /// Looks at one token; gives the next to look at.
    fn step(&mut self, idx: usize) -> usize {
        let tokens = self.tokens;
        match tokens.kind(idx) {
            Kind::TkFunction => self.enter_function(idx),
            Kind::TkIf | Kind::TkDo | Kind::TkRepeat => self.open.push(None),
            Kind::TkEnd | Kind::TkUntil => {
                if let Some(Some(body)) = self.open.pop() {
                    self.current = self.bodies.get(body).map_or(0, |it| it.parent);
                    // `(function() … end)()`
                    if tokens.kind(idx + 1) == Kind::TkRightParen
                        && tokens.kind(idx + 2) == Kind::TkLeftParen
                    {
                        self.runs_here(body);
                    }
                }
            }
            Kind::TkReturn if self.open.is_empty() => {
                self.returns = !matches!(tokens.kind(idx + 1), Kind::TkEof | Kind::TkSemicolon);
            }
            Kind::TkLocal => self.note_constant(idx),
            Kind::TkName
                if !matches!(tokens.kind_before(idx), Some(Kind::TkDot | Kind::TkColon)) =>
            {
                return self.name(idx);
            }
            _ => {}
        }
        idx + 1
    }

    fn enter_function(&mut self, idx: usize) {
        let tokens = self.tokens;
        let before = |n: usize| idx.checked_sub(n).map_or(Kind::None, |it| tokens.kind(it));
        let body_idx = self.bodies.len();
        let mut body = Body {
            parent: self.current,
            ..Body::default()
        };
        if tokens.kind(idx + 1) == Kind::TkName {
            let (path, _) = path(tokens, idx + 1);
            self.named.entry(path).or_default().push(body_idx);
        } else if before(1) == Kind::TkAssign {
            let mut start = idx.saturating_sub(2);
            while start >= 2 && matches!(tokens.kind(start - 1), Kind::TkDot | Kind::TkColon) {
                start -= 2;
            }
            let (path, _) = path(tokens, start);
            self.named.entry(path).or_default().push(body_idx);
        } else if before(1) == Kind::TkLeftParen {
            let callee = idx.saturating_sub(2);
            body.is_protected = tokens.is_name(callee, "pcall") || tokens.is_name(callee, "xpcall");
            if body.is_protected {
                self.runs_here(body_idx);
            }
        }
        self.bodies.push(body);
        self.open.push(Some(body_idx));
        self.current = body_idx;
    }

    fn runs_here(&mut self, body: usize) {
        if let Some(current) = self.bodies.get_mut(self.current) {
            current.runs.push(body);
        }
    }

    /// `local P = "a."` and `local r = require`, at top level and never assigned again.
    fn note_constant(&mut self, idx: usize) {
        let tokens = self.tokens;
        if self.current != 0
            || tokens.kind(idx + 1) != Kind::TkName
            || tokens.kind(idx + 2) != Kind::TkAssign
        {
            return;
        }
        let name = tokens.text(idx + 1);
        if tokens.is_name(idx + 3, "require") && ends_expression(tokens, idx + 4) {
            if self.is_assigned_once(name) {
                self.aliases.push(name);
            }
        } else if let Some((value, after)) = fold(tokens, idx + 3, &self.constants)
            && (ends_expression(tokens, after) || tokens.kind(after) == Kind::TkOr)
            && self.is_assigned_once(name)
        {
            self.constants.push((name, value));
        }
    }

    fn is_assigned_once(&mut self, name: &[u8]) -> bool {
        let tokens = self.tokens;
        let assigned = self.assigned.get_or_insert_with(|| {
            let mut assigned = HashMap::new();
            for idx in 0..tokens.len() {
                let is_field = matches!(
                    tokens.kind_before(idx),
                    Some(Kind::TkDot | Kind::TkLeftBrace)
                );
                if tokens.kind(idx) == Kind::TkName
                    && tokens.kind(idx + 1) == Kind::TkAssign
                    && !is_field
                {
                    *assigned.entry(tokens.text(idx)).or_default() += 1;
                }
            }
            assigned
        });
        assigned.get(name) == Some(&1)
    }

    /// A path that begins at `idx`: a call, a loader, or nothing of interest.
    fn name(&mut self, idx: usize) -> usize {
        let tokens = self.tokens;
        let after = path_end(tokens, idx);
        let is_call = matches!(
            tokens.kind(after),
            Kind::TkLeftParen | Kind::TkString | Kind::TkLongString | Kind::TkLeftBrace
        );
        if !is_call {
            return after;
        }
        let (path, _) = path(tokens, idx);
        let protects = *path == *b"pcall" || *path == *b"xpcall";
        if self.is_loader(&path) {
            self.note_require(idx, after, Form::Plain);
        } else if is_file_reader(&path) {
            self.note_require(idx, after, Form::File);
        } else if protects && tokens.kind(after + 1) == Kind::TkName {
            let (inner, mut comma) = self::path(tokens, after + 1);
            if *path == *b"xpcall" {
                comma = end_of_argument(tokens, comma + 1);
            }
            if self.is_loader(&inner) && tokens.kind(comma) == Kind::TkComma {
                self.note(idx, comma + 1, Form::Optional, Some(Kind::TkRightParen));
            } else if let Some(body) = self.bodies.get_mut(self.current) {
                body.calls.push(inner);
            }
        }
        if let Some(body) = self.bodies.get_mut(self.current) {
            body.calls.push(path);
        }
        after
    }

    fn is_loader(&self, path: &[u8]) -> bool {
        path == b"require"
            || path == b"_G.require"
            || self.loaders.iter().any(|it| it.as_bytes() == path)
            || self.aliases.contains(&path)
    }

    fn note_require(&mut self, idx: usize, args: usize, form: Form) {
        if self.tokens.kind(args) == Kind::TkLeftParen {
            self.note(idx, args + 1, form, Some(Kind::TkRightParen));
        } else {
            self.note(idx, args, form, None);
        }
    }

    /// The argument starts at `args`; `closer` ends the call.
    fn note(&mut self, idx: usize, args: usize, form: Form, closer: Option<Kind>) {
        let tokens = self.tokens;
        let folded = match closer {
            Some(_) => fold(tokens, args, &self.constants),
            None => fold_string(tokens, args),
        };
        let ends = |at: usize| {
            closer.is_none_or(|it| tokens.kind(at) == it || tokens.kind(at) == Kind::TkComma)
        };
        let (name, after) = match folded {
            // `...` is the unit's name only in the main chunk.
            Some((Name::Own(..), after))
                if self.current != 0 && tokens.kind(args) == Kind::TkDots =>
            {
                (Name::Dynamic, after)
            }
            Some((name, after)) if ends(after) => (name, after),
            _ => (Name::Dynamic, end_of_argument(tokens, args)),
        };
        if name == Name::Dynamic && form == Form::File || after <= args {
            return;
        }
        let mut close = after;
        if closer.is_some() {
            while tokens.kind(close) == Kind::TkComma {
                close = end_of_argument(tokens, close + 1).max(close + 1);
            }
        }
        let last = if closer.is_some() && close < tokens.len() {
            close
        } else {
            after - 1
        };
        let is_protected = self.is_protected();
        let (Some(first), Some(start), Some(end), Some(last)) = (
            tokens.get(idx),
            tokens.get(args),
            tokens.get(after - 1),
            tokens.get(last),
        ) else {
            return;
        };
        let form = if form == Form::Plain && is_protected {
            Form::Optional
        } else {
            form
        };
        let require = Require {
            name,
            form,
            when: When::Late,
            argument: start.start..end.end,
            call: first.start..last.end,
        };
        self.found.push((self.current, require));
    }

    fn is_protected(&self) -> bool {
        self.bodies
            .get(self.current)
            .is_some_and(|it| it.is_protected)
    }

    /// The main chunk, what it calls, and what those call.
    fn run_at_load(&self) -> HashSet<usize> {
        let mut at_load = HashSet::from([0]);
        let mut to_visit = vec![0];
        while let Some(idx) = to_visit.pop() {
            let Some(body) = self.bodies.get(idx) else {
                continue;
            };
            let called = body
                .calls
                .iter()
                .filter_map(|it| self.named.get(it))
                .flatten()
                .copied();
            for it in called.chain(body.runs.iter().copied()) {
                if at_load.insert(it) {
                    to_visit.push(it);
                }
            }
        }
        at_load
    }
}

/// The dotted path that begins at `idx`, colons read as dots, and the token after it.
fn path(tokens: &Tokens<'_>, idx: usize) -> (Box<[u8]>, usize) {
    let end = path_end(tokens, idx);
    let parts: Vec<&[u8]> = (idx..end).step_by(2).map(|it| tokens.text(it)).collect();
    (parts.join(&b'.').into(), end)
}

fn path_end(tokens: &Tokens<'_>, idx: usize) -> usize {
    let mut end = idx + 1;
    while matches!(tokens.kind(end), Kind::TkDot | Kind::TkColon)
        && tokens.kind(end + 1) == Kind::TkName
    {
        end += 2;
    }
    end
}

fn is_file_reader(path: &[u8]) -> bool {
    matches!(
        path,
        b"dofile" | b"loadfile" | b"love.filesystem.load" | b"io.open"
    )
}

fn fold_string(tokens: &Tokens<'_>, idx: usize) -> Option<(Name, usize)> {
    let value = String::from_utf8(string_value(tokens.text(idx))?).ok()?;
    Some((Name::Constant(value.into()), idx + 1))
}

/// The token after the argument that starts at `idx`: its comma or closing parenthesis.
fn end_of_argument(tokens: &Tokens<'_>, mut idx: usize) -> usize {
    let mut depth = 0_usize;
    while idx < tokens.len() {
        match tokens.kind(idx) {
            Kind::TkLeftParen | Kind::TkLeftBrace | Kind::TkLeftBracket | Kind::TkFunction => {
                depth += 1
            }
            Kind::TkRightParen | Kind::TkRightBrace | Kind::TkRightBracket | Kind::TkEnd => {
                let Some(outer) = depth.checked_sub(1) else {
                    return idx;
                };
                depth = outer;
            }
            Kind::TkComma if depth == 0 => return idx,
            _ => {}
        }
        idx += 1;
    }
    idx
}

/// Whether no operator or suffix goes on at `idx`.
fn ends_expression(tokens: &Tokens<'_>, idx: usize) -> bool {
    matches!(
        tokens.kind(idx),
        Kind::TkEof
            | Kind::TkSemicolon
            | Kind::TkLocal
            | Kind::TkName
            | Kind::TkReturn
            | Kind::TkFunction
            | Kind::TkIf
            | Kind::TkFor
            | Kind::TkWhile
            | Kind::TkDo
            | Kind::TkRepeat
            | Kind::TkGoto
    )
}
