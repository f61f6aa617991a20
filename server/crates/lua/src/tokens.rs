//! Tokens of a Lua text with exact byte offsets, and the code hash made of them.
//!
//! The lexer is `emmylua_parser`'s. It wants UTF-8 and takes NUL for the end; Lua wants neither, so that it reads a copy
//! in which such bytes are replaced one for one. Must stay true: offsets are those of the original bytes, and no text
//! whatever makes the caller panic.

use std::{
    borrow::Cow,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use emmylua_parser::{
    LexerConfig, LuaFeatures, LuaFeaturesSet, LuaLanguageLevel, LuaLexer, LuaParseError, Reader,
};
use hotsave_engine::text::{ContentHash, SourceText};

pub(crate) use emmylua_parser::LuaTokenKind as Kind;

use crate::syntax::Dialect;

/// One token that means something; comments, whitespace and line ends are left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Token {
    pub(crate) const fn span(self) -> Range<u32> {
        self.start..self.end
    }
}

/// The tokens of one text, in order.
pub(crate) struct Tokens<'a> {
    bytes: &'a [u8],
    all: Vec<Token>,
}

impl<'a> Tokens<'a> {
    /// Tokens under the union of all dialects: enough to find requires, blocks and functions in any of them.
    pub(crate) fn of(text: &'a SourceText) -> Self {
        let mut config = LuaFeaturesSet::default();
        config.extends(vec![LuaFeatures::LLInteger, LuaFeatures::ComplexNumber]);
        let config = LexerConfig::new_with_extended_features(LuaLanguageLevel::Lua54, config);
        let readable = readable(text.bytes(), None);
        Self {
            bytes: text.bytes(),
            all: lex(&readable, config, None),
        }
    }

    /// Tokens as `dialect` sees them, with the lexer's own complaints in text order.
    pub(crate) fn in_dialect(
        text: &'a SourceText,
        readable: &str,
        dialect: Dialect,
    ) -> (Self, Vec<LuaParseError>) {
        let mut errors = Vec::new();
        let all = lex(readable, dialect.lexer_config(), Some(&mut errors));
        (
            Self {
                bytes: text.bytes(),
                all,
            },
            errors,
        )
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Token> {
        self.all.iter()
    }

    pub(crate) fn get(&self, idx: usize) -> Option<Token> {
        self.all.get(idx).copied()
    }

    /// Kind of a token, `TkEof` past the end.
    pub(crate) fn kind(&self, idx: usize) -> Kind {
        self.all.get(idx).map_or(Kind::TkEof, |it| it.kind)
    }

    /// Kind of the token before `idx`, `None` at the start.
    pub(crate) fn kind_before(&self, idx: usize) -> Option<Kind> {
        self.all.get(idx.checked_sub(1)?).map(|it| it.kind)
    }

    /// Where a token starts; past the last one, the end of the text.
    pub(crate) fn start_of(&self, idx: usize) -> u32 {
        self.get(idx).map_or_else(
            || u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
            |it| it.start,
        )
    }

    /// Original bytes of a token, empty past the end.
    pub(crate) fn text(&self, idx: usize) -> &'a [u8] {
        self.get(idx).map_or(&[], |it| self.bytes_of(it))
    }

    pub(crate) fn bytes_of(&self, token: Token) -> &'a [u8] {
        self.bytes
            .get(token.start as usize..token.end as usize)
            .unwrap_or_default()
    }

    /// Original bytes from the start of a token on, as long as they all satisfy `goes_on`; at least the token.
    pub(crate) fn run_from(&self, idx: usize, goes_on: impl Fn(u8) -> bool) -> &'a [u8] {
        let Some(token) = self.get(idx) else {
            return &[];
        };
        let rest = self.bytes.get(token.start as usize..).unwrap_or_default();
        let n_bytes = rest
            .iter()
            .take_while(|&&it| goes_on(it))
            .count()
            .max((token.end - token.start) as usize);
        rest.get(..n_bytes).unwrap_or(rest)
    }

    /// Whether the token is this name.
    pub(crate) fn is_name(&self, idx: usize, name: &str) -> bool {
        self.kind(idx) == Kind::TkName && self.text(idx) == name.as_bytes()
    }

    /// Index of the first token that starts at or after `offset`.
    pub(crate) fn index_at(&self, offset: u32) -> usize {
        self.all.partition_point(|it| it.start < offset)
    }

    /// Hash of the tokens, blind to comments, whitespace and the kind of line ends (inside long strings too).
    pub(crate) fn code_hash(&self) -> ContentHash {
        self.hash_of(0..self.all.len())
    }

    /// The same for a run of tokens.
    pub(crate) fn hash_of(&self, range: Range<usize>) -> ContentHash {
        let mut code = Vec::with_capacity(self.bytes.len());
        for &token in self.all.get(range).unwrap_or_default() {
            let bytes = self.bytes_of(token);
            if bytes.contains(&b'\r') {
                code.extend(with_plain_line_ends(bytes));
            } else {
                code.extend_from_slice(bytes);
            }
            // No token but a string holds this byte, and a string also holds its own ends.
            code.push(0);
        }
        ContentHash::of(&code)
    }
}

/// The value of a string token, quoted or long; `None` for an unfinished one or an escape that Lua would refuse.
pub(crate) fn string_value(token: &[u8]) -> Option<Vec<u8>> {
    match token {
        [quote @ (b'"' | b'\''), inner @ .., end] if quote == end => unescaped(inner),
        [b'[', ..] => {
            let level = token.iter().skip(1).take_while(|&&it| it == b'=').count();
            let inner =
                with_plain_line_ends(token.get(level + 2..token.len().checked_sub(level + 2)?)?);
            Some(
                inner
                    .strip_prefix(b"\n")
                    .map(<[u8]>::to_vec)
                    .unwrap_or(inner),
            )
        }
        _ => None,
    }
}

fn unescaped(inner: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        match bytes.next()? {
            b'n' => value.push(b'\n'),
            b't' => value.push(b'\t'),
            b'r' => value.push(b'\r'),
            digit @ b'0'..=b'9' => {
                let mut code = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(next) = bytes.next_if(u8::is_ascii_digit) else {
                        break;
                    };
                    code = code * 10 + u32::from(next - b'0');
                }
                value.push(u8::try_from(code).ok()?);
            }
            plain @ (b'\\' | b'"' | b'\'' | b'.' | b'/' | b'-' | b'\n') => value.push(plain),
            // The rest does not occur in names of modules and files.
            _ => return None,
        }
    }
    Some(value)
}

fn with_plain_line_ends(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\r' => {
                rest.next_if_eq(&b'\n');
                plain.push(b'\n');
            }
            _ => plain.push(byte),
        }
    }
    plain
}

/// A UTF-8 text of the same length and the same tokens, for a lexer that knows only UTF-8.
///
/// `None` stands for the union of dialects. Bytes that no dialect takes outside strings and comments stay refused there.
pub(crate) fn readable(bytes: &[u8], dialect: Option<Dialect>) -> Cow<'_, str> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let names_take_any_byte = dialect == Some(Dialect::LuaJit) && !bytes.is_ascii();
    let has_bom = bytes.starts_with(BOM) && dialect != Some(Dialect::Lua51);
    let is_strange = |it: &u8| matches!(it, 0 | 0x0b | 0x0c);
    if !names_take_any_byte
        && !has_bom
        && !bytes.iter().any(is_strange)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    let mut copy = bytes.to_vec();
    if has_bom {
        let n_skipped = if copy.get(3) == Some(&b'#') {
            copy.iter().take_while(|&&it| it != b'\n').count()
        } else {
            3
        };
        copy.iter_mut().take(n_skipped).for_each(|it| *it = b' ');
    }
    for byte in &mut copy {
        match *byte {
            0 => *byte = 1,
            0x0b | 0x0c => *byte = b' ',
            0x80.. if names_take_any_byte => *byte = b'_',
            _ => {}
        }
    }
    Cow::Owned(String::from_utf8(copy).unwrap_or_else(|error| {
        let mut copy = error.into_bytes();
        while let Err(error) = std::str::from_utf8(&copy) {
            let bad = error.valid_up_to()
                ..error
                    .error_len()
                    .map_or(copy.len(), |it| error.valid_up_to() + it);
            copy.get_mut(bad).unwrap_or_default().fill(1);
        }
        String::from_utf8(copy).unwrap_or_default()
    }))
}

fn lex(readable: &str, config: LexerConfig, errors: Option<&mut Vec<LuaParseError>>) -> Vec<Token> {
    let tokenize =
        AssertUnwindSafe(|| LuaLexer::new(Reader::new(readable), config, errors).tokenize());
    let tokens = catch_unwind(tokenize).unwrap_or_default();
    let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    tokens
        .into_iter()
        .filter(|it| !is_trivia(it.kind))
        .map(|it| Token {
            kind: it.kind,
            start: at(it.range.start_offset),
            end: at(it.range.end_offset()),
        })
        .collect()
}

const fn is_trivia(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TkWhitespace
            | Kind::TkEndOfLine
            | Kind::TkShortComment
            | Kind::TkLongComment
            | Kind::TkShebang
            | Kind::TkEof
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> ContentHash {
        Tokens::of(&SourceText::new(text.as_bytes())).code_hash()
    }

    #[test]
    fn code_hash_ignores_comments_whitespace_and_line_ends() {
        let plain = code("local a = 1\nreturn [[x\ny]]");
        assert_eq!(
            plain,
            code("#!lua\r\n-- hi\r\nlocal a   = 1 --[[ long\n ]]\r\nreturn [[x\r\ny]]\r\n")
        );
    }

    #[test]
    fn code_hash_sees_every_token() {
        let all = [
            "local ab = 1",
            "local a b = 1",
            "local ab = 2",
            "local ab = '1'",
            "local ab = \"1\"",
            "local ab == 1",
        ];
        for (idx, one) in all.iter().enumerate() {
            for other in &all[idx + 1..] {
                assert_ne!(code(one), code(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn offsets_are_those_of_the_original_bytes() {
        let text = SourceText::new(*b"\xef\xbb\xbf#!x\n\x0bs = '\xe9\0' -- \xff\nlast");
        let tokens = Tokens::of(&text);
        assert_eq!(tokens.len(), 4);
        assert_eq!(tokens.text(2), b"'\xe9\0'");
        assert_eq!(tokens.text(3), b"last");
    }

    #[test]
    fn strings_have_their_values() {
        let value =
            |token: &str| string_value(token.as_bytes()).map(|it| String::from_utf8(it).unwrap());
        assert_eq!(value(r#""a.b""#).as_deref(), Some("a.b"));
        assert_eq!(value(r"'a\46b\\'").as_deref(), Some(r"a.b\"));
        assert_eq!(value("[==[\r\na\r\nb]==]").as_deref(), Some("a\nb"));
        assert_eq!(value("'a"), None);
        assert_eq!(value("[["), None);
    }
}
