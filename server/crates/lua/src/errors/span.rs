//! From a line and what on it is meant to bytes of the text.
//!
//! Lua gives no columns; where the meant word is not there, or not once, the whole line stands for it.

use std::ops::Range;

use hotsave_engine::text::SourceText;

use super::message::Mark;

/// The span of `mark` on `line` (from 0); inside the text whatever the line.
pub(super) fn find(text: &SourceText, line: u32, mark: &Mark<'_>) -> Range<u32> {
    let bytes = text.line(line);
    let whole = trimmed(bytes);
    let found = match mark {
        Mark::Line => None,
        Mark::End => Some(whole.end..whole.end),
        Mark::Word(word) => once(bytes, word.as_bytes()),
        Mark::Last(token) => all(bytes, token.as_bytes()).last(),
        Mark::Literal(content) => literal(bytes, content),
    };
    let found = found.unwrap_or(whole);
    let start = text.line_range(line).start;
    let offset = |it: usize| start.saturating_add(u32::try_from(it).unwrap_or(u32::MAX));
    offset(found.start)..offset(found.end)
}

/// The line without the space around it.
fn trimmed(line: &[u8]) -> Range<usize> {
    let end = line.trim_ascii_end().len();
    let start = end - line.get(..end).unwrap_or_default().trim_ascii_start().len();
    start..end
}

/// Every occurrence; one of a name never inside a longer name.
fn all<'a>(line: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let windows = line.windows(word.len().max(1)).enumerate();
    let occurrences = windows
        .filter(move |(_, it)| *it == word)
        .map(|(at, _)| at..at + word.len());
    occurrences.filter(move |it| {
        let joins = |inner: Option<&u8>, outer: Option<&u8>| {
            inner.is_some_and(|it| is_name_byte(*it)) && outer.is_some_and(|it| is_name_byte(*it))
        };
        let before = it.start.checked_sub(1).and_then(|it| line.get(it));
        !joins(word.first(), before) && !joins(word.last(), line.get(it.end))
    })
}

fn once(line: &[u8], word: &[u8]) -> Option<Range<usize>> {
    let mut all = all(line, word);
    all.next().filter(|_| all.next().is_none())
}

/// The first string on the line with this content, its quotes included.
fn literal(line: &[u8], content: &str) -> Option<Range<usize>> {
    let forms = [("\"", "\""), ("'", "'"), ("[[", "]]"), ("[=[", "]=]")];
    let found = forms.iter().filter_map(|(open, close)| {
        let form = [open.as_bytes(), content.as_bytes(), close.as_bytes()].concat();
        line.windows(form.len())
            .position(|it| it == form)
            .map(|at| at..at + form.len())
    });
    found.min_by_key(|it| it.start)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
