//! The two pipes of the worker: lines in on a thread of their own, lines out where the server can tell them apart.
//!
//! Must stay true: nothing but messages reaches the real stdout, and the end of stdin ends the process.

use std::{
    fs::File,
    io::{self, BufRead, Write},
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, unbounded};
use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Signal, getpid, kill_process},
    stdio::{dup2_stdout, stderr, stdout},
};

/// Marks a line as a message; anything else on the pipe is program output (Lua specification, 2.3).
const MESSAGE: u8 = 0x1E;

/// How long a busy worker may live after its server has gone.
const LAST_BREATH: Duration = Duration::from_millis(100);

/// Starts the reader; the channel closes when stdin ends.
///
/// *Shape*: lines without their line end, as bytes.
pub(super) fn lines() -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = unbounded();
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut line = Vec::new();
                match stdin.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                if sender.send(line).is_err() {
                    return;
                }
            }
            drop(sender);
            // An idle worker ends by itself as the channel is closed. One that is inside Lua may never look at the
            // channel again, and exit handlers could wait for a lock it holds: only the signal is sure.
            thread::sleep(LAST_BREATH);
            let _ = kill_process(getpid(), Signal::KILL);
        })?;
    Ok(receiver)
}

/// The way out for messages.
#[derive(Debug)]
pub(super) struct Outbound {
    pipe: File,
    line: Vec<u8>,
}

impl Outbound {
    /// Takes the process's stdout for messages and leaves stderr in its place, so that a C library that prints
    /// cannot cut a message in two.
    pub(super) fn take_stdout() -> io::Result<Self> {
        let pipe = File::from(fcntl_dupfd_cloexec(stdout(), 3)?);
        dup2_stdout(stderr())?;
        Ok(Self {
            pipe,
            line: Vec::new(),
        })
    }

    /// Writes one message as one line.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.line.clear();
        self.line.push(MESSAGE);
        self.line.extend_from_slice(message);
        self.line.push(b'\n');
        self.pipe.write_all(&self.line)
    }
}
