//! Both ends of the wire: frames checked before tower-lsp reads them, and a writer that may break.
//!
//! tower-lsp ends the whole connection at the first frame that it cannot decode, so none may reach it: a bad frame becomes
//! an internal notification, which the guard answers. Knows no method but that one. Must stay true: what passes here
//! decodes there, and one bad frame costs exactly one answer.

use std::{
    borrow::Cow,
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{error::Category, json};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};

/// The notification that stands for a bad frame; its parameters are `{code, message}`.
pub(super) const BAD_FRAME: &str = "hotsave/internal/badFrame";

const MAX_HEADERS: usize = 16;
const MAX_HEADER_BYTES: usize = 8 * 1024;
const MAX_BODY_BYTES: u64 = 256 * 1024 * 1024;
const LENGTH: &[u8] = b"content-length:";

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;

/// What is wrong with a frame.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    code: i64,
    message: &'static str,
}

impl Fault {
    const fn unreadable(message: &'static str) -> Self {
        Self {
            code: PARSE_ERROR,
            message,
        }
    }

    const fn no_message(message: &'static str) -> Self {
        Self {
            code: INVALID_REQUEST,
            message,
        }
    }
}

/// Copies frames from `reader` to `pipe` until the input ends, with what is bad replaced.
///
/// *Errors*: those of either end. Dropping the future loses the half of a frame that it holds.
pub(super) async fn pump(
    reader: impl AsyncRead + Unpin,
    pipe: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let mut resumed = false;
    loop {
        let first_line = if std::mem::take(&mut resumed) {
            LENGTH
        } else {
            b""
        };
        let checked = match read_head(&mut reader, first_line).await? {
            Head::End => return Ok(()),
            Head::Length(n_bytes) => match read_body(&mut reader, n_bytes).await? {
                Some(body) => check(&body).map(|()| body),
                None => return Ok(()),
            },
            Head::Refused(n_bytes, fault) => {
                tokio::io::copy(&mut (&mut reader).take(n_bytes), &mut tokio::io::sink()).await?;
                Err(fault)
            }
            Head::Lost(fault) => {
                resumed = true;
                Err(fault)
            }
        };
        let body = checked.unwrap_or_else(|fault| {
            tracing::warn!("bad frame: {}", fault.message);
            let params = json!({ "code": fault.code, "message": fault.message });
            json!({ "jsonrpc": "2.0", "method": BAD_FRAME, "params": params })
                .to_string()
                .into_bytes()
        });
        pipe.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes())
            .await?;
        pipe.write_all(&body).await?;
        if resumed && !skip_past_length_name(&mut reader).await? {
            return Ok(());
        }
    }
}

/// What a header block says about the bytes after it.
enum Head {
    /// The input ended.
    End,
    /// A body of so many bytes.
    Length(u64),
    /// A body that is not wanted.
    Refused(u64, Fault),
    /// No knowing where the body ends.
    Lost(Fault),
}

/// Reads a header block of whose first line `first_line` has been read already.
async fn read_head(
    reader: &mut (impl AsyncBufRead + Unpin),
    first_line: &[u8],
) -> io::Result<Head> {
    let (mut n_headers, mut n_left) = (0, MAX_HEADER_BYTES);
    let mut length = Err(Fault::unreadable("a header block without Content-Length"));
    let mut line = first_line.to_vec();
    loop {
        n_left -= (&mut *reader)
            .take(n_left as u64)
            .read_until(b'\n', &mut line)
            .await?;
        if !line.ends_with(b"\n") {
            let full = n_left == 0;
            return Ok(if full {
                Head::Lost(Fault::unreadable("a header block of more than 8 KiB"))
            } else {
                Head::End
            });
        }
        let header = line.trim_ascii();
        if header.is_empty() {
            break;
        }
        n_headers += 1;
        if let Some((name, value)) = header.split_at_checked(LENGTH.len())
            && name.eq_ignore_ascii_case(LENGTH)
        {
            length = parse_length(value);
        }
        line.clear();
    }
    Ok(match length {
        Err(fault) => Head::Lost(fault),
        Ok(n_bytes) if MAX_HEADERS < n_headers => {
            Head::Refused(n_bytes, Fault::unreadable("more than 16 headers"))
        }
        Ok(n_bytes) if MAX_BODY_BYTES < n_bytes => {
            Head::Refused(n_bytes, Fault::no_message("a body of more than 256 MiB"))
        }
        Ok(n_bytes) => Head::Length(n_bytes),
    })
}

fn parse_length(value: &[u8]) -> Result<u64, Fault> {
    let digits = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
    digits
        .parse()
        .map_err(|_| Fault::unreadable("a Content-Length that is not a number"))
}

/// The body, or `None` if the input ends before it does.
async fn read_body(
    reader: &mut (impl AsyncBufRead + Unpin),
    n_bytes: u64,
) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    reader.take(n_bytes).read_to_end(&mut body).await?;
    Ok((body.len() as u64 == n_bytes).then_some(body))
}

/// Discards everything up to the next `Content-Length:`, that name included; `false` if the input ends first.
async fn skip_past_length_name(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<bool> {
    let mut n_matched = 0;
    loop {
        let bytes = reader.fill_buf().await?;
        if bytes.is_empty() {
            return Ok(false);
        }
        let mut n_used = 0;
        for byte in bytes.iter().map(u8::to_ascii_lowercase) {
            n_used += 1;
            // The name's first letter is nowhere else in it, so a mismatch can only begin a match anew.
            n_matched = match LENGTH.get(n_matched) {
                Some(&it) if it == byte => n_matched + 1,
                _ => usize::from(LENGTH.first() == Some(&byte)),
            };
            if n_matched == LENGTH.len() {
                break;
            }
        }
        reader.consume(n_used);
        if n_matched == LENGTH.len() {
            return Ok(true);
        }
    }
}

/// Whether a body is UTF-8, JSON and one message, judged exactly as tower-lsp's decoder will.
fn check(body: &[u8]) -> Result<(), Fault> {
    let text =
        std::str::from_utf8(body).map_err(|_| Fault::unreadable("a body that is not UTF-8"))?;
    match serde_json::from_str::<Message>(text) {
        Ok(Message(verdict)) => verdict.map_err(Fault::no_message),
        Err(error)
            if error.classify() == Category::Data
                && serde_json::from_str::<Anything>(text).is_ok() =>
        {
            Err(Fault::no_message("JSON that is no message"))
        }
        Err(_) => Err(Fault::unreadable("a body that is not JSON")),
    }
}

/// The shape of one request, notification or response; holds what is wrong with it.
struct Message(Result<(), &'static str>);

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not derived: a derived struct also accepts an array of its fields, and skips what it does not know unseen.
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Message;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
                let (mut version, mut method, mut id, mut n_answers) = (None, None, None, 0);
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    let again = match &*key {
                        "jsonrpc" => version
                            .replace(map.next_value::<Cow<'de, str>>()?)
                            .is_some(),
                        "method" => method.replace(map.next_value::<Cow<'de, str>>()?).is_some(),
                        "id" => id.replace(map.next_value::<Anything>()?).is_some(),
                        "result" | "error" => {
                            map.next_value::<Anything>()?;
                            n_answers += 1;
                            false
                        }
                        _ => {
                            map.next_value::<Anything>()?;
                            false
                        }
                    };
                    if again {
                        return Err(de::Error::custom("a field twice"));
                    }
                }
                Ok(Message(match (method, id) {
                    _ if version.as_deref() != Some("2.0") => {
                        Err("a message without \"jsonrpc\": \"2.0\"")
                    }
                    (_, Some(Anything::NoId)) => Err("an id that is no integer, string or null"),
                    (Some(method), _) if method == BAD_FRAME => Err("a method for internal use"),
                    (Some(_), _) if n_answers == 0 => Ok(()),
                    (None, Some(_)) if n_answers == 1 => Ok(()),
                    _ => Err("neither a request nor a response"),
                }))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Any value, walked through and forgotten, with the parser's limit on depth in force (`IgnoredAny` has none).
enum Anything {
    /// It could be an id.
    Id,
    /// It could not.
    NoId,
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;

        impl<'de> Visitor<'de> for Walk {
            type Value = Anything;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_unit<E>(self) -> Result<Anything, E> {
                Ok(Anything::Id)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Anything, E> {
                Ok(Anything::NoId)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Anything, E> {
                Ok(Anything::Id)
            }

            fn visit_u64<E>(self, number: u64) -> Result<Anything, E> {
                Ok(i64::try_from(number).map_or(Anything::NoId, |_| Anything::Id))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Anything, E> {
                Ok(Anything::NoId)
            }

            fn visit_str<E>(self, _: &str) -> Result<Anything, E> {
                Ok(Anything::Id)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Anything, A::Error> {
                while items.next_element::<Anything>()?.is_some() {}
                Ok(Anything::NoId)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Anything, A::Error> {
                while fields.next_entry::<Anything, Anything>()?.is_some() {}
                Ok(Anything::NoId)
            }
        }

        deserializer.deserialize_any(Walk)
    }
}

/// The output, which may break: from then on it swallows everything.
///
/// tower-lsp panics when an answer meets a broken output; here the break is told once and is nobody's error.
pub(super) struct Outlet<W> {
    writer: W,
    on_break: Option<Box<dyn FnOnce() + Send>>,
}

impl<W> Outlet<W> {
    /// `on_break` is called at the first failed write.
    pub(super) fn new(writer: W, on_break: impl FnOnce() + Send + 'static) -> Self {
        Self {
            writer,
            on_break: Some(Box::new(on_break)),
        }
    }

    fn settle<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        Ok(result.unwrap_or_else(|error| {
            tracing::info!("output broken: {error}");
            if let Some(on_break) = self.on_break.take() {
                on_break();
            }
            instead
        }))
    }

    fn is_broken(&self) -> bool {
        self.on_break.is_none()
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Outlet<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_broken() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = ready!(Pin::new(&mut this.writer).poll_write(cx, bytes));
        let result = result.and_then(|it| {
            if it == 0 {
                Err(io::ErrorKind::WriteZero.into())
            } else {
                Ok(it)
            }
        });
        Poll::Ready(this.settle(result, bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_broken() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut this.writer).poll_flush(cx));
        Poll::Ready(this.settle(result, ()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_broken() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut this.writer).poll_shutdown(cx));
        Poll::Ready(this.settle(result, ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one frame becomes: `None` if it passes unchanged, else the code of the answer.
    fn verdict(body: impl AsRef<[u8]>) -> Option<i64> {
        check(body.as_ref()).err().map(|it| it.code)
    }

    /// Sends `input` in pieces of `n_bytes` and lists what comes out: a method or an error's code.
    fn pumped(input: &[u8], n_bytes: usize) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let output = runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(n_bytes);
            let mut output = Vec::new();
            let (sent, pumped) = tokio::join!(
                async {
                    let result = client.write_all(input).await;
                    drop(client);
                    result
                },
                pump(server, &mut output)
            );
            sent.unwrap();
            pumped.unwrap();
            output
        });
        let mut rest = std::str::from_utf8(&output).unwrap();
        let mut seen = Vec::new();
        while let Some((head, tail)) = rest.split_once("\r\n\r\n") {
            let n_bytes: usize = head
                .strip_prefix("Content-Length: ")
                .unwrap()
                .parse()
                .unwrap();
            let message: serde_json::Value = serde_json::from_str(&tail[..n_bytes]).unwrap();
            seen.push(match message["method"].as_str().unwrap() {
                BAD_FRAME => message["params"]["code"].to_string(),
                method => method.to_owned(),
            });
            rest = &tail[n_bytes..];
        }
        seen
    }

    fn frame(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    fn notification(method: &str) -> String {
        frame(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#))
    }

    #[test]
    fn messages_pass() {
        for body in [
            r#"{"jsonrpc":"2.0","method":"a"}"#,
            r#"{"jsonrpc":"2.0","method":"a","params":null,"id":null}"#,
            r#"{"id":"x","params":[1,{"a":"\u00e9"}],"method":"a","jsonrpc":"2.0","more":1.5e3}"#,
            r#"{"jsonrpc":"2.0","id":-3,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"m"}}"#,
        ] {
            assert_eq!(verdict(body), None, "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_a_parse_error() {
        for body in [
            &b""[..],
            b"{",
            b"hello",
            b"{}x",
            b"{\"jsonrpc\": 1, oops",
            b"\"\xff\"",
            br#"{"a":"\ud800"}"#,
        ] {
            assert_eq!(verdict(body), Some(PARSE_ERROR), "{body:?}");
        }
    }

    #[test]
    fn json_that_is_no_message_is_an_invalid_request() {
        for body in [
            "1",
            "[]",
            r#"["2.0","initialize",{},1]"#,
            r#"[{"jsonrpc":"2.0","method":"a"}]"#,
            r#"{"method":"a"}"#,
            r#"{"jsonrpc":"1.0","method":"a"}"#,
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","result":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a","result":1}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
            r#"{"jsonrpc":"2.0","method":1}"#,
            r#"{"jsonrpc":"2.0","method":"a","method":"b"}"#,
            r#"{"jsonrpc":"2.0","method":"hotsave/internal/badFrame"}"#,
        ] {
            assert_eq!(verdict(body), Some(INVALID_REQUEST), "{body}");
        }
    }

    #[test]
    fn depth_that_the_decoder_would_refuse_is_refused_here() {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!(r#"{{"jsonrpc":"2.0","method":"a","params":{open}{close}}}"#)
        };
        assert_eq!(verdict(nested(100)), None);
        assert!(serde_json::from_str::<tower_lsp::jsonrpc::Request>(&nested(100)).is_ok());
        assert_eq!(verdict(nested(200)), Some(PARSE_ERROR));
        for depth in 120..135 {
            let decodes =
                serde_json::from_str::<tower_lsp::jsonrpc::Request>(&nested(depth)).is_ok();
            assert_eq!(verdict(nested(depth)).is_none(), decodes, "{depth}");
        }
    }

    #[test]
    fn frames_pass_however_they_are_cut() {
        let type_header = "content-TYPE: application/vscode-jsonrpc\r\n";
        let input = [
            &notification("a"),
            type_header,
            &notification("b").to_lowercase(),
            &notification("c"),
        ]
        .concat();
        for n_bytes in [1, 2, 7, 4096] {
            assert_eq!(pumped(input.as_bytes(), n_bytes), ["a", "b", "c"]);
        }
    }

    #[test]
    fn after_a_bad_frame_the_next_one_is_read() {
        let many = "X: y\r\n".repeat(16);
        let long = format!("X: {}\r\n", "y".repeat(9000));
        for (bad, code) in [
            (frame("{"), PARSE_ERROR),
            (frame("[]"), INVALID_REQUEST),
            ("X: y\r\n\r\n{}".to_owned(), PARSE_ERROR),
            ("Content-Length: ten\r\n\r\n{}".to_owned(), PARSE_ERROR),
            ("Content-Length: -2\r\n\r\n{}".to_owned(), PARSE_ERROR),
            (format!("{many}{}", notification("x")), PARSE_ERROR),
            (format!("{long}\r\n"), PARSE_ERROR),
        ] {
            for n_bytes in [1, 4096] {
                let input = [notification("a"), bad.clone(), notification("b")].concat();
                assert_eq!(
                    pumped(input.as_bytes(), n_bytes),
                    ["a", &code.to_string(), "b"],
                    "{bad}"
                );
            }
        }
    }

    #[test]
    fn a_body_over_the_limit_is_drained() {
        let n_bytes = MAX_BODY_BYTES + 1;
        let input = [
            format!("Content-Length: {n_bytes}\r\n\r\n").into_bytes(),
            vec![b' '; 257 * 1024 * 1024],
        ]
        .concat();
        let input = [
            &input[..input.len() - (1024 * 1024 - 1)],
            notification("b").as_bytes(),
        ]
        .concat();
        assert_eq!(
            pumped(&input, 1024 * 1024),
            [INVALID_REQUEST.to_string(), "b".to_owned()]
        );
    }

    #[test]
    fn input_that_ends_inside_a_frame_ends_quietly() {
        let whole = notification("a");
        for end in 0..whole.len() {
            assert!(pumped(&whole.as_bytes()[..end], 4096).is_empty());
        }
    }
}
