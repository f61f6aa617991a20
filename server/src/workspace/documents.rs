//! The documents open in the editor.
//!
//! Only the loop writes; pool jobs read clones. Knows no file and no protocol. Must stay true: the text here equals the
//! editor's buffer after the same edits, whatever positions the edits name.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use dashmap::DashMap;
use hotsave_engine::text::SourceText;

use super::{event::Edit, position::Encoding};

/// An open document, cheap to clone.
#[derive(Clone, Debug)]
pub struct Document {
    /// The buffer.
    pub text: SourceText,
    /// The editor's version of it.
    pub version: i32,
    /// The editor's language id.
    pub language: Arc<str>,
    /// The URI as the client spells it.
    pub uri: Arc<str>,
}

/// All open documents by normalized path.
#[derive(Debug, Default)]
pub struct Documents {
    documents: DashMap<Arc<Path>, Document>,
    encoding: OnceLock<Encoding>,
}

impl Documents {
    /// Sets what columns of edits count; only the first call of a connection counts.
    pub fn set_encoding(&self, encoding: Encoding) {
        let _ = self.encoding.set(encoding);
    }

    /// What columns count, as negotiated.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding.get().copied().unwrap_or_default()
    }

    /// Takes a document in; one that is already open is replaced.
    pub fn open(&self, path: Arc<Path>, uri: String, language: String, version: i32, text: String) {
        let text = SourceText::new(text.into_bytes());
        self.documents.insert(
            path,
            Document {
                text,
                version,
                language: language.into(),
                uri: uri.into(),
            },
        );
    }

    /// Applies the edits in their order, each to the text the one before it left; does nothing if it is not open.
    ///
    /// *Shape*: a range outside the text clamps to it, a reversed one is turned around; no range replaces everything.
    pub fn change(&self, path: &Path, version: i32, edits: Vec<Edit>) {
        let encoding = self.encoding();
        if let Some(mut document) = self.documents.get_mut(path) {
            document.text = edits
                .into_iter()
                .fold(document.text.clone(), |text, it| apply(&text, it, encoding));
            document.version = version;
        }
    }

    /// The editor saved `text`, which wins over what the edits left; without text that is what was saved.
    ///
    /// Returns whether the two differed; `false` if the document is not open.
    #[must_use]
    pub fn saved(&self, path: &Path, text: Option<&str>) -> bool {
        let Some(text) = text else { return false };
        let Some(mut document) = self.documents.get_mut(path) else {
            return false;
        };
        let differs = document.text.bytes() != text.as_bytes();
        if differs {
            document.text = SourceText::new(text.as_bytes());
        }
        differs
    }

    /// Forgets a document.
    pub fn close(&self, path: &Path) {
        self.documents.remove(path);
    }

    /// A clone of a document; no lock is held afterwards.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<Document> {
        self.documents.get(path).map(|it| it.clone())
    }

    /// Paths of all open documents, in no order.
    #[must_use]
    pub fn paths(&self) -> Vec<Arc<Path>> {
        self.documents
            .iter()
            .map(|it| Arc::clone(it.key()))
            .collect()
    }
}

fn apply(text: &SourceText, edit: Edit, encoding: Encoding) -> SourceText {
    let Some((start, end)) = edit.range else {
        return SourceText::new(edit.text.into_bytes());
    };
    let (start, end) = (
        encoding.offset(text, start.min(end)),
        encoding.offset(text, end.max(start)),
    );
    let bytes = text.bytes();
    let before = bytes.get(..start as usize).unwrap_or_default();
    let after = bytes.get(end as usize..).unwrap_or_default();
    SourceText::new([before, edit.text.as_bytes(), after].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::workspace::position::Position;

    fn opened(text: &str, encoding: Encoding) -> (Documents, &'static Path) {
        let documents = Documents::default();
        let path = Path::new("/a.lua");
        documents.set_encoding(encoding);
        documents.open(
            path.into(),
            "file:///a.lua".to_owned(),
            "lua".to_owned(),
            1,
            text.to_owned(),
        );
        (documents, path)
    }

    fn edit(range: [u32; 4], text: &str) -> Edit {
        let [line, character, end_line, end_character] = range;
        let range = (
            Position { line, character },
            Position {
                line: end_line,
                character: end_character,
            },
        );
        Edit {
            range: Some(range),
            text: text.to_owned(),
        }
    }

    fn check(before: &str, edits: Vec<Edit>, encoding: Encoding, after: &str) {
        let (documents, path) = opened(before, encoding);
        documents.change(path, 2, edits);
        let document = documents.get(path).unwrap();
        assert_eq!((document.text.as_str(), document.version), (Some(after), 2));
    }

    #[test]
    fn edits_apply_one_after_the_other() {
        let edits = vec![edit([0, 0, 0, 0], "x\n"), edit([1, 1, 1, 2], "B")];
        check("abc\n", edits, Encoding::Utf16, "x\naBc\n");
    }

    #[test]
    fn the_same_column_means_another_place_in_another_encoding() {
        check(
            "😀ab",
            vec![edit([0, 2, 0, 3], "-")],
            Encoding::Utf16,
            "😀-b",
        );
        check(
            "😀ab",
            vec![edit([0, 2, 0, 3], "-")],
            Encoding::Utf32,
            "😀a-",
        );
        check(
            "😀ab",
            vec![edit([0, 4, 0, 5], "-")],
            Encoding::Utf8,
            "😀-b",
        );
    }

    #[test]
    fn ranges_past_the_end_clamp_and_reversed_ones_turn() {
        check(
            "ab\r\ncd",
            vec![edit([0, 9, 9, 9], "!")],
            Encoding::Utf16,
            "ab!",
        );
        check(
            "abcd",
            vec![edit([0, 3, 0, 1], "-")],
            Encoding::Utf16,
            "a-d",
        );
    }

    #[test]
    fn a_saved_text_wins_and_says_whether_it_differed() {
        let (documents, path) = opened("a", Encoding::Utf16);
        assert!(!documents.saved(path, Some("a")));
        assert!(!documents.saved(path, None));
        assert!(documents.saved(path, Some("b")));
        assert_eq!(documents.get(path).unwrap().text.as_str(), Some("b"));
        documents.close(path);
        documents.change(path, 3, Vec::new());
        assert!(documents.get(path).is_none());
        assert!(!documents.saved(path, Some("c")));
    }

    proptest! {
        #[test]
        fn text_equals_a_model_made_of_lines_and_utf16(
            source in "([a-z]|é|😀|\n){0,20}",
            edits in prop::collection::vec(((0u32..6, 0u32..8), (0u32..6, 0u32..8), "([a-z]|😀|\n){0,4}"), 0..6),
        ) {
            let (documents, path) = opened(&source, Encoding::Utf16);
            let mut model: Vec<u16> = source.encode_utf16().collect();
            let mut given = Vec::new();
            for ((line, character), (end_line, end_character), text) in edits {
                let (start, end) = (model_offset(&model, line, character), model_offset(&model, end_line, end_character));
                model.splice(start.min(end)..start.max(end), text.encode_utf16());
                given.push(edit([line, character, end_line, end_character], &text));
            }
            documents.change(path, 2, given);
            let expected = String::from_utf16(&model).unwrap();
            let document = documents.get(path).unwrap();
            prop_assert_eq!(document.text.as_str(), Some(&*expected));
        }
    }

    /// Index into UTF-16 units, found by walking them; never between the halves of a pair.
    fn model_offset(units: &[u16], line: u32, character: u32) -> usize {
        let mut start = 0;
        for _ in 0..line {
            match units[start..].iter().position(|&it| it == u16::from(b'\n')) {
                Some(it) => start += it + 1,
                None => return units.len(),
            }
        }
        let n_units = units[start..]
            .iter()
            .position(|&it| it == u16::from(b'\n'))
            .unwrap_or(units.len() - start);
        let offset = start + (character as usize).min(n_units);
        if units
            .get(offset)
            .is_some_and(|it| (0xdc00..0xe000).contains(it))
        {
            offset - 1
        } else {
            offset
        }
    }
}
