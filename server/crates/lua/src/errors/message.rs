//! What the words of a Lua message say: position, cause, and which word of the line is meant.
//!
//! Reads the forms of 5.1, LuaJIT, 5.2, 5.3 and 5.4 alike (Lua specification, 11.1). Slices of the message, nothing of a text.

use super::Chunk;

/// A message, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// What is left for people.
    pub(super) text: &'a str,
    /// The position in front of it, its line counted from 1.
    pub(super) position: Option<(Chunk<'a>, i32)>,
    /// Was it raised while a file was loaded for somebody else?
    pub(super) is_loading: bool,
    /// What on the line is meant.
    pub(super) mark: Mark<'a>,
    /// Line from 1, word on it and a sentence for a second place in the same text.
    pub(super) opened: Option<(u32, Option<&'a str>, &'static str)>,
    /// The module that was not found, and where it was looked for.
    missing: Option<(&'a str, &'a str)>,
}

/// What on a line is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// This name, if it stands there once.
    Word(&'a str),
    /// The last of these.
    Last(&'a str),
    /// A string with this content.
    Literal(&'a str),
    /// The end of the line.
    End,
    /// All of it.
    Line,
}

impl<'a> Message<'a> {
    /// Takes `message` apart; `is_known` says whether a chunk is one of ours. A position in a chunk that is not stays
    /// in the text, since it may be anything (`HTTP:404: …`).
    pub(super) fn read(message: &'a str, is_known: &dyn Fn(Chunk<'_>) -> bool) -> Self {
        let loading = loading(message);
        let inner = loading.map_or(message, |(_, inner)| inner);
        let (position, text) = match position(inner) {
            Some((short, line, rest)) if short.starts_with("[string \"") => {
                (None, Some((line, rest)))
            }
            Some((short, line, rest)) => {
                // The file is named in full where the position may be cut.
                let file = loading
                    .map(|(file, _)| Chunk::File(file))
                    .filter(|it| is_known(*it));
                let chunk = file.unwrap_or(Chunk::of_short(short));
                (
                    is_known(chunk).then_some((chunk, line)),
                    is_known(chunk).then_some((line, rest)),
                )
            }
            None => (None, None),
        };
        let text = match (text, position) {
            (Some((_, rest)), _) => rest,
            (None, _) => message,
        };
        let missing = not_found(text);
        Self {
            text: missing.map_or(text, |(_, candidates)| before(text, candidates)),
            position,
            is_loading: loading.is_some(),
            mark: missing.map_or_else(|| mark(text), |(module, _)| Mark::Literal(module)),
            opened: opened(text),
            missing,
        }
    }

    /// `module` and every `candidate`, for quick fixes.
    pub(super) fn data(&self) -> Vec<(&'static str, String)> {
        let Some((module, candidates)) = self.missing else {
            return Vec::new();
        };
        let files = candidates
            .split("no file '")
            .skip(1)
            .filter_map(|it| it.split_once('\''));
        let files = files.map(|(file, _)| ("candidate", file.to_owned()));
        std::iter::once(("module", module.to_owned()))
            .chain(files)
            .collect()
    }
}

/// `CHUNK:LINE: REST`, the chunk as short as can be.
fn position(message: &str) -> Option<(&str, i32, &str)> {
    let first = message.split('\n').next()?;
    let colons = first.match_indices(':').map(|(colon, _)| colon);
    for colon in colons.filter(|it| *it > 0) {
        let digits = first.get(colon + 1..)?;
        let n_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
        if n_digits > 0 && digits.get(n_digits..)?.starts_with(": ") {
            let rest = message.get(colon + 1 + n_digits + 2..)?;
            return Some((
                first.get(..colon)?,
                digits.get(..n_digits)?.parse().ok()?,
                rest,
            ));
        }
    }
    None
}

/// File and inner message of `error loading module 'x' from file 'f':\n\tMESSAGE`.
fn loading(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("error loading module '")?;
    let (_, rest) = rest.split_once("' from file '")?;
    let (file, inner) = rest.split_once("':")?;
    Some((file, inner.trim_start()))
}

/// Name and candidates of `module 'x' not found:\n\tno …`.
fn not_found(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("module '")?;
    let (module, rest) = rest.split_once("' not found")?;
    let candidates = rest.strip_prefix(':')?;
    (!module.contains('\n')).then_some((module, candidates))
}

/// The part of `text` in front of its tail, without the colon that announces it.
fn before<'a>(text: &'a str, tail: &str) -> &'a str {
    let head = text.get(..text.len() - tail.len()).unwrap_or(text);
    head.strip_suffix(':').unwrap_or(head)
}

/// What a message about syntax or a value points at.
fn mark(message: &str) -> Mark<'_> {
    if let Some((_, near)) = message.rsplit_once(" near ") {
        let near = near.trim_end();
        let quoted = near.strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
        return match quoted.unwrap_or(near) {
            "<eof>" => Mark::End,
            token => Mark::Last(token.split('\n').next().unwrap_or(token)),
        };
    }
    const KINDS: [&str; 9] = [
        "local '",
        "global '",
        "upvalue '",
        "method '",
        "field '",
        "constant '",
        "to '",
        "label '",
        "variable '",
    ];
    let names = KINDS.iter().filter_map(|kind| {
        let (at, _) = message.match_indices(kind).next()?;
        let (name, _) = message.get(at + kind.len()..)?.split_once('\'')?;
        is_name(name).then_some((at, name))
    });
    names.min().map_or(Mark::Line, |(_, name)| Mark::Word(name))
}

/// Line, word and sentence of the place where something began that now fails.
fn opened(message: &str) -> Option<(u32, Option<&str>, &'static str)> {
    let line_after = |marker: &str| {
        let (_, rest) = message.split_once(marker)?;
        let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest.get(..n_digits)?.parse().ok()
    };
    if let Some((_, rest)) = message.split_once("(to close '") {
        let (word, _) = rest.split_once('\'')?;
        return Some((line_after("' at line ")?, Some(word), "opened here"));
    }
    if let Some(line) = line_after("(starting at line ") {
        return Some((line, None, "starts here"));
    }
    Some((
        line_after("already defined on line ")
            .or_else(|| line_after("already defined at line "))?,
        None,
        "already defined here",
    ))
}

fn is_name(name: &str) -> bool {
    name.bytes()
        .all(|it| it.is_ascii_alphanumeric() || it == b'_' || it >= 0x80)
        && !name.is_empty()
}
