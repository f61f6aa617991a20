//! The editor's process: tells when it is gone, so that the server never outlives it.
//!
//! Sends no signal. Where nothing can be watched the end of stdin alone decides.

use std::time::Duration;

/// How often a process is looked at where it cannot be waited for.
const POLL: Duration = Duration::from_secs(1);

/// Returns when the process is gone; never if it was not visible to begin with.
pub(super) async fn gone(process_id: Option<u32>) {
    match process_id.and_then(watched) {
        Some(gone) => {
            // An error means that the thread could not be started; stdin decides then.
            if gone.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}

#[cfg(unix)]
fn watched(process_id: u32) -> Option<tokio::sync::oneshot::Receiver<()>> {
    use rustix::{io::Errno, process};

    let process_id = process::Pid::from_raw(i32::try_from(process_id).ok()?)?;
    let is_there = move || process::test_kill_process(process_id) != Err(Errno::SRCH);
    if !is_there() {
        tracing::warn!(
            "the editor's process is not visible from here, its end will not be noticed"
        );
        return None;
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let watch = move || {
        if !wait(process_id) {
            while is_there() {
                std::thread::sleep(POLL);
            }
        }
        let _ = sender.send(());
    };
    std::thread::Builder::new()
        .name("parent".to_owned())
        .spawn(watch)
        .ok()?;
    Some(receiver)
}

#[cfg(not(unix))]
fn watched(_process_id: u32) -> Option<tokio::sync::oneshot::Receiver<()>> {
    None
}

/// Blocks until the process ends; `false` if that cannot be waited for here.
#[cfg(target_os = "linux")]
fn wait(process_id: rustix::process::Pid) -> bool {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        io::{Errno, retry_on_intr},
        process::{PidfdFlags, pidfd_open},
    };

    match pidfd_open(process_id, PidfdFlags::empty()) {
        Ok(pidfd) => {
            retry_on_intr(|| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None)).is_ok()
        }
        // It ended just now.
        Err(Errno::SRCH) => true,
        Err(_) => false,
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn wait(_process_id: rustix::process::Pid) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn nobody_to_watch_is_never_gone() {
        assert_eq!(gone(None).now_or_never(), None);
        // No system gives this number to a process.
        assert_eq!(gone(Some(i32::MAX as u32)).now_or_never(), None);
    }

    #[test]
    fn a_living_process_is_not_gone() {
        assert_eq!(gone(Some(std::process::id())).now_or_never(), None);
    }
}
