//! The process table: who is alive, who started whom, what they cost.
//!
//! Linux only (`/proc`, pidfd). Waits for an end by pidfd, never by polling.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

/// All processes below `pid`, children before grandchildren, `pid` itself excluded.
#[must_use]
pub fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&current) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == current)
                .map(|(child, _)| *child),
        );
        next += 1;
    }
    found.remove(0);
    found
}

/// Whether `pid` exists and is not a zombie.
#[must_use]
pub fn alive(pid: u32) -> bool {
    stat_fields(pid).is_some_and(|fields| {
        fields
            .first()
            .is_some_and(|state| state != "Z" && state != "X")
    })
}

/// Resident memory in KiB, 0 if the process is gone.
#[must_use]
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

/// CPU time used so far, user and system, in clock ticks (10 ms).
#[must_use]
pub fn cpu_ticks(pid: u32) -> u64 {
    let fields = stat_fields(pid).unwrap_or_default();
    let field = |index: usize| {
        fields
            .get(index)
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    field(11) + field(12)
}

/// Waits until none of `pids` is alive; `false` if one still is after `patience`.
#[must_use]
pub fn all_gone(pids: &[u32], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    pids.iter().all(|&pid| gone(pid, deadline))
}

fn gone(pid: u32, deadline: Instant) -> bool {
    // A pid that cannot be opened has ended and been reaped.
    let Ok(handle) = pidfd_open(as_pid(pid), PidfdFlags::empty()) else {
        return true;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap();
    let mut polled = [PollFd::new(&handle, PollFlags::IN)];
    poll(&mut polled, Some(&timeout)).is_ok_and(|ready| ready > 0) || !alive(pid)
}

/// `kill -9`.
pub fn kill(pid: u32) {
    // An error means that it is gone already, which is what was wanted.
    let _ = kill_process(as_pid(pid), Signal::KILL);
}

fn as_pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

fn parent(pid: u32) -> Option<u32> {
    stat_fields(pid)?.get(1)?.parse().ok()
}

/// Fields of `/proc/PID/stat` from the state on (the name before it may hold anything).
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
