//! Consumption: what a text takes from its dependencies while it loads (4.3).
//!
//! Follows each required value through fields and locals to where it ends. What it cannot follow counts as `whole`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use emmylua_parser::{LuaSyntaxKind as Node, LuaSyntaxNode};

use super::{
    load::Loading,
    names::written_to,
    tree::{argument_of, field, is_call, is_head, is_table, kind, name, path, target_of, token},
};
use crate::{scan::Form, tokens::Kind};

/// What was taken from one dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Passed on, iterated or copied from: any change matters.
    pub whole: bool,
    /// It or one of its functions was called.
    pub calls: bool,
    /// Dotted paths of fields that were read as values.
    pub reads: BTreeSet<String>,
}

pub(super) fn uses(loading: &Loading<'_>) -> BTreeMap<String, Use> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    for (call, name, form) in &loading.requires {
        let taken = uses.entry(name.clone()).or_default();
        match form {
            Form::Plain => {
                let mut follower = Follower {
                    loading,
                    taken,
                    seen: HashSet::new(),
                };
                follower.follow(call, &[]);
            }
            // The value comes out of `pcall` behind a flag.
            Form::Optional => taken.whole = true,
            Form::File => {}
        }
    }
    uses
}

/// A value is followed through so many names; each is a recursion.
const MAX_NAMES: usize = 200;

struct Follower<'a> {
    loading: &'a Loading<'a>,
    taken: &'a mut Use,
    /// Names already followed, with the path they hold.
    seen: HashSet<(String, Option<usize>, Vec<String>)>,
}

impl Follower<'_> {
    /// Follows the value at `fields` of the dependency from the expression that gives it.
    fn follow(&mut self, expression: &LuaSyntaxNode, fields: &[String]) {
        let mut fields = fields.to_vec();
        let mut node = expression.clone();
        while let Some(parent) = node.parent() {
            match kind(&parent) {
                Node::ParenExpr => node = parent,
                Node::IndexExpr if is_head(&node, &parent) => match field(&parent) {
                    Some(field) => {
                        fields.push(field);
                        node = parent;
                    }
                    None => return self.taken.whole = true,
                },
                Node::LocalStat => {
                    self.read_unless_whole(&fields);
                    let target = target_of(&node).and_then(|it| name(&it));
                    return self.follow_local(target, &node, &fields);
                }
                Node::AssignStat => return self.assigned(&node, &fields),
                // `function a.f() end` writes.
                Node::FuncStat | Node::CallExprStat => return,
                Node::TableFieldAssign | Node::TableFieldValue => {
                    return self.stored_in_table(&node, &parent, &fields);
                }
                Node::CallArgList => match self.passed(&node, &fields) {
                    Some(call) => node = call,
                    None => return,
                },
                Node::BinaryExpr
                    if token(&parent, Kind::TkAnd)
                        .or_else(|| token(&parent, Kind::TkOr))
                        .is_some() =>
                {
                    self.read_unless_whole(&fields);
                    node = parent;
                }
                Node::UnaryExpr if token(&parent, Kind::TkLen).is_some() => {
                    return self.taken.whole = true;
                }
                Node::UnaryExpr
                | Node::IfStat
                | Node::ElseIfClauseStat
                | Node::WhileStat
                | Node::RepeatStat => {
                    return self.read_unless_whole(&fields);
                }
                Node::BinaryExpr | Node::ForStat | Node::ReturnStat | Node::IndexExpr => {
                    return self.read(fields);
                }
                _ if is_call(&parent) => return self.taken.calls = true,
                _ => return self.taken.whole = true,
            }
        }
    }

    fn read(&mut self, fields: Vec<String>) {
        if fields.is_empty() {
            self.taken.whole = true;
        } else {
            self.taken.reads.insert(fields.join("."));
        }
    }

    /// The module's own value keeps its identity; merely holding or testing it takes nothing.
    fn read_unless_whole(&mut self, fields: &[String]) {
        if !fields.is_empty() {
            self.read(fields.to_vec());
        }
    }

    /// Goes on at each mention that runs at load.
    fn follow_local(&mut self, target: Option<String>, value: &LuaSyntaxNode, fields: &[String]) {
        let bound = self.loading.bound;
        let Some(target) = target else { return };
        match bound.local_made_of(value) {
            Some(local) => self.follow_name(&target, Some(local), fields),
            None => self.taken.whole = true,
        }
    }

    fn follow_name(&mut self, target: &str, local: Option<usize>, fields: &[String]) {
        if self.seen.len() > MAX_NAMES {
            self.taken.whole = true;
            return;
        }
        if !self
            .seen
            .insert((target.to_owned(), local, fields.to_vec()))
        {
            return;
        }
        let loading = self.loading;
        for it in &loading.bound.names {
            let is_it =
                it.local == local && (local.is_some() || name(&it.node).as_deref() == Some(target));
            if is_it && loading.body_runs(it.body) {
                self.follow(&it.node, fields);
            }
        }
    }

    fn assigned(&mut self, node: &LuaSyntaxNode, fields: &[String]) {
        // On the left it is written to.
        let Some(target) = target_of(node) else {
            return;
        };
        self.read_unless_whole(fields);
        match kind(&target) {
            Node::NameExpr => {
                let local = self.loading.bound.local_of(&target);
                self.follow_name(&name(&target).unwrap_or_default(), local, fields);
            }
            _ => self.stored_at(field(&target), node),
        }
    }

    fn stored_in_table(&mut self, node: &LuaSyntaxNode, entry: &LuaSyntaxNode, fields: &[String]) {
        self.read_unless_whole(fields);
        let is_key =
            kind(entry) == Node::TableFieldAssign && entry.children().last().as_ref() != Some(node);
        if is_key {
            return;
        }
        let key = written_to(node)
            .and_then(|it| it.fields.last().cloned())
            .or_else(|| name(entry));
        if key.as_deref().is_some_and(|it| it.starts_with("__")) {
            return;
        }
        let outermost = entry
            .ancestors()
            .take_while(|it| is_table(it) || is_entry(it))
            .last();
        let goes_to = outermost.and_then(|it| it.parent()).map(|it| kind(&it));
        match goes_to {
            Some(Node::LocalStat | Node::AssignStat | Node::ReturnStat) => {
                self.stored_at(key, node)
            }
            _ => self.taken.whole = true,
        }
    }

    /// Free, unless code that runs at load reads such a field: then it may be this value again.
    fn stored_at(&mut self, field_name: Option<String>, value: &LuaSyntaxNode) {
        let Some(field_name) = field_name else {
            return self.taken.whole = true;
        };
        self.taken.whole |= self.loading.reads_field(&field_name, value);
    }

    /// An argument: gives the call if its result is the value again.
    fn passed(&mut self, node: &LuaSyntaxNode, fields: &[String]) -> Option<LuaSyntaxNode> {
        let (call, place) = argument_of(node)?;
        let callee = call
            .first_child()
            .and_then(|it| path(&it))
            .and_then(|(root, fields)| {
                let is_global = self
                    .loading
                    .bound
                    .mention_of(&root)
                    .is_some_and(|it| it.local.is_none());
                is_global
                    .then(|| Some((name(&root)?, fields.len())))
                    .flatten()
            });
        match callee
            .as_ref()
            .map(|(root, n_fields)| (root.as_str(), *n_fields))
        {
            Some(("setmetatable", 0)) if place == 0 => return Some(call),
            Some(("assert", 0)) => {
                self.read_unless_whole(fields);
                return Some(call);
            }
            Some(("setmetatable" | "type", 0)) => {}
            Some(("tostring" | "tonumber", 0) | ("math" | "string", 1)) => {
                self.read(fields.to_vec())
            }
            _ => self.taken.whole = true,
        }
        None
    }
}

fn is_entry(node: &LuaSyntaxNode) -> bool {
    matches!(kind(node), Node::TableFieldAssign | Node::TableFieldValue)
}
