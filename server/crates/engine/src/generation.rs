//! Generations: the number that ties a settled change set to everything that came of it.
//!
//! A generation is used up even when it was refused; the numbers of a workspace only rise.

use std::fmt;

/// Number of one settled change set of a workspace. 0 means "nothing reloaded yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// The generation with this number, as read from a message or the state directory.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number as it stands on the wire (≤ 2⁵³−1 in practice).
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gen {}", self.0)
    }
}
