//! Frames of the Language Server Protocol, read strictly.
//!
//! Must stay true: the reader accepts exactly `Content-Length: N`, an empty line and N bytes of JSON, over and over;
//! anything else on the server's stdout is an error, because an editor would lose its connection there.

use std::{
    io::{self, BufRead, Read, Write},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender};
use serde_json::Value;

/// What the reader thread found.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A message.
    Message(Value),
    /// Bytes that are no frame.
    Garbage(String),
    /// The end of the stream.
    Closed,
}

/// Lets a test play a client that stops reading.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

/// What the reader thread may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateState {
    /// Read.
    #[default]
    Open,
    /// Wait.
    Shut,
    /// Close the stream.
    Gone,
}

impl Gate {
    /// Changes what the reader may do from its next frame on.
    pub fn set(&self, state: GateState) {
        *self.0.0.lock().unwrap() = state;
        self.0.1.notify_all();
    }

    /// Blocks while shut; `false` when the stream is to be closed.
    fn pass(&self) -> bool {
        let guard = self
            .0
            .1
            .wait_while(self.0.0.lock().unwrap(), |state| *state == GateState::Shut)
            .unwrap();
        *guard == GateState::Open
    }
}

/// Reads frames on a thread of its own until the stream ends.
pub fn spawn_reader(
    stream: impl Read + Send + 'static,
    gate: Gate,
) -> (Receiver<Incoming>, JoinHandle<()>) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let thread = std::thread::spawn(move || read_all(io::BufReader::new(stream), &gate, &sender));
    (receiver, thread)
}

fn read_all(mut stream: impl BufRead, gate: &Gate, sender: &Sender<Incoming>) {
    while gate.pass() {
        let incoming = match read_frame(&mut stream) {
            Ok(Some(message)) => Incoming::Message(message),
            Ok(None) => Incoming::Closed,
            Err(error) => Incoming::Garbage(error.to_string()),
        };
        let last = !matches!(incoming, Incoming::Message(_));
        if sender.send(incoming).is_err() || last {
            return;
        }
    }
}

/// Reads one frame; `None` at a clean end.
///
/// *Errors*: `InvalidData` with the offending text for anything that is not a frame.
pub fn read_frame(stream: &mut impl BufRead) -> io::Result<Option<Value>> {
    let mut header = Vec::new();
    stream.read_until(b'\n', &mut header)?;
    if header.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&header).into_owned();
    let length = text
        .strip_prefix("Content-Length: ")
        .and_then(|rest| rest.strip_suffix("\r\n"))
        .and_then(|digits| digits.parse::<usize>().ok())
        .ok_or_else(|| invalid(format!("not a header: {text:?}")))?;
    let mut blank = [0; 2];
    stream.read_exact(&mut blank)?;
    if &blank != b"\r\n" {
        return Err(invalid(format!("no empty line after {text:?}")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| invalid(format!("not JSON: {error}")))
}

/// Writes `message` as one frame.
pub fn write_frame(stream: &mut impl Write, message: &Value) -> io::Result<()> {
    stream.write_all(&frame(message))?;
    stream.flush()
}

/// The bytes of one frame.
#[must_use]
pub fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    let mut bytes = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read() {
        let messages = [json!({"id": 1}), json!({"text": "héllo 🎈\r\n"})];
        let bytes: Vec<u8> = messages.iter().flat_map(frame).collect();
        let mut stream = bytes.as_slice();
        for message in messages {
            assert_eq!(read_frame(&mut stream).unwrap(), Some(message));
        }
        assert_eq!(read_frame(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_stray_line_is_an_error() {
        let mut stream: &[u8] = b"hello\nContent-Length: 2\r\n\r\n{}";
        assert!(
            read_frame(&mut stream)
                .unwrap_err()
                .to_string()
                .contains("hello")
        );
    }
}
