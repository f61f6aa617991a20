//! Small questions to the syntax tree.

use emmylua_parser::{LuaSyntaxKind as Node, LuaSyntaxNode, LuaSyntaxToken};

use crate::tokens::{Kind, string_value};

pub(super) fn kind(node: &LuaSyntaxNode) -> Node {
    node.kind().to_syntax()
}

pub(super) fn is_call(node: &LuaSyntaxNode) -> bool {
    matches!(
        kind(node),
        Node::CallExpr
            | Node::RequireCallExpr
            | Node::ErrorCallExpr
            | Node::AssertCallExpr
            | Node::TypeCallExpr
            | Node::SetmetatableCallExpr
    )
}

pub(super) fn is_table(node: &LuaSyntaxNode) -> bool {
    matches!(
        kind(node),
        Node::TableArrayExpr | Node::TableObjectExpr | Node::TableEmptyExpr
    )
}

/// The first token of this kind directly in a node.
pub(super) fn token(node: &LuaSyntaxNode, wanted: Kind) -> Option<LuaSyntaxToken> {
    node.children_with_tokens()
        .filter_map(|it| it.into_token())
        .find(|it| it.kind().to_token() == wanted)
}

/// The name directly in a `NameExpr`, `LocalName` or `ParamName`.
pub(super) fn name(node: &LuaSyntaxNode) -> Option<String> {
    token(node, Kind::TkName).map(|it| it.text().to_owned())
}

/// Whether `node` is what its parent calls or indexes.
pub(super) fn is_head(node: &LuaSyntaxNode, parent: &LuaSyntaxNode) -> bool {
    parent.first_child().as_ref() == Some(node)
}

/// Whether the node is called where it stands.
pub(super) fn is_callee(node: &LuaSyntaxNode) -> bool {
    node.parent()
        .is_some_and(|it| is_call(&it) && is_head(node, &it))
}

/// The field that an `IndexExpr` takes: `.name`, `:name`, `["name"]`; `None` if it is computed.
pub(super) fn field(index: &LuaSyntaxNode) -> Option<String> {
    if token(index, Kind::TkLeftBracket).is_none() {
        return name(index);
    }
    let key = index
        .children()
        .nth(1)
        .filter(|it| kind(it) == Node::LiteralExpr)?;
    literal_string(&key)
}

/// The value of a string literal.
pub(super) fn literal_string(literal: &LuaSyntaxNode) -> Option<String> {
    let token = token(literal, Kind::TkString).or_else(|| token(literal, Kind::TkLongString))?;
    String::from_utf8(string_value(token.text().as_bytes())?).ok()
}

/// The root expression of a chain of constant fields, and the fields: `a.b["c"]` gives `a` and `[b, c]`.
pub(super) fn path(node: &LuaSyntaxNode) -> Option<(LuaSyntaxNode, Vec<String>)> {
    let mut fields = Vec::new();
    let mut node = node.clone();
    while kind(&node) == Node::IndexExpr {
        fields.push(field(&node)?);
        node = node.first_child()?;
    }
    fields.reverse();
    Some((node, fields))
}

/// The arguments of a call, in order.
pub(super) fn arguments(call: &LuaSyntaxNode) -> Vec<LuaSyntaxNode> {
    let list = call.children().find(|it| kind(it) == Node::CallArgList);
    list.map(|it| it.children().collect()).unwrap_or_default()
}

/// The call of which `node` is an argument, and its place among them.
pub(super) fn argument_of(node: &LuaSyntaxNode) -> Option<(LuaSyntaxNode, usize)> {
    let list = node.parent().filter(|it| kind(it) == Node::CallArgList)?;
    let place = list.children().position(|it| it == *node)?;
    Some((list.parent()?, place))
}

/// The target to which an assignment or `local` gives the value of `node`.
pub(super) fn target_of(node: &LuaSyntaxNode) -> Option<LuaSyntaxNode> {
    let statement = node.parent()?;
    let assign = u32::from(token(&statement, Kind::TkAssign)?.text_range().start());
    let (targets, values): (Vec<_>, Vec<_>) = statement
        .children()
        .partition(|it| u32::from(it.text_range().start()) < assign);
    let place = values.iter().position(|it| it == node)?;
    targets.into_iter().nth(place)
}

pub(super) fn start(node: &LuaSyntaxNode) -> u32 {
    u32::from(node.text_range().start())
}

/// Whether a statement assigns to this expression.
pub(super) fn is_written(node: &LuaSyntaxNode) -> bool {
    node.parent().is_some_and(|parent| match kind(&parent) {
        Node::FuncStat => kind(node) != Node::ClosureExpr,
        Node::AssignStat => target_of(node).is_none(),
        _ => false,
    })
}
