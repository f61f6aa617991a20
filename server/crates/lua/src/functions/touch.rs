//! Which units a top level can write to (5.2): none if it is declarative.

use std::{
    collections::{BTreeSet, HashSet},
    ops::Range,
};

use emmylua_parser::{LuaSyntaxKind as Node, LuaSyntaxNode};

use super::{
    load::Loading,
    names::written_to,
    tree::{arguments, field, is_call, is_table, is_written, kind, name, token},
};
use crate::tokens::Kind;

/// What must be journaled before a top level runs, besides `_G` and the standard tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// These modules, by the names required, with all they require; none if the top level is declarative.
    Units(BTreeSet<String>),
    /// All loaded units, because of what stands here.
    All(Range<u32>),
}

pub(super) fn touch(loading: &Loading<'_>) -> Touch {
    let nodes = || loading.bound.root.descendants();
    let own_tables = nodes()
        .filter(is_table)
        .filter_map(|it| Some(written_to(&it)?.path()))
        .collect();
    let targets = nodes().filter(|it| kind(it) == Node::NameExpr && is_written(it));
    let assigned = targets
        .filter_map(|it| loading.bound.local_of(&it))
        .collect();
    let judge = Judge {
        loading,
        own_tables,
        assigned,
    };
    let mut units = BTreeSet::new();
    for node in nodes() {
        let origin = if is_call(&node) {
            judge.call(&node)
        } else {
            judge.write(&node)
        };
        match origin {
            Origin::Own | Origin::Standard(_) => {}
            _ if !loading.runs(&node) => {}
            Origin::Unit(name) => {
                units.insert(name);
            }
            Origin::Unknown => {
                let range = node.text_range();
                return Touch::All(range.start().into()..range.end().into());
            }
        }
    }
    Touch::Units(units)
}

/// Whose a value is.
enum Origin {
    /// Made by this top level.
    Own,
    /// A standard global or a field of one.
    Standard(String),
    /// Of a required module.
    Unit(String),
    Unknown,
}

struct Judge<'a> {
    loading: &'a Loading<'a>,
    /// Locals that are assigned to after they were made.
    assigned: HashSet<usize>,
    /// Paths to which this text writes table constructors.
    own_tables: BTreeSet<String>,
}

/// Locals are followed through so many others.
const MAX_STEPS: usize = 20;

impl Judge<'_> {
    /// Whose things a call can write to.
    fn call(&self, call: &LuaSyntaxNode) -> Origin {
        if self.loading.required_by(call).is_some() {
            return Origin::Own;
        }
        let Some(callee) = call.first_child() else {
            return Origin::Unknown;
        };
        if !self.loading.functions_at(&callee).is_empty() || is_closure(&callee) {
            // Its body is judged where it stands.
            return Origin::Own;
        }
        match self.origin(&callee, MAX_STEPS) {
            Origin::Standard(path) => self.standard_call(&path, call),
            Origin::Unit(name) => Origin::Unit(name),
            Origin::Own | Origin::Unknown => Origin::Unknown,
        }
    }

    fn standard_call(&self, path: &str, call: &LuaSyntaxNode) -> Origin {
        let arguments = arguments(call);
        let first = |judge: &Self| {
            arguments
                .first()
                .map_or(Origin::Own, |it| judge.origin(it, MAX_STEPS))
        };
        match path {
            "setmetatable" | "rawset" | "table.insert" | "table.remove" | "table.move" => {
                match first(self) {
                    Origin::Standard(_) => Origin::Own,
                    it => it,
                }
            }
            "table.sort" | "string.gsub" | "pcall" | "xpcall" => {
                let callbacks = arguments.iter().map(|it| self.callback(it));
                let worst = callbacks.fold(first(self), worse);
                if path.starts_with("table") {
                    worst
                } else {
                    arguments
                        .iter()
                        .map(|it| self.callback(it))
                        .fold(Origin::Own, worse)
                }
            }
            "math.random" | "math.randomseed" => Origin::Unknown,
            _ if is_pure(path) => Origin::Own,
            _ => Origin::Unknown,
        }
    }

    /// An argument that the callee may call.
    fn callback(&self, argument: &LuaSyntaxNode) -> Origin {
        if is_closure(argument) || !self.loading.functions_at(argument).is_empty() {
            return Origin::Own;
        }
        match kind(argument) {
            Node::LiteralExpr
            | Node::TableArrayExpr
            | Node::TableObjectExpr
            | Node::TableEmptyExpr => Origin::Own,
            _ => match self.origin(argument, MAX_STEPS) {
                Origin::Standard(path) if is_pure(&path) || path == "require" => Origin::Own,
                Origin::Standard(_) => Origin::Unknown,
                it => it,
            },
        }
    }

    /// Whose table a statement writes to.
    fn write(&self, node: &LuaSyntaxNode) -> Origin {
        if kind(node) != Node::IndexExpr || !is_written(node) {
            return Origin::Own;
        }
        node.first_child()
            .map_or(Origin::Unknown, |it| self.origin(&it, MAX_STEPS))
    }

    fn origin(&self, node: &LuaSyntaxNode, n_steps: usize) -> Origin {
        let Some(n_steps) = n_steps.checked_sub(1) else {
            return Origin::Unknown;
        };
        match kind(node) {
            Node::TableArrayExpr
            | Node::TableObjectExpr
            | Node::TableEmptyExpr
            | Node::ClosureExpr
            | Node::UnaryExpr => Origin::Own,
            Node::LiteralExpr if token(node, Kind::TkDots).is_none() => Origin::Own,
            Node::ParenExpr => node
                .first_child()
                .map_or(Origin::Unknown, |it| self.origin(&it, n_steps)),
            Node::BinaryExpr => {
                let is_choice = token(node, Kind::TkAnd)
                    .or_else(|| token(node, Kind::TkOr))
                    .is_some();
                if !is_choice {
                    return Origin::Own;
                }
                node.children()
                    .map(|it| self.origin(&it, n_steps))
                    .fold(Origin::Own, worse)
            }
            Node::NameExpr => match self.loading.bound.local_of(node) {
                Some(local) => {
                    let is_assigned = self.assigned.contains(&local);
                    let init = self
                        .loading
                        .bound
                        .locals
                        .get(local)
                        .and_then(|it| it.init.as_ref());
                    init.filter(|_| !is_assigned)
                        .map_or(Origin::Unknown, |it| self.origin(it, n_steps))
                }
                None => name(node).map_or(Origin::Unknown, |it| {
                    if is_standard(&it) {
                        Origin::Standard(it)
                    } else {
                        Origin::Unknown
                    }
                }),
            },
            Node::IndexExpr => self.field_origin(node, n_steps),
            _ if is_call(node) => match self.loading.required_by(node) {
                Some(name) => Origin::Unit(name.to_owned()),
                None => self.result(node, n_steps),
            },
            _ => Origin::Unknown,
        }
    }

    fn field_origin(&self, index: &LuaSyntaxNode, n_steps: usize) -> Origin {
        let Some(head) = index.first_child() else {
            return Origin::Unknown;
        };
        match self.origin(&head, n_steps) {
            Origin::Standard(path) if path == "_G" => match field(index) {
                Some(field) if is_standard(&field) => Origin::Standard(field),
                _ => Origin::Unknown,
            },
            Origin::Standard(path) => field(index).map_or(Origin::Unknown, |it| {
                Origin::Standard(format!("{path}.{it}"))
            }),
            Origin::Unit(name) => Origin::Unit(name),
            // A field of an own table holds whatever was put there.
            Origin::Own if kind(&head) == Node::ParenExpr => {
                // `("x"):rep(3)`
                let is_string = head
                    .first_child()
                    .is_some_and(|it| token(&it, Kind::TkString).is_some());
                let method = field(index).filter(|_| is_string);
                method.map_or(Origin::Unknown, |it| {
                    Origin::Standard(format!("string.{it}"))
                })
            }
            Origin::Own => {
                let path = super::tree::path(index).and_then(|(root, fields)| {
                    Some(
                        std::iter::once(name(&root)?)
                            .chain(fields)
                            .collect::<Vec<_>>()
                            .join("."),
                    )
                });
                if path.is_some_and(|it| self.own_tables.contains(&it)) {
                    Origin::Own
                } else {
                    Origin::Unknown
                }
            }
            Origin::Unknown => Origin::Unknown,
        }
    }

    /// Whose the result of a call is.
    fn result(&self, call: &LuaSyntaxNode, n_steps: usize) -> Origin {
        let callee = call
            .first_child()
            .map_or(Origin::Unknown, |it| self.origin(&it, n_steps));
        match callee {
            Origin::Standard(path) if path == "setmetatable" || path == "assert" => arguments(call)
                .first()
                .map_or(Origin::Unknown, |it| self.origin(it, n_steps)),
            Origin::Standard(path) if path.starts_with("string.") || path.starts_with("math.") => {
                Origin::Own
            }
            Origin::Standard(path) if path == "table.pack" || path == "table.concat" => Origin::Own,
            Origin::Unit(name) => Origin::Unit(name),
            _ => Origin::Unknown,
        }
    }
}

/// Two modules at once do not fit one answer.
fn worse(left: Origin, right: Origin) -> Origin {
    match (left, right) {
        (Origin::Own | Origin::Standard(_), it) | (it, Origin::Own | Origin::Standard(_)) => it,
        (Origin::Unit(left), Origin::Unit(right)) if left == right => Origin::Unit(left),
        _ => Origin::Unknown,
    }
}

fn is_closure(node: &LuaSyntaxNode) -> bool {
    match kind(node) {
        Node::ClosureExpr => true,
        Node::ParenExpr => node
            .first_child()
            .is_some_and(|it| kind(&it) == Node::ClosureExpr),
        _ => false,
    }
}

fn is_standard(global: &str) -> bool {
    is_pure(global)
        || matches!(
            global,
            "_G" | "string"
                | "table"
                | "math"
                | "os"
                | "io"
                | "utf8"
                | "bit"
                | "bit32"
                | "coroutine"
                | "debug"
                | "package"
        )
        || matches!(
            global,
            "pcall" | "xpcall" | "setmetatable" | "rawset" | "require"
        )
}

/// Standard functions that write to nothing a program can see later.
fn is_pure(path: &str) -> bool {
    match path.split_once('.') {
        Some(("string" | "utf8" | "bit" | "bit32" | "math", _)) => !path.starts_with("math.random"),
        Some(("table", name)) => matches!(name, "concat" | "unpack" | "pack"),
        Some(("os", name)) => matches!(name, "time" | "clock" | "date" | "getenv" | "difftime"),
        Some(("coroutine", name)) => matches!(
            name,
            "create" | "wrap" | "running" | "isyieldable" | "status"
        ),
        Some(_) => false,
        None => matches!(
            path,
            "type"
                | "tostring"
                | "tonumber"
                | "select"
                | "unpack"
                | "rawget"
                | "rawlen"
                | "rawequal"
                | "pairs"
                | "ipairs"
                | "next"
                | "assert"
                | "error"
                | "print"
                | "getmetatable"
        ),
    }
}
