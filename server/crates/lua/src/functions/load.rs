//! Which code runs while a text loads, and which calls in it load other modules.

use std::{cell::OnceCell, collections::HashMap};

use emmylua_parser::{LuaSyntaxKind as Node, LuaSyntaxNode};
use rowan::TextSize;

use super::{
    bind::{Bound, MAIN},
    names::written_to,
    tree::{argument_of, field, is_call, is_callee, is_head, is_written, kind, path},
};
use crate::scan::{Form, Scan, When};

/// The parts of a text that run at load.
pub(super) struct Loading<'a> {
    pub(super) bound: &'a Bound,
    /// For each body whether the top level may run it.
    runs: Vec<bool>,
    /// Functions by the path they are written to.
    functions: HashMap<String, Vec<usize>>,
    /// Calls that load a module: the call, the name, and whether it may fail.
    pub(super) requires: Vec<(LuaSyntaxNode, String, Form)>,
    fields_read: OnceCell<HashMap<String, usize>>,
}

impl<'a> Loading<'a> {
    /// `own_name` is what the unit is called, for requires made from it.
    pub(super) fn of(bound: &'a Bound, scan: &Scan, own_name: &str) -> Self {
        let at_load = scan.requires.iter().filter(|it| it.when == When::Load);
        let requires = at_load.filter_map(|it| {
            let name = it.name.resolved(own_name)?;
            let argument = bound
                .root
                .token_at_offset(TextSize::from(it.argument.start))
                .right_biased()?;
            let call = argument.parent_ancestors().find(is_call)?;
            Some((call, name, it.form))
        });
        let requires = requires.collect();
        let mut functions: HashMap<String, Vec<usize>> = HashMap::new();
        for (idx, body) in bound.bodies.iter().enumerate().skip(1) {
            if let Some(written) = written_to(&body.node) {
                functions.entry(written.path()).or_default().push(idx);
            }
        }
        let mut loading = Self {
            runs: vec![false; bound.bodies.len()],
            bound,
            functions,
            requires,
            fields_read: OnceCell::new(),
        };
        loading.mark();
        loading
    }

    /// Whether a node stands in code that the top level may run.
    pub(super) fn runs(&self, node: &LuaSyntaxNode) -> bool {
        let function = node
            .ancestors()
            .skip(1)
            .find(|it| kind(it) == Node::ClosureExpr);
        let body = function.map_or(Some(MAIN), |it| self.bound.body_of(&it));
        body.is_none_or(|it| self.body_runs(it))
    }

    pub(super) fn body_runs(&self, body: usize) -> bool {
        self.runs.get(body).copied().unwrap_or(true)
    }

    /// Whether code that runs at load reads a field of this name, from whatever it may be; `value`, which is stored
    /// under that name, is not asked about itself (`{ size = shape.size }`).
    pub(super) fn reads_field(&self, name: &str, value: &LuaSyntaxNode) -> bool {
        let n_reads = self.fields_read.get_or_init(|| {
            let indices = self
                .bound
                .root
                .descendants()
                .filter(|it| kind(it) == Node::IndexExpr);
            let mut n_reads = HashMap::new();
            for field in indices
                .filter(|it| !is_written(it) && self.runs(it))
                .filter_map(|it| field(&it))
            {
                *n_reads.entry(field).or_default() += 1;
            }
            n_reads
        });
        let is_itself = kind(value) == Node::IndexExpr && field(value).as_deref() == Some(name);
        n_reads
            .get(name)
            .is_some_and(|&it| it > usize::from(is_itself))
    }

    /// Functions of this text that an expression may name.
    pub(super) fn functions_at(&self, expression: &LuaSyntaxNode) -> &[usize] {
        let name = path(expression).and_then(|(root, fields)| {
            let root = super::tree::name(&root)?;
            Some(
                std::iter::once(root)
                    .chain(fields)
                    .collect::<Vec<_>>()
                    .join("."),
            )
        });
        name.and_then(|it| self.functions.get(&it))
            .map_or(&[], Vec::as_slice)
    }

    /// The module that a call loads.
    pub(super) fn required_by(&self, call: &LuaSyntaxNode) -> Option<&str> {
        self.requires
            .iter()
            .find(|(it, _, _)| it == call)
            .map(|(_, name, _)| name.as_str())
    }

    /// Follows calls, and functions handed to calls, from the top level on.
    fn mark(&mut self) {
        let mut reached_by: Vec<Vec<usize>> = vec![Vec::new(); self.bound.bodies.len()];
        for it in &self.bound.names {
            let mut expression = it.node.clone();
            while let Some(parent) = expression.parent().filter(|parent| {
                kind(parent) == Node::IndexExpr
                    && is_head(&expression, parent)
                    && field(parent).is_some()
            }) {
                expression = parent;
            }
            if (is_callee(&expression) || argument_of(&expression).is_some())
                && let Some(from) = reached_by.get_mut(it.body)
            {
                from.extend(self.functions_at(&expression));
            }
        }
        for (idx, body) in self.bound.bodies.iter().enumerate().skip(1) {
            let mut node = body.node.clone();
            while let Some(parent) = node.parent().filter(|it| kind(it) == Node::ParenExpr) {
                node = parent;
            }
            if (is_callee(&node) || argument_of(&node).is_some())
                && let Some(from) = reached_by.get_mut(body.parent)
            {
                from.push(idx);
            }
        }
        let mut to_visit = vec![MAIN];
        while let Some(body) = to_visit.pop() {
            if let Some(runs) = self.runs.get_mut(body)
                && !std::mem::replace(runs, true)
            {
                to_visit.extend(reached_by.get(body).into_iter().flatten());
            }
        }
    }
}
