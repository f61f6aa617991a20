//! What a process prints, taken apart: lines that begin with [`MARK`] are messages, all else is program output.
//!
//! Bytes in, pieces out; knows no pipe. Must stay true: no byte is lost or invented whatever the reads are cut into,
//! and no more than one line over the limit is ever held.

use crate::wire::{MARK, MAX_LINE};

/// Output without a line end is passed on when it is this long.
const MAX_OUTPUT: usize = 8 << 10;

/// A piece of what a process printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A message, without its mark and line end.
    Message(Vec<u8>),
    /// Program output, without its line end.
    Output(Vec<u8>),
    /// A message over the limit; nothing can be read after it.
    TooLong,
}

/// Collects bytes until a piece is complete.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    is_message: bool,
}

impl Lines {
    /// Takes in what was read and hands on what is complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut piece: impl FnMut(Piece)) {
        while !bytes.is_empty() {
            let is_end = |it: &u8| *it == b'\n' || (!self.is_message && *it == MARK);
            let (line, rest) = match bytes.iter().position(is_end) {
                Some(end) => bytes.split_at(end),
                None => (bytes, &[][..]),
            };
            self.held.extend_from_slice(line);
            if self.is_message && self.held.len() > MAX_LINE {
                self.held = Vec::new();
                return piece(Piece::TooLong);
            }
            let Some((&end, rest)) = rest.split_first() else {
                if !self.is_message && self.held.len() >= MAX_OUTPUT {
                    piece(self.take());
                }
                return;
            };
            bytes = rest;
            if end == b'\n' {
                piece(self.take());
                self.is_message = false;
            } else {
                // A mark in the middle of a line ends the output before it: a C library may print without line ends.
                if !self.held.is_empty() {
                    piece(self.take());
                }
                self.is_message = true;
            }
        }
    }

    /// The stream has ended; an unfinished message is no message.
    pub(super) fn end(&mut self) -> Option<Piece> {
        (!self.is_message && !self.held.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Piece {
        let held = std::mem::take(&mut self.held);
        if self.is_message {
            Piece::Message(held)
        } else {
            Piece::Output(held)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(reads: &[&[u8]]) -> Vec<Piece> {
        let (mut lines, mut pieces) = (Lines::default(), Vec::new());
        for read in reads {
            lines.push(read, |it| pieces.push(it));
        }
        pieces.extend(lines.end());
        pieces
    }

    #[test]
    fn messages_and_output_are_told_apart() {
        let expected = [
            Piece::Output(b"hello".to_vec()),
            Piece::Message(b"{1}".to_vec()),
            Piece::Output(b"no end".to_vec()),
            Piece::Message(b"{2}".to_vec()),
            Piece::Output(b"".to_vec()),
            Piece::Output(b"last".to_vec()),
        ];
        assert_eq!(
            pieces(&[b"hello\n\x1e{1}\nno end\x1e{2}\n\nlast"]),
            expected
        );
    }

    #[test]
    fn endless_lines_are_bounded() {
        let too_long = vec![b'x'; MAX_LINE + 1];
        assert_eq!(pieces(&[b"\x1e", &too_long]), [Piece::TooLong]);
        let longest = vec![b'x'; MAX_LINE];
        assert_eq!(
            pieces(&[b"\x1e", &longest, b"\n"]),
            [Piece::Message(longest.clone())]
        );
        assert!(
            pieces(&[&too_long])
                .iter()
                .all(|it| matches!(it, Piece::Output(_)))
        );
    }

    proptest! {
        #[test]
        fn how_reads_are_cut_makes_no_difference(
            bytes in proptest::collection::vec(proptest::sample::select(vec![b'a', b'\n', MARK]), 0..60),
            cuts in proptest::collection::vec(0usize..60, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|it| *it < bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let reads: Vec<&[u8]> = cuts.windows(2).map(|it| &bytes[it[0]..it[1]]).collect();
            prop_assert_eq!(pieces(&reads), pieces(&[&bytes]));
        }
    }
}
