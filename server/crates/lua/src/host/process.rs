//! The process of a host: started in its own group, read and written by threads of its own, killed as a group.
//!
//! Decides nothing. Must stay true: no call blocks on the process, and it is dead when the [`Process`] is dropped.
//! Its standard input closes with the server, however that ends, and a host ends when its input does.

use std::{
    ffi::OsString,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, bounded, unbounded};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{
    lines::{Lines, Piece},
    report::{HostEvent, HostEventKind},
};
use crate::wire::{FromHost, Level, Log, WireError, decode};

/// How long the end of a process waits for its last output, which a child of it may hold open.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// Where events of a host go; called from threads of the process, never blocks.
pub type Sink = Arc<dyn Fn(HostEvent) + Send + Sync>;

/// What to start: no shell, arguments as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnSpec {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// Working directory, the project's folder.
    pub cwd: PathBuf,
    /// Environment variables beside the server's own.
    pub env: Vec<(OsString, OsString)>,
}

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Lines to write; closed, the process sees the end of its input.
    input: Option<Sender<Vec<u8>>>,
}

impl Process {
    /// Starts the process; `number` stands in its events, the last of which is `Exited`.
    ///
    /// *Errors*: the reason in one line.
    pub(super) fn spawn(
        spec: &SpawnSpec,
        number: u64,
        log_per_s: u32,
        sink: &Sink,
    ) -> Result<Self, String> {
        let Some((program, arguments)) = spec.argv.split_first() else {
            return Err("no program is given".into());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(&spec.cwd)
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let event = {
            let sink = Arc::clone(sink);
            move |kind| {
                sink(HostEvent {
                    process: number,
                    kind,
                })
            }
        };
        // Dropped by the last reader: then everything the process printed has been passed on.
        let (is_read, all_read) = bounded::<()>(0);
        if let Some(stdout) = child.stdout.take() {
            let (event, is_read) = (event.clone(), is_read.clone());
            thread::spawn(move || {
                read(stdout, Level::Out, log_per_s, event);
                drop(is_read);
            });
        }
        if let Some(stderr) = child.stderr.take() {
            let event = event.clone();
            thread::spawn(move || {
                read(stderr, Level::Err, log_per_s, event);
                drop(is_read);
            });
        }
        let (input, lines) = unbounded::<Vec<u8>>();
        if let Some(mut stdin) = child.stdin.take() {
            thread::spawn(move || {
                // A process that no longer reads has ended or will be ended; `Exited` tells.
                while let Ok(line) = lines.recv() {
                    if stdin.write_all(&line).is_err() {
                        return;
                    }
                }
            });
        }
        if let Some(pid) = pid_of(&child) {
            thread::spawn(move || {
                // Not reaped here: until its owner does, the number cannot mean another process group.
                let status = waitid(
                    WaitId::Pid(pid),
                    WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
                );
                let _ = all_read.recv_timeout(LAST_OUTPUT);
                let how = match status {
                    Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => format!("exit status {code}"),
                        (None, Some(signal)) => format!("killed by signal {signal}"),
                        (None, None) => "ended".into(),
                    },
                    Ok(None) | Err(_) => "ended".into(),
                };
                event(HostEventKind::Exited(how));
            });
        }
        Ok(Self {
            child,
            input: Some(input),
        })
    }

    /// Queues a line.
    pub(super) fn send(&self, line: Vec<u8>) {
        if let Some(input) = &self.input {
            let _ = input.send(line);
        }
    }

    /// Process id, for the log and for tests.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    /// Kills the whole group, then reaps its leader on a thread of its own: a large process takes a while to die.
    fn drop(&mut self) {
        self.input = None;
        if let Some(pid) = pid_of(&self.child) {
            // Fails only if nobody of the group is left.
            let _ = kill_process_group(pid, Signal::KILL);
            thread::spawn(move || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED));
        }
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Passes on what comes from `pipe` until it ends: messages and output of standard output, output of standard error.
fn read(mut pipe: impl Read, level: Level, log_per_s: u32, event: impl Fn(HostEventKind)) {
    let mut lines = Lines::default();
    let mut throttle = Throttle::new(log_per_s);
    let mut buffer = vec![0; 64 << 10];
    let mut is_readable = true;
    while is_readable {
        let n_bytes = match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(n_bytes) => n_bytes,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        lines.push(buffer.get(..n_bytes).unwrap_or_default(), |piece| {
            is_readable &= piece != Piece::TooLong;
            pass_on(piece, level, &mut throttle, &event);
        });
    }
    if let Some(piece) = lines.end() {
        pass_on(piece, level, &mut throttle, &event);
    }
}

fn pass_on(piece: Piece, level: Level, throttle: &mut Throttle, event: &impl Fn(HostEventKind)) {
    match piece {
        Piece::Message(line) if level == Level::Out => event(match decode::<FromHost>(&line) {
            Ok(message) => HostEventKind::Message(message),
            Err(WireError::TooLong(_)) => HostEventKind::TooLong,
            Err(error) => HostEventKind::Malformed(error.to_string()),
        }),
        Piece::Message(line) | Piece::Output(line) => {
            if let Some(dropped) = throttle.admit(Instant::now()) {
                let text = String::from_utf8_lossy(&line).into_owned();
                event(HostEventKind::Output(Log {
                    level,
                    text,
                    dropped: (dropped > 0).then_some(dropped),
                }));
            }
        }
        Piece::TooLong => event(HostEventKind::TooLong),
    }
}

/// Lets through so many lines a second and counts the others.
#[derive(Debug)]
struct Throttle {
    per_s: u32,
    since: Option<Instant>,
    n_passed: u32,
    n_dropped: u64,
}

impl Throttle {
    const fn new(per_s: u32) -> Self {
        Self {
            per_s,
            since: None,
            n_passed: 0,
            n_dropped: 0,
        }
    }

    /// May a line pass? Then with the number of those that might not since the last one.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self
            .since
            .is_none_or(|it| now.duration_since(it) >= Duration::from_secs(1))
        {
            self.since = Some(now);
            self.n_passed = 0;
        }
        if self.n_passed >= self.per_s {
            self.n_dropped += 1;
            return None;
        }
        self.n_passed += 1;
        Some(std::mem::take(&mut self.n_dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_output_is_thinned_and_counted() {
        let start = Instant::now();
        let mut throttle = Throttle::new(2);
        let at = |ms| start + Duration::from_millis(ms);
        let admitted = [0, 1, 2, 3, 999, 1000, 1001].map(|ms| throttle.admit(at(ms)));
        assert_eq!(
            admitted,
            [Some(0), Some(0), None, None, None, Some(3), Some(0)]
        );
    }
}
