//! Whether a function may be held where only a walk over all values finds it (7.4).
//!
//! Errs towards yes: a walk that was not needed costs milliseconds, an old function that stays costs a bug.

use emmylua_parser::{LuaSyntaxKind as Node, LuaSyntaxNode};

use super::{
    bind::{Bound, MAIN},
    names::{Written, written_to},
    tree::{argument_of, field, is_call, is_callee, is_head, kind, name, path},
};

/// Standard functions that call what they are given and keep nothing.
const CALL_AT_ONCE: &[&str] = &["pcall", "xpcall", "sort", "gsub", "foreach"];

pub(super) struct Leaks<'a> {
    pub(super) bound: &'a Bound,
    /// Fields that this text reads as values.
    read_here: Vec<String>,
    /// Whether another text reads such a field from something it does not know.
    is_read_elsewhere: &'a dyn Fn(&str) -> bool,
}

impl<'a> Leaks<'a> {
    pub(super) fn new(bound: &'a Bound, is_read_elsewhere: &'a dyn Fn(&str) -> bool) -> Self {
        let root = bound.bodies.first().map(|it| it.node.clone());
        let indices = root
            .iter()
            .flat_map(LuaSyntaxNode::descendants)
            .filter(|it| kind(it) == Node::IndexExpr);
        let read_here = indices
            .filter(is_value)
            .filter_map(|it| field(&it))
            .collect();
        Self {
            bound,
            read_here,
            is_read_elsewhere,
        }
    }

    pub(super) fn leaks(&self, body: usize) -> bool {
        let Some(body) = self.bound.bodies.get(body) else {
            return true;
        };
        let mut node = body.node.clone();
        while let Some(parent) = node.parent().filter(|it| kind(it) == Node::ParenExpr) {
            node = parent;
        }
        if is_callee(&node) {
            return false;
        }
        if let Some((call, _)) = argument_of(&node)
            && call
                .first_child()
                .and_then(|it| field(&it).or_else(|| name(&it)))
                .is_some_and(|it| calls_at_once(&it))
        {
            return false;
        }
        let Some(written) = written_to(&node) else {
            return true;
        };
        if let Some(local) = self.bound.local_made_of(&node) {
            return self.local_leaks(local);
        }
        body.parent != MAIN || self.field_leaks(&written)
    }

    /// A function in a local leaks where the local is more than called or exported.
    fn local_leaks(&self, local: usize) -> bool {
        self.bound.mentions(local).any(|it| {
            if is_callee(&it.node) {
                return false;
            }
            match written_to(&it.node) {
                Some(written) if it.body == MAIN && !written.fields.is_empty() => {
                    self.field_leaks(&written)
                }
                _ => true,
            }
        })
    }

    /// A function in a field of a top-level table leaks where something reads the field.
    fn field_leaks(&self, written: &Written) -> bool {
        let Some(field) = written.fields.last() else {
            return true;
        };
        // Metatables keep their identity and only the VM reads them.
        if field.starts_with("__") {
            return false;
        }
        let table_leaks = written.root.as_ref().is_some_and(|root| {
            let local = self.bound.local_of(root).or_else(|| self.local_named(root));
            local.is_none_or(|it| self.table_leaks(it))
        });
        table_leaks || self.read_here.contains(field) || (self.is_read_elsewhere)(field)
    }

    /// The root is a `LocalName` where the table is made with its functions in it.
    fn local_named(&self, root: &LuaSyntaxNode) -> Option<usize> {
        let statement = root.parent().filter(|it| kind(it) == Node::LocalStat)?;
        let is_it = |init: &LuaSyntaxNode| init.parent().as_ref() == Some(&statement);
        let name = name(root)?;
        self.bound
            .locals
            .iter()
            .position(|it| it.name == name && it.init.as_ref().is_some_and(is_it))
    }

    /// Tables of others, and tables of which fields are taken by a computed key or in a loop.
    fn table_leaks(&self, local: usize) -> bool {
        let made_of = self.bound.locals.get(local).and_then(|it| it.init.clone());
        let is_foreign = made_of.is_none_or(|it| {
            let root = path(&it).map(|(root, _)| root);
            root.is_none_or(|it| matches!(kind(&it), Node::RequireCallExpr | Node::NameExpr))
        });
        is_foreign
            || self.bound.mentions(local).any(|it| {
                let Some(parent) = it.node.parent() else {
                    return true;
                };
                let is_computed = kind(&parent) == Node::IndexExpr && field(&parent).is_none();
                let is_iterated = argument_of(&it.node).is_some_and(|(call, _)| {
                    let callee = call.first_child().and_then(|it| name(&it));
                    callee.is_some_and(|it| {
                        matches!(it.as_str(), "pairs" | "ipairs" | "next" | "unpack")
                    })
                });
                is_computed && is_value(&parent) || is_iterated
            })
    }
}

fn calls_at_once(name: &str) -> bool {
    CALL_AT_ONCE.contains(&name)
}

/// Whether an expression is taken as a value: not called, not indexed further, not assigned to.
pub(super) fn is_value(node: &LuaSyntaxNode) -> bool {
    let Some(parent) = node.parent() else {
        return false;
    };
    match kind(&parent) {
        Node::IndexExpr => !is_head(node, &parent),
        Node::FuncStat => false,
        Node::AssignStat => super::tree::target_of(node).is_some(),
        _ => !(is_call(&parent) && is_head(node, &parent)),
    }
}
