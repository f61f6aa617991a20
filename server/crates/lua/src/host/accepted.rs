//! What a host runs, as the server remembers it: the accepted texts in load order and the state that differs from them.
//!
//! Enough to bring a fresh process to the same point (Lua specification, 9.3); sends nothing itself.
//! Must stay true: a unit keeps its place when its text changes, so that a rebuild loads in the original order.

use std::collections::{BTreeMap, HashMap};

use crate::wire::{Act, Content, Unit, Update};

/// What a function's description takes on the wire, about.
const FUNCTION_BYTES: usize = 120;

/// Texts and state of one host. Cost of each call follows the units in the update, not the units loaded.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    units: BTreeMap<u64, Unit>,
    places: HashMap<String, u64>,
    next_place: u64,
    dirty: Option<Content>,
}

impl Accepted {
    /// Is this unit's text known?
    pub(super) fn contains(&self, unit: &str) -> bool {
        self.places.contains_key(unit)
    }

    /// Accepted units in load order.
    pub(super) fn units(&self) -> impl Iterator<Item = &Unit> {
        self.units.values()
    }

    /// Takes over the texts that an applied update brought.
    pub(super) fn apply(&mut self, update: Update) {
        for unit in update.units {
            match unit.act {
                Act::Remove => self.forget(&unit.name),
                Act::Load | Act::Replace | Act::Rerun => self.insert(unit),
            }
        }
    }

    /// Takes over a text that the host loaded by itself, last in order if it is new. Texts of one rebuild message may
    /// require each other in any order.
    pub(super) fn adopt(&mut self, unit: Unit) {
        if !self.contains(&unit.name) {
            self.insert(unit);
        }
    }

    /// Takes over what a host said of its state: every slot of every unit that differs from its base.
    pub(super) fn set_dirty(&mut self, dirty: Content) {
        self.dirty = Some(dirty);
    }

    /// State to restore.
    pub(super) const fn dirty(&self) -> Option<&Content> {
        self.dirty.as_ref()
    }

    /// Forgets one unit; state of it that is restored later finds no place.
    pub(super) fn forget(&mut self, unit: &str) {
        if let Some(place) = self.places.remove(unit) {
            self.units.remove(&place);
        }
    }

    /// Forgets everything; gives the names of what was known, in load order.
    pub(super) fn clear(&mut self) -> Vec<String> {
        let units = std::mem::take(self).units;
        units.into_values().map(|it| it.name).collect()
    }

    /// The accepted texts as first loads, cut into batches of about `max_bytes` each, in load order.
    pub(super) fn batches(&self, max_bytes: usize) -> Vec<Vec<Unit>> {
        let mut batches: Vec<Vec<Unit>> = Vec::new();
        let mut n_bytes = usize::MAX;
        for unit in self.units.values() {
            let texts = [&unit.text, &unit.text64];
            let size = texts.into_iter().flatten().map(String::len).sum::<usize>();
            let size = size + unit.fns.len() * FUNCTION_BYTES;
            n_bytes = n_bytes.saturating_add(size);
            if n_bytes > max_bytes {
                batches.push(Vec::new());
                n_bytes = size;
            }
            if let Some(batch) = batches.last_mut() {
                let scc = u32::try_from(batch.len()).unwrap_or(u32::MAX);
                batch.push(Unit {
                    act: Act::Load,
                    scc,
                    when: BTreeMap::new(),
                    ..unit.clone()
                });
            }
        }
        batches
    }

    fn insert(&mut self, unit: Unit) {
        let place = *self.places.entry(unit.name.clone()).or_insert_with(|| {
            self.next_place += 1;
            self.next_place
        });
        self.units.insert(place, unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, act: Act, text: &str) -> Unit {
        Unit {
            name: name.into(),
            act,
            text: Some(text.into()),
            ..Unit::default()
        }
    }

    fn apply(accepted: &mut Accepted, units: Vec<Unit>) {
        accepted.apply(Update {
            units,
            ..Update::default()
        });
    }

    fn texts(accepted: &Accepted) -> Vec<(&str, &str)> {
        accepted
            .units()
            .map(|it| (it.name.as_str(), it.text.as_deref().unwrap()))
            .collect()
    }

    #[test]
    fn a_replaced_unit_keeps_its_place_and_a_removed_one_comes_back_last() {
        let mut accepted = Accepted::default();
        let all = ["a", "b", "c"].map(|it| unit(it, Act::Load, "1")).to_vec();
        apply(&mut accepted, all);
        apply(
            &mut accepted,
            vec![unit("c", Act::Replace, "2"), unit("a", Act::Replace, "2")],
        );
        assert_eq!(texts(&accepted), [("a", "2"), ("b", "1"), ("c", "2")]);
        apply(&mut accepted, vec![unit("a", Act::Remove, "")]);
        apply(&mut accepted, vec![unit("a", Act::Load, "3")]);
        assert_eq!(texts(&accepted), [("b", "1"), ("c", "2"), ("a", "3")]);
    }

    #[test]
    fn batches_keep_the_order_and_their_size() {
        let mut accepted = Accepted::default();
        let units = (0..10)
            .map(|it| unit(&format!("m{it}"), Act::Replace, "12345"))
            .collect();
        apply(&mut accepted, units);
        let batches = accepted.batches(12);
        assert!(batches.iter().all(|it| (1..=2).contains(&it.len())));
        let names: Vec<_> = batches.iter().flatten().map(|it| it.name.clone()).collect();
        assert_eq!(
            names,
            (0..10).map(|it| format!("m{it}")).collect::<Vec<_>>()
        );
        assert!(batches.iter().flatten().all(|it| it.act == Act::Load));
        assert_eq!(
            accepted.batches(1).len(),
            10,
            "a text over the limit still travels, alone"
        );
    }
}
