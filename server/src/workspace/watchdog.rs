//! The watchdog: says so when a turn of the main loop takes seconds, while it is still taking them.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// How often it looks; a turn it meets twice has taken at least this long (editors specification, 2.3).
const INTERVAL: Duration = Duration::from_secs(5);

/// Counts the turns: odd while one is under way.
#[derive(Debug, Default)]
pub(super) struct Watchdog(Arc<AtomicU64>);

/// A turn under way; it is over when this is dropped.
pub(super) struct Turn<'a>(&'a AtomicU64);

impl Watchdog {
    /// Starts the thread that looks; it ends with the watchdog.
    pub(super) fn start() -> Self {
        let watchdog = Self::default();
        let turns = Arc::downgrade(&watchdog.0);
        thread::spawn(move || watch(&turns));
        watchdog
    }

    /// Says that a turn begins.
    pub(super) fn turn(&self) -> Turn<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Turn(&self.0)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn watch(turns: &Weak<AtomicU64>) {
    let mut last = 0;
    while let Some(turns) = turns.upgrade() {
        let now = turns.load(Ordering::Relaxed);
        if now == last && now % 2 == 1 {
            tracing::warn!(
                "a turn of the main loop takes more than {} s",
                INTERVAL.as_secs()
            );
        }
        last = now;
        drop(turns);
        thread::sleep(INTERVAL);
    }
}
