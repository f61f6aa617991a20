//! Names that are computed from constants: `"a." .. "b"`, `P .. "x"`, `(...):match("(.-)[^%.]+$") .. "x"`.

use crate::tokens::{Kind, Tokens, string_value};

/// The name a require asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// Known from the text.
    Constant(Box<str>),
    /// Made from the unit's own name.
    Own(Own, Box<str>),
    /// Only the running program knows it.
    Dynamic,
}

/// The part of its own name (`...`) that a unit uses; the rest is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Own {
    /// `a.b.c` gives `a.b.c`.
    Whole,
    /// `a.b.c` gives `a.b.`, `c` gives nothing.
    PackageAndDot,
    /// `a.b.c` gives `a.b`, `c` gives `c`.
    Package,
    /// `a.b.init` gives `a.b`.
    WithoutInit,
}

impl Name {
    /// The module name when the unit itself is called `own`; `None` if only the program knows it.
    #[must_use]
    pub fn resolved(&self, own: &str) -> Option<String> {
        match self {
            Self::Constant(name) => Some(name.to_string()),
            Self::Own(part, tail) => {
                let (package, dot) = own.rfind('.').map_or(("", ""), |it| (&own[..it], "."));
                let head = match part {
                    Own::Whole => own.to_owned(),
                    Own::PackageAndDot => format!("{package}{dot}"),
                    Own::Package if dot.is_empty() => own.to_owned(),
                    Own::Package => package.to_owned(),
                    Own::WithoutInit => own.strip_suffix(".init").unwrap_or(own).to_owned(),
                };
                Some(head + tail)
            }
            Self::Dynamic => None,
        }
    }
}

/// Constants known so far: names of top-level locals and their values.
pub(super) type Constants<'a> = [(&'a [u8], Name)];

/// Folds the expression that starts at token `idx`; gives the value and the token after it.
pub(super) fn fold<'a>(
    tokens: &Tokens<'a>,
    idx: usize,
    constants: &Constants<'a>,
) -> Option<(Name, usize)> {
    let (mut value, mut idx) = operand(tokens, idx, constants)?;
    while tokens.kind(idx) == Kind::TkConcat {
        let (right, next) = operand(tokens, idx + 1, constants)?;
        value = joined(value, right)?;
        idx = next;
    }
    Some((value, idx))
}

fn joined(left: Name, right: Name) -> Option<Name> {
    match (left, right) {
        (Name::Constant(left), Name::Constant(right)) => {
            Some(Name::Constant(format!("{left}{right}").into()))
        }
        (Name::Own(own, left), Name::Constant(right)) => {
            Some(Name::Own(own, format!("{left}{right}").into()))
        }
        _ => None,
    }
}

fn operand<'a>(
    tokens: &Tokens<'a>,
    idx: usize,
    constants: &Constants<'a>,
) -> Option<(Name, usize)> {
    let (mut value, mut idx) = match tokens.kind(idx) {
        Kind::TkString | Kind::TkLongString => {
            let value = String::from_utf8(string_value(tokens.text(idx))?).ok()?;
            (Name::Constant(value.into()), idx + 1)
        }
        Kind::TkDots => (Name::Own(Own::Whole, "".into()), idx + 1),
        Kind::TkName => {
            let name = tokens.text(idx);
            let (_, value) = constants.iter().rev().find(|(it, _)| *it == name)?;
            (value.clone(), idx + 1)
        }
        Kind::TkLeftParen => {
            let (value, mut idx) = fold(tokens, idx + 1, constants)?;
            // `(... or "")`: a module is always given its name.
            if tokens.kind(idx) == Kind::TkOr {
                idx = operand(tokens, idx + 1, constants)?.1;
            }
            (tokens.kind(idx) == Kind::TkRightParen).then_some((value, idx + 1))?
        }
        _ => return None,
    };
    while tokens.kind(idx) == Kind::TkColon {
        (value, idx) = method(tokens, idx, &value)?;
    }
    let goes_on = [
        Kind::TkDot,
        Kind::TkLeftBracket,
        Kind::TkLeftParen,
        Kind::TkLeftBrace,
        Kind::TkString,
    ];
    (!goes_on.contains(&tokens.kind(idx))).then_some((value, idx))
}

/// `:match(pattern)` and `:gsub(pattern, "")` with the patterns that people use to find their package.
fn method(tokens: &Tokens<'_>, idx: usize, value: &Name) -> Option<(Name, usize)> {
    let Name::Own(Own::Whole, tail) = value else {
        return None;
    };
    let string = |idx: usize| String::from_utf8(string_value(tokens.text(idx))?).ok();
    let is_match = tokens.is_name(idx + 1, "match");
    let is_gsub = tokens.is_name(idx + 1, "gsub");
    let has_paren = tokens.kind(idx + 2) == Kind::TkLeftParen;
    let args = if has_paren { idx + 3 } else { idx + 2 };
    let pattern = string(args)?;
    let mut after = args + 1;
    if is_gsub {
        let is_removal = tokens.kind(after) == Kind::TkComma && string(after + 1)?.is_empty();
        after = is_removal.then_some(after + 2)?;
    }
    if has_paren {
        after = (tokens.kind(after) == Kind::TkRightParen).then_some(after + 1)?;
    }
    let plain = pattern.trim_start_matches('^');
    let own = match plain {
        "(.-)[^%.]+$" | "(.-)[^%.]*$" | "(.*)[^%.]+$" | "(.*%.)" | "(.+%.)" | "(.*%.).-$"
        | "(.+%.)[^%.]+$" | "(.*%.)[^%.]+$"
            if is_match =>
        {
            Own::PackageAndDot
        }
        "(.+)%." | "(.*)%." | "(.-)%.[^%.]+$" | "(.+)%.[^%.]+$" | "(.*)%.[^%.]+$" | "(.+)%..+$"
        | "(.+)%..-$"
            if is_match =>
        {
            Own::Package
        }
        "[^%.]+$" | "[^%.]*$" if is_gsub => Own::PackageAndDot,
        "%.[^%.]+$" | "%.[^%.]*$" if is_gsub => Own::Package,
        "%.init$" if is_gsub => Own::WithoutInit,
        _ => return None,
    };
    tail.is_empty()
        .then_some((Name::Own(own, "".into()), after))
}
