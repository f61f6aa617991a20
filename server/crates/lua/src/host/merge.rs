//! Two updates that wait become one (2.6): the newer change set over the older.

use std::collections::{HashMap, HashSet};

use crate::wire::{Act, Journal, Unit, Update};

/// `newer` with what only `older` brought.
///
/// *Shape*: units of `older` alone come first, then those of `newer`: whatever depends on a unit of `newer` is part of
/// `newer` itself, so the order stays one of execution. A unit of both stands where `newer` has it.
pub(super) fn merge(older: Update, mut newer: Update) -> Update {
    let mut earlier: HashMap<String, Unit> = HashMap::new();
    let mut units: Vec<Unit> = Vec::with_capacity(older.units.len() + newer.units.len());
    let in_newer: HashSet<&str> = newer.units.iter().map(|it| it.name.as_str()).collect();
    for unit in older.units {
        if in_newer.contains(unit.name.as_str()) {
            earlier.insert(unit.name.clone(), unit);
        } else {
            units.push(unit);
        }
    }
    let offset = units.iter().map(|it| it.scc + 1).max().unwrap_or(0);
    for unit in newer.units {
        let mut unit = match earlier.remove(&unit.name) {
            Some(earlier) => over(earlier, unit),
            None => unit,
        };
        unit.scc = unit.scc.saturating_add(offset);
        units.push(unit);
    }
    newer.units = units;
    newer.journal = match (older.journal, newer.journal) {
        (Journal::Units(mut older), Journal::Units(newer)) => {
            older.extend(newer);
            older.sort_unstable();
            older.dedup();
            Journal::Units(older)
        }
        _ => Journal::All,
    };
    newer.capture.extend(older.capture);
    newer.capture.sort_unstable();
    newer.capture.dedup();
    newer.deadline_ms = newer.deadline_ms.max(older.deadline_ms);
    newer.dry &= older.dry;
    newer
}

/// One unit of both: the newest text, and an act that fits what the host has, which saw neither.
fn over(older: Unit, newer: Unit) -> Unit {
    match (older.act, newer.act) {
        // The rerun was planned for the text that still waits.
        (Act::Load | Act::Replace, Act::Rerun) => Unit {
            scc: newer.scc,
            ..older
        },
        // No condition means "in any case".
        (Act::Rerun, Act::Rerun) if older.when.is_empty() => Unit {
            when: older.when,
            ..newer
        },
        (Act::Rerun, Act::Rerun) if newer.when.is_empty() => newer,
        (Act::Rerun, Act::Rerun) => {
            let mut merged = newer;
            for (dependency, taken) in older.when {
                let it = merged.when.entry(dependency).or_default();
                it.whole |= taken.whole;
                it.calls |= taken.calls;
                it.reads.extend(taken.reads);
            }
            merged
        }
        (Act::Load, Act::Replace) => Unit {
            act: Act::Load,
            ..newer
        },
        (Act::Remove | Act::Replace | Act::Rerun, Act::Load) => Unit {
            act: Act::Replace,
            ..newer
        },
        _ => newer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(units: &[(&str, Act, &str, u32)]) -> Update {
        let unit = |&(name, act, text, scc): &(&str, Act, &str, u32)| Unit {
            name: name.into(),
            act,
            text: Some(text.into()),
            scc,
            ..Unit::default()
        };
        Update {
            units: units.iter().map(unit).collect(),
            ..Update::default()
        }
    }

    #[test]
    fn the_newer_set_wins_and_the_older_comes_first() {
        let older = update(&[("c", Act::Replace, "c1", 0), ("a", Act::Replace, "a1", 1)]);
        let newer = update(&[("a", Act::Replace, "a2", 0), ("b", Act::Rerun, "b", 1)]);
        let expected = update(&[
            ("c", Act::Replace, "c1", 0),
            ("a", Act::Replace, "a2", 1),
            ("b", Act::Rerun, "b", 2),
        ]);
        assert_eq!(merge(older, newer), expected);
    }

    #[test]
    fn acts_fit_what_the_host_has() {
        use Act::{Load, Remove, Replace, Rerun};
        for (older, newer, act, text) in [
            (Replace, Rerun, Replace, "old"),
            (Load, Rerun, Load, "old"),
            (Rerun, Replace, Replace, "new"),
            (Load, Replace, Load, "new"),
            (Remove, Load, Replace, "new"),
            (Replace, Remove, Remove, "new"),
            (Replace, Replace, Replace, "new"),
        ] {
            let merged = merge(
                update(&[("a", older, "old", 0)]),
                update(&[("a", newer, "new", 0)]),
            );
            assert_eq!(
                merged,
                update(&[("a", act, text, 0)]),
                "{older:?} then {newer:?}"
            );
        }
    }

    #[test]
    fn a_journal_of_everything_stays_one() {
        let all = Update {
            journal: Journal::All,
            ..Update::default()
        };
        assert_eq!(merge(all, Update::default()).journal, Journal::All);
    }
}
