//! The path under which a function is written: its name across versions of a text.

use emmylua_parser::{LuaSyntaxKind as Node, LuaSyntaxNode};

use super::tree::{argument_of, field, is_table, kind, name, path, target_of, token};
use crate::tokens::Kind;

/// Where a value goes as far as the text says.
pub(super) struct Written {
    /// The expression or `LocalName` the path begins with; `None` for the value of a `return`.
    pub(super) root: Option<LuaSyntaxNode>,
    /// `M`, `counter`; `return`.
    pub(super) first: String,
    /// The fields after it.
    pub(super) fields: Vec<String>,
}

impl Written {
    pub(super) fn path(&self) -> String {
        std::iter::once(self.first.as_str())
            .chain(self.fields.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(".")
    }
}

/// The path to which the value of `node` is written; `None` for one that has no name there.
pub(super) fn written_to(node: &LuaSyntaxNode) -> Option<Written> {
    let mut node = node.clone();
    let mut fields = Vec::new();
    loop {
        let parent = node.parent()?;
        match kind(&parent) {
            Node::FuncStat => return of_target(&parent.first_child()?, fields),
            Node::LocalFuncStat => {
                return of_target(
                    &parent.children().find(|it| kind(it) == Node::LocalName)?,
                    fields,
                );
            }
            Node::LocalStat | Node::AssignStat => return of_target(&target_of(&node)?, fields),
            Node::TableFieldAssign => {
                // The computed key itself is no value of the table.
                if parent.children().last().as_ref() != Some(&node) {
                    return None;
                }
                fields.push(match token(&parent, Kind::TkLeftBracket) {
                    Some(_) => super::tree::literal_string(&parent.first_child()?)?,
                    None => name(&parent)?,
                });
                node = parent.parent().filter(is_table)?;
            }
            // `M.f = M.f or function() … end`
            Node::BinaryExpr | Node::ParenExpr => node = parent,
            Node::CallArgList => {
                let (call, place) = argument_of(&node)?;
                node = (kind(&call) == Node::SetmetatableCallExpr && place == 0).then_some(call)?;
            }
            Node::ReturnStat if !fields.is_empty() => {
                fields.reverse();
                return Some(Written {
                    root: None,
                    first: "return".to_owned(),
                    fields,
                });
            }
            _ => return None,
        }
    }
}

fn of_target(target: &LuaSyntaxNode, mut fields: Vec<String>) -> Option<Written> {
    fields.reverse();
    let (root, mut all) = match kind(target) {
        Node::IndexExpr => {
            field(target)?;
            path(target)?
        }
        _ => (target.clone(), Vec::new()),
    };
    all.extend(fields);
    Some(Written {
        first: name(&root)?,
        root: Some(root),
        fields: all,
    })
}
