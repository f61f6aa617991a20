//! Generations: the number that ties a settled change set to everything that came of it.
//!
//! A generation is used up even when it was refused; the numbers of a workspace only rise.

use std::{collections::HashMap, fmt, hash::Hash};

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

/// Keeps late results from overwriting newer ones: per owner the newest generation that was shown.
///
/// An owner is whoever a later result replaces an earlier one for: a unit, a target, a diagnostic owner.
/// *Source*: editors, 4.5, rule 8.
#[derive(Clone, Debug)]
pub struct Newest<Owner> {
    shown: HashMap<Owner, Generation>,
}

impl<Owner: Eq + Hash> Newest<Owner> {
    /// Nothing was shown yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shown: HashMap::new(),
        }
    }

    /// Whether a result of `generation` may be shown for `owner`; if so it is noted. A generation may show repeatedly.
    pub fn admit(&mut self, owner: Owner, generation: Generation) -> bool {
        let newest = self.shown.entry(owner).or_default();
        let is_current = *newest <= generation;
        if is_current {
            *newest = generation;
        }
        is_current
    }

    /// Forgets an owner that is gone.
    pub fn forget(&mut self, owner: &Owner) {
        self.shown.remove(owner);
    }
}

impl<Owner: Eq + Hash> Default for Newest<Owner> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_result_is_not_shown_over_a_newer_one() {
        let mut newest = Newest::new();
        assert!(newest.admit("a", Generation::new(2)));
        assert!(!newest.admit("a", Generation::new(1)));
        assert!(
            newest.admit("a", Generation::new(2)),
            "one generation may correct itself"
        );
        assert!(
            newest.admit("b", Generation::new(1)),
            "owners do not hide one another"
        );
        newest.forget(&"a");
        assert!(newest.admit("a", Generation::new(1)));
    }
}
