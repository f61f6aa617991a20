//! Source texts: bytes, their content hash and their lines.
//!
//! A text never changes after it was made; an edit makes a new one. Bytes need not be UTF-8 (Lua does not ask for it),
//! columns are bytes here and become UTF-8, UTF-16 or UTF-32 units only at the edge.

use std::{fmt, ops::Range, sync::Arc, sync::OnceLock};

use twox_hash::XxHash3_64;

/// XXH3-64 of a text's bytes; on the wire 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(u64);

impl ContentHash {
    /// Hash of `bytes`, the same on every machine and in every version.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(XxHash3_64::oneshot(bytes))
    }

    /// A hash that was computed elsewhere (the token hash of a scan, a hash read from the wire).
    #[must_use]
    pub const fn from_u64(hash: u64) -> Self {
        Self(hash)
    }

    /// The 64 bits.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One version of a file's text, cheap to clone.
#[derive(Clone)]
pub struct SourceText {
    bytes: Arc<[u8]>,
    hash: ContentHash,
    line_starts: Arc<OnceLock<Vec<u32>>>,
}

impl SourceText {
    /// Takes the bytes of a whole file, at most 4 GiB; hashes them once.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let hash = ContentHash::of(&bytes);
        Self {
            bytes,
            hash,
            line_starts: Arc::default(),
        }
    }

    /// The whole text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text as UTF-8, `None` if it is not.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// Hash of [`Self::bytes`].
    #[must_use]
    pub const fn hash(&self) -> ContentHash {
        self.hash
    }

    /// Number of lines, at least 1; LF, CRLF and a lone CR end a line, as in the LSP.
    #[must_use]
    pub fn n_lines(&self) -> u32 {
        u32::try_from(self.line_starts().len()).unwrap_or(u32::MAX)
    }

    /// Byte range of a line (0-based) without its line end; lines past the end give the empty range at the end.
    #[must_use]
    pub fn line_range(&self, line: u32) -> Range<u32> {
        let starts = self.line_starts();
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let Some(&start) = starts.get(line as usize) else {
            return len..len;
        };
        let mut end = starts.get(line as usize + 1).copied().unwrap_or(len);
        if end > start && self.bytes.get(end as usize - 1) == Some(&b'\n') {
            end -= 1;
        }
        if end > start && self.bytes.get(end as usize - 1) == Some(&b'\r') {
            end -= 1;
        }
        start..end
    }

    /// Bytes of a line (0-based) without its line end.
    #[must_use]
    pub fn line(&self, line: u32) -> &[u8] {
        let range = self.line_range(line);
        self.bytes
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// Line (0-based) and byte column of an offset; offsets past the end clamp to it, offsets inside a line end to the line's end.
    #[must_use]
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let starts = self.line_starts();
        let line = starts.partition_point(|&it| it <= offset).saturating_sub(1);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let range = self.line_range(line);
        (line, offset.clamp(range.start, range.end) - range.start)
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let mut starts = vec![0];
            let mut bytes = self.bytes.iter().enumerate().peekable();
            while let Some((offset, &byte)) = bytes.next() {
                let ends_line = match byte {
                    b'\n' => true,
                    b'\r' => !matches!(bytes.peek(), Some((_, b'\n'))),
                    _ => false,
                };
                if ends_line {
                    starts.push(u32::try_from(offset + 1).unwrap_or(u32::MAX));
                }
            }
            starts
        })
    }
}

impl fmt::Debug for SourceText {
    /// Hash and length only: document text stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceText({}, {} bytes)", self.hash, self.bytes.len())
    }
}

impl PartialEq for SourceText {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for SourceText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_lf_crlf_and_lone_cr() {
        let text = SourceText::new(*b"ab\ncd\r\nef\rgh");
        let lines: Vec<&[u8]> = (0..text.n_lines()).map(|it| text.line(it)).collect();
        assert_eq!(lines, [b"ab", b"cd", b"ef", b"gh"]);
        assert_eq!(text.line(9), b"");
    }

    #[test]
    fn offsets_clamp_to_their_line() {
        let text = SourceText::new(*b"ab\r\nc");
        let places = [0, 2, 3, 4, 5, 99].map(|it| text.line_column(it));
        assert_eq!(places, [(0, 0), (0, 2), (0, 2), (1, 0), (1, 1), (1, 1)]);
    }
}
