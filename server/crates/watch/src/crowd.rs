//! Crowd: notices that a mass of files is changing, as a checkout or a package manager does.
//!
//! Must stay true: one file written a thousand times is no crowd; without a crowd nothing grows.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// More distinct paths than this within [`SPAN`] are a crowd.
const LIMIT: usize = 50;
/// The quiet time of the bulk window, so that a crowd that pauses is still the same crowd.
const SPAN: Duration = Duration::from_millis(250);

/// The distinct paths of the last moments.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    seen: HashMap<PathBuf, Instant>,
}

impl Crowd {
    /// Takes in the paths of one report and tells whether it belongs to a crowd.
    ///
    /// *Source*: settle rules, builds, section 5 (more than 50 paths).
    pub(crate) fn push<'a>(&mut self, now: Instant, paths: impl Iterator<Item = &'a Path>) -> bool {
        self.seen
            .extend(paths.map(|path| (path.to_path_buf(), now)));
        // Below the limit even stale paths make no crowd, so they may stay.
        if LIMIT < self.seen.len() {
            self.seen.retain(|_, at| now.duration_since(*at) < SPAN);
        }
        LIMIT < self.seen.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(range: std::ops::Range<usize>) -> Vec<PathBuf> {
        range
            .map(|idx| PathBuf::from(format!("/p/{idx}.lua")))
            .collect()
    }

    fn push(crowd: &mut Crowd, now: Instant, range: std::ops::Range<usize>) -> bool {
        crowd.push(now, paths(range).iter().map(PathBuf::as_path))
    }

    #[test]
    fn a_crowd_begins_with_the_fifty_first_path() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        assert!(!push(&mut crowd, now, 0..50));
        assert!(push(&mut crowd, now, 50..51));
    }

    #[test]
    fn one_busy_file_is_no_crowd() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        for _ in 0..1000 {
            assert!(!push(&mut crowd, now, 0..1));
        }
    }

    #[test]
    fn changes_far_apart_are_no_crowd_and_a_crowd_ends() {
        let (mut crowd, start) = (Crowd::default(), Instant::now());
        for idx in 0..200 {
            let now = start + Duration::from_millis(10) * u32::try_from(idx).unwrap();
            assert!(!push(&mut crowd, now, idx..idx + 1), "at path {idx}");
        }
        let later = start + Duration::from_secs(10);
        assert!(push(&mut crowd, later, 0..100));
        assert!(push(&mut crowd, later + SPAN / 2, 100..101));
        assert!(!push(&mut crowd, later + SPAN * 2, 101..102));
        assert_eq!(
            crowd.seen.len(),
            1,
            "a crowd that is over leaves nothing behind"
        );
    }
}
