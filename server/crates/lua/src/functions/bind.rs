//! Which local each name means, and which locals each function takes from outside.
//!
//! Walks the tree without recursion. Scopes are those of the reference manual: a `local` is visible after its statement,
//! a `local function` in its own body, the locals of a `repeat` in its condition.

use std::collections::HashMap;

use emmylua_parser::{LuaSyntaxKind as Node, LuaSyntaxNode};
use rowan::WalkEvent;

use super::tree::{kind, name, start, token};
use crate::{syntax::Dialect, tokens::Kind};

/// The main chunk, the first of [`Bound::bodies`].
pub(super) const MAIN: usize = 0;

/// A parsed text with its names resolved.
pub(super) struct Bound {
    pub(super) root: LuaSyntaxNode,
    /// The main chunk and all functions, in text order; parents before what they contain.
    pub(super) bodies: Vec<Body>,
    pub(super) locals: Vec<Local>,
    /// Every name that is an expression, in text order.
    pub(super) names: Vec<Mention>,
    /// For each local its places in `names`.
    mentions: Vec<Vec<usize>>,
    /// Bodies by their `ClosureExpr`.
    body_of: HashMap<LuaSyntaxNode, usize>,
    /// Locals by the expression they are made with.
    made_of: HashMap<LuaSyntaxNode, usize>,
}

pub(super) struct Body {
    /// `ClosureExpr`, or the root.
    pub(super) node: LuaSyntaxNode,
    /// Offset of the word `function`.
    pub(super) start: u32,
    pub(super) parent: usize,
    pub(super) n_parameters: u32,
    pub(super) is_vararg: bool,
    /// Locals of enclosing bodies that it or a function in it uses, in order of first use.
    pub(super) free: Vec<usize>,
}

pub(super) struct Local {
    pub(super) name: String,
    pub(super) body: usize,
    /// The value it is made with, if that is one expression.
    pub(super) init: Option<LuaSyntaxNode>,
    /// The compiler puts its value in the code, so that no closure ever holds it.
    is_folded: bool,
}

pub(super) struct Mention {
    pub(super) node: LuaSyntaxNode,
    /// `None` for globals.
    pub(super) local: Option<usize>,
    pub(super) body: usize,
}

impl Bound {
    /// The local that a `NameExpr` means.
    pub(super) fn local_of(&self, node: &LuaSyntaxNode) -> Option<usize> {
        self.mention_of(node)?.local
    }

    pub(super) fn mention_of(&self, node: &LuaSyntaxNode) -> Option<&Mention> {
        let idx = self
            .names
            .partition_point(|it| start(&it.node) < start(node));
        self.names.get(idx).filter(|it| it.node == *node)
    }

    /// The body of a `ClosureExpr`.
    pub(super) fn body_of(&self, closure: &LuaSyntaxNode) -> Option<usize> {
        self.body_of.get(closure).copied()
    }

    /// The local that an expression becomes, if it is the value of a `local` or `local function`.
    pub(super) fn local_made_of(&self, value: &LuaSyntaxNode) -> Option<usize> {
        self.made_of.get(value).copied()
    }

    /// Where a local is mentioned.
    pub(super) fn mentions(&self, local: usize) -> impl Iterator<Item = &Mention> {
        self.mentions
            .get(local)
            .into_iter()
            .flatten()
            .filter_map(|&it| self.names.get(it))
    }
}

struct Binder {
    bound: Bound,
    dialect: Dialect,
    visible: Vec<usize>,
    /// Lengths of `visible` at the start of each open scope.
    scopes: Vec<usize>,
    /// Open bodies, the innermost last.
    open: Vec<usize>,
}

/// Resolves all names under `root`.
pub(super) fn bind(root: &LuaSyntaxNode, dialect: Dialect) -> Bound {
    let main = Body {
        node: root.clone(),
        start: 0,
        parent: MAIN,
        n_parameters: 0,
        is_vararg: true,
        free: Vec::new(),
    };
    let bound = Bound {
        root: root.clone(),
        bodies: vec![main],
        locals: Vec::new(),
        names: Vec::new(),
        mentions: Vec::new(),
        body_of: HashMap::new(),
        made_of: HashMap::new(),
    };
    let mut binder = Binder {
        bound,
        dialect,
        visible: Vec::new(),
        scopes: Vec::new(),
        open: vec![MAIN],
    };
    for event in root.preorder() {
        match event {
            WalkEvent::Enter(node) => binder.enter(&node),
            WalkEvent::Leave(node) => binder.leave(&node),
        }
    }
    binder.bound
}

impl Binder {
    fn current(&self) -> usize {
        self.open.last().copied().unwrap_or(MAIN)
    }

    fn declare(&mut self, name: Option<String>, init: Option<LuaSyntaxNode>, is_folded: bool) {
        let Some(name) = name else { return };
        self.visible.push(self.bound.locals.len());
        let body = self.current();
        if let Some(init) = &init {
            self.bound
                .made_of
                .insert(init.clone(), self.bound.locals.len());
        }
        self.bound.mentions.push(Vec::new());
        self.bound.locals.push(Local {
            name,
            body,
            init,
            is_folded,
        });
    }

    fn enter(&mut self, node: &LuaSyntaxNode) {
        match kind(node) {
            Node::Block => {
                self.scopes.push(self.visible.len());
                let head = node
                    .parent()
                    .filter(|it| matches!(kind(it), Node::ForStat | Node::ForRangeStat));
                let tokens = head
                    .iter()
                    .flat_map(|it| it.children_with_tokens())
                    .filter_map(|it| it.into_token());
                for token in tokens.filter(|it| it.kind().to_token() == Kind::TkName) {
                    self.declare(Some(token.text().to_owned()), None, false);
                }
            }
            Node::RepeatStat => self.scopes.push(self.visible.len()),
            Node::ClosureExpr => self.enter_function(node),
            Node::ParamName => {
                let is_vararg = token(node, Kind::TkDots).is_some();
                let current = self.current();
                if let Some(body) = self.bound.bodies.get_mut(current) {
                    body.is_vararg |= is_vararg;
                    body.n_parameters += u32::from(!is_vararg);
                }
                self.declare(name(node).filter(|_| !is_vararg), None, false);
            }
            Node::LocalFuncStat => {
                let local = node.children().find(|it| kind(it) == Node::LocalName);
                let closure = node.children().find(|it| kind(it) == Node::ClosureExpr);
                self.declare(local.and_then(|it| name(&it)), closure, false);
            }
            Node::NameExpr => self.mention(node),
            _ => {}
        }
    }

    fn leave(&mut self, node: &LuaSyntaxNode) {
        match kind(node) {
            // The condition of a `repeat` still sees the locals of its block.
            Node::Block
                if node
                    .parent()
                    .is_some_and(|it| kind(&it) == Node::RepeatStat) =>
            {
                self.scopes.pop();
            }
            Node::Block | Node::RepeatStat => self.close_scope(),
            Node::ClosureExpr => {
                self.open.pop();
                self.close_scope();
            }
            Node::LocalStat => self.declare_all(node),
            _ => {}
        }
    }

    fn close_scope(&mut self) {
        if let Some(n_visible) = self.scopes.pop() {
            self.visible.truncate(n_visible);
        }
    }

    fn enter_function(&mut self, node: &LuaSyntaxNode) {
        let statement = node
            .parent()
            .filter(|it| matches!(kind(it), Node::FuncStat | Node::LocalFuncStat));
        let word = statement.as_ref().unwrap_or(node);
        let word = token(word, Kind::TkFunction)
            .map_or(start(node), |it| u32::from(it.text_range().start()));
        let body = self.bound.bodies.len();
        self.bound.body_of.insert(node.clone(), body);
        let parent = self.current();
        let target = statement.and_then(|it| it.first_child());
        let is_method = target
            .is_some_and(|it| kind(&it) == Node::IndexExpr && token(&it, Kind::TkColon).is_some());
        self.bound.bodies.push(Body {
            node: node.clone(),
            start: word,
            parent,
            n_parameters: u32::from(is_method),
            is_vararg: false,
            free: Vec::new(),
        });
        self.scopes.push(self.visible.len());
        self.open.push(body);
        if is_method {
            self.declare(Some("self".to_owned()), None, false);
        }
    }

    fn declare_all(&mut self, statement: &LuaSyntaxNode) {
        let locals: Vec<LuaSyntaxNode> = statement
            .children()
            .filter(|it| kind(it) == Node::LocalName)
            .collect();
        let values: Vec<LuaSyntaxNode> = statement
            .children()
            .filter(|it| !matches!(kind(it), Node::LocalName | Node::Attribute))
            .collect();
        let n_locals = locals.len();
        for (place, local) in locals.iter().enumerate() {
            let init = values.get(place).cloned();
            let attribute = local
                .children()
                .find(|it| kind(it) == Node::Attribute)
                .and_then(|it| name(&it));
            let is_folded = self.dialect == Dialect::Lua54
                && attribute.as_deref() == Some("const")
                && place + 1 == n_locals
                && n_locals == values.len()
                && init.as_ref().is_some_and(|it| self.is_constant(it));
            self.declare(name(local), init, is_folded);
        }
    }

    /// Whether the 5.4 compiler computes the expression.
    fn is_constant(&self, node: &LuaSyntaxNode) -> bool {
        match kind(node) {
            Node::LiteralExpr => token(node, Kind::TkDots).is_none(),
            Node::NameExpr => name(node)
                .and_then(|name| self.lookup(&name))
                .and_then(|it| self.bound.locals.get(it))
                .is_some_and(|it| it.is_folded),
            Node::ParenExpr => node.first_child().is_some_and(|it| self.is_constant(&it)),
            Node::UnaryExpr => token(node, Kind::TkLen).is_none() && self.are_numbers(node),
            Node::BinaryExpr => {
                let folds = |it: &Kind| {
                    matches!(
                        it,
                        Kind::TkPlus
                            | Kind::TkMinus
                            | Kind::TkMul
                            | Kind::TkPow
                            | Kind::TkBitAnd
                            | Kind::TkBitOr
                    ) || matches!(it, Kind::TkBitXor | Kind::TkShl | Kind::TkShr)
                };
                let mut tokens = node
                    .children_with_tokens()
                    .filter_map(|it| it.into_token())
                    .map(|it| it.kind().to_token());
                tokens.any(|it| folds(&it)) && self.are_numbers(node)
            }
            _ => false,
        }
    }

    fn are_numbers(&self, node: &LuaSyntaxNode) -> bool {
        node.children().all(|it| match kind(&it) {
            Node::LiteralExpr => {
                token(&it, Kind::TkInt).is_some() || token(&it, Kind::TkFloat).is_some()
            }
            _ => self.is_constant(&it),
        })
    }

    fn lookup(&self, name: &str) -> Option<usize> {
        let is_it = |it: &&usize| {
            self.bound
                .locals
                .get(**it)
                .is_some_and(|it| it.name == name)
        };
        self.visible.iter().rev().find(is_it).copied()
    }

    fn mention(&mut self, node: &LuaSyntaxNode) {
        let local = name(node).and_then(|it| self.lookup(&it));
        self.bound.names.push(Mention {
            node: node.clone(),
            local,
            body: self.current(),
        });
        let Some(idx) = local else { return };
        if let Some(mentions) = self.bound.mentions.get_mut(idx) {
            mentions.push(self.bound.names.len() - 1);
        }
        let Some(local) = self.bound.locals.get(idx).filter(|it| !it.is_folded) else {
            return;
        };
        let home = local.body;
        for &body in self.open.iter().rev().take_while(|&&it| it != home) {
            if let Some(body) = self.bound.bodies.get_mut(body)
                && !body.free.contains(&idx)
            {
                body.free.push(idx);
            }
        }
    }
}
