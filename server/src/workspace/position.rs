//! Positions as editors count them: a line and a column in UTF-8, UTF-16 or UTF-32 units.
//!
//! Knows no document and no protocol. Inside the server everything is byte offsets; only here do they become columns.
//! Must stay true: a position never splits a character, a line end is one break, and what lies outside a line clamps to it.

use hotsave_engine::text::SourceText;

/// What a column counts; negotiated once per connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Code units of UTF-16, the protocol's default.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

/// A place between two characters, both numbers from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Units of the negotiated encoding before the place.
    pub character: u32,
}

impl Encoding {
    /// The position of a byte offset.
    ///
    /// *Units*: `offset` in bytes of `text`; past the end it is the end, inside a character its start, inside a line end
    /// the end of the line.
    #[must_use]
    pub fn position(self, text: &SourceText, offset: u32) -> Position {
        let (line, column) = text.line_column(offset);
        let bytes = text.line(line);
        if bytes.is_ascii() {
            return Position {
                line,
                character: column,
            };
        }
        let (mut end, mut character) = (0, 0);
        for (n_bytes, n_units) in self.steps(bytes) {
            end += n_bytes;
            if column < end {
                break;
            }
            character += n_units;
        }
        Position { line, character }
    }

    /// The byte offset of a position; a column past its line's end is that end, a line past the text's end the text's end.
    #[must_use]
    pub fn offset(self, text: &SourceText, position: Position) -> u32 {
        let line = text.line_range(position.line);
        let bytes = text.line(position.line);
        if bytes.is_ascii() {
            return line.end.min(line.start.saturating_add(position.character));
        }
        let (mut offset, mut units) = (line.start, 0);
        for (n_bytes, n_units) in self.steps(bytes) {
            units += n_units;
            if position.character < units {
                break;
            }
            offset += n_bytes;
        }
        offset
    }

    /// Bytes and units of each character of a line. A byte that is not UTF-8 is a character of one unit.
    fn steps(self, line: &[u8]) -> impl Iterator<Item = (u32, u32)> + '_ {
        line.utf8_chunks().flat_map(move |chunk| {
            let valid = chunk.valid().chars().map(move |it| {
                // At most four, so the conversion is exact.
                let n_bytes = it.len_utf8() as u32;
                let n_units = match self {
                    Self::Utf8 => n_bytes,
                    Self::Utf16 => it.len_utf16() as u32,
                    Self::Utf32 => 1,
                };
                (n_bytes, n_units)
            });
            valid.chain(chunk.invalid().iter().map(|_| (1, 1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];

    fn text(it: impl AsRef<[u8]>) -> SourceText {
        SourceText::new(it.as_ref())
    }

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn an_emoji_is_four_two_or_one_unit() {
        // Bytes: a = 0, emoji = 1..5, b = 5.
        let text = text("a😀b");
        assert_eq!(ALL.map(|it| it.position(&text, 5).character), [5, 3, 2]);
        assert_eq!(
            ALL.map(|it| it.offset(&text, it.position(&text, 5))),
            [5, 5, 5]
        );
    }

    #[test]
    fn a_combining_mark_is_a_character_of_its_own() {
        // e, U+0301 (two bytes, one unit), x at byte 3.
        let text = text("e\u{301}x");
        assert_eq!(ALL.map(|it| it.position(&text, 3).character), [3, 2, 2]);
    }

    #[test]
    fn a_position_inside_a_character_is_its_start() {
        let text = text("😀x");
        assert_eq!(Encoding::Utf16.offset(&text, at(0, 1)), 0);
        assert_eq!(Encoding::Utf8.offset(&text, at(0, 3)), 0);
        assert_eq!(ALL.map(|it| it.position(&text, 2).character), [0, 0, 0]);
    }

    #[test]
    fn columns_and_lines_outside_clamp() {
        let text = text("ab\r\ncé\r\n");
        for encoding in ALL {
            assert_eq!(
                encoding.offset(&text, at(0, 99)),
                2,
                "before the CRLF, not inside"
            );
            assert_eq!(encoding.offset(&text, at(1, 99)), 7);
            assert_eq!(encoding.offset(&text, at(2, 0)), 9);
            assert_eq!(encoding.offset(&text, at(99, 99)), 9);
            assert_eq!(encoding.position(&text, 3), at(0, 2), "inside the CRLF");
            assert_eq!(encoding.position(&text, 99), at(2, 0));
        }
    }

    #[test]
    fn bytes_that_are_not_text_count_one_unit_each() {
        let text = text(b"\xff\xfe=\xc3");
        for encoding in ALL {
            let columns: Vec<_> = (0..=4)
                .map(|it| encoding.position(&text, it).character)
                .collect();
            assert_eq!(columns, [0, 1, 2, 3, 4]);
        }
    }

    proptest! {
        #[test]
        fn every_character_start_survives_the_round_trip(source in "([a-z]|é|😀|\u{301}|\n|\r\n){0,40}") {
            let text = text(&source);
            for encoding in ALL {
                for (offset, _) in source.char_indices().filter(|&(it, _)| !source[..it].ends_with('\r')) {
                    let offset = offset as u32;
                    prop_assert_eq!(encoding.offset(&text, encoding.position(&text, offset)), offset);
                }
            }
        }

        #[test]
        fn positions_agree_with_a_count_by_hand(source in "([a-z]|é|😀|\u{301}|\n){0,40}", end in 0usize..200) {
            let end = (0..=end.min(source.len())).rev().find(|&it| source.is_char_boundary(it)).unwrap();
            let before = &source[..end];
            let line = before.matches('\n').count() as u32;
            let column = before.rsplit('\n').next().unwrap();
            let counts = [column.len(), column.encode_utf16().count(), column.chars().count()];
            for (encoding, count) in ALL.into_iter().zip(counts) {
                prop_assert_eq!(encoding.position(&text(&source), end as u32), at(line, count as u32));
            }
        }
    }
}
