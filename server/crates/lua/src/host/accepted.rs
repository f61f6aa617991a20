//! What a host runs, as the server remembers it: the accepted texts in load order and the state that differs from them.
//!
//! Enough to bring a fresh process to the same point (Lua specification, 9.3); sends nothing itself.
//! Must stay true: a unit keeps its place when its text changes, so that a rebuild loads in the original order; of two
//! reports about one unit's state only the later counts.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::wire::{Act, Content, DoneUnit, Journal, Unit, Update};

/// Texts and state of one host. Cost of each call follows the units in the update, not the units loaded; only state
/// reports are looked through as a whole.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    units: BTreeMap<u64, Unit>,
    places: HashMap<String, u64>,
    next_place: u64,
    /// State reports that still say something, oldest first.
    dirty: Vec<Content>,
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

    /// Takes over what an applied update brought.
    ///
    /// *Shape*: `done` tells which units ran, `dirty` holds the slots of touched units whose value differs from the
    /// base, its roots named `unit:path`.
    pub(super) fn apply(&mut self, update: Update, done: &[DoneUnit], dirty: Option<&Content>) {
        let ran = done.iter().filter(|it| it.ran).map(|it| it.name.clone());
        let mut touched: HashSet<String> = ran.collect();
        for unit in update.units {
            match unit.act {
                Act::Remove => {
                    self.forget(&unit.name);
                    touched.insert(unit.name);
                }
                Act::Load | Act::Replace | Act::Rerun => self.insert(unit),
            }
        }
        match (update.journal, dirty) {
            (Journal::All, Some(_)) => self.dirty.clear(),
            (Journal::Units(units), Some(_)) => touched.extend(units),
            (_, None) => {}
        }
        self.report(touched, dirty);
    }

    /// Takes over a state report: what earlier ones said of the same units no longer counts.
    pub(super) fn report(&mut self, mut touched: HashSet<String>, dirty: Option<&Content>) {
        touched.extend(dirty.into_iter().flat_map(root_units).map(str::to_owned));
        self.dirty.retain_mut(|earlier| {
            if let Some(roots) = earlier.get_mut("roots").and_then(Value::as_object_mut) {
                roots.retain(|root, _| !touched.contains(unit_of(root)));
            }
            root_units(earlier).next().is_some()
        });
        self.dirty
            .extend(dirty.filter(|it| root_units(it).next().is_some()).cloned());
    }

    /// State to restore, in this order.
    pub(super) fn dirty(&self) -> &[Content] {
        &self.dirty
    }

    /// Forgets one unit, its state included.
    pub(super) fn forget(&mut self, unit: &str) {
        if let Some(place) = self.places.remove(unit) {
            self.units.remove(&place);
        }
        self.report(HashSet::from([unit.to_owned()]), None);
    }

    /// Forgets everything; gives the names of what was known, in load order.
    pub(super) fn clear(&mut self) -> Vec<String> {
        let units = std::mem::take(self).units;
        units.into_values().map(|it| it.name).collect()
    }

    /// The accepted texts as first loads, cut into batches of about `max_bytes` of source, in load order.
    pub(super) fn batches(&self, max_bytes: usize) -> Vec<Vec<Unit>> {
        let mut batches: Vec<Vec<Unit>> = Vec::new();
        let mut n_bytes = usize::MAX;
        for unit in self.units.values() {
            let size = [&unit.text, &unit.text64]
                .into_iter()
                .flatten()
                .map(String::len)
                .sum::<usize>();
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

/// The units a state report speaks of, once per root.
fn root_units(content: &Content) -> impl Iterator<Item = &str> {
    let roots = content.get("roots").and_then(Value::as_object);
    roots
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .map(|it| unit_of(it))
}

/// The unit of a root such as `app.shell:scroll`.
fn unit_of(root: &str) -> &str {
    root.split_once(':').map_or(root, |(unit, _)| unit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unit(name: &str, act: Act, text: &str) -> Unit {
        Unit {
            name: name.into(),
            act,
            text: Some(text.into()),
            ..Unit::default()
        }
    }

    fn apply(accepted: &mut Accepted, units: Vec<Unit>, ran: &[&str], dirty: Option<Value>) {
        let done: Vec<_> = ran
            .iter()
            .map(|it| DoneUnit {
                name: (*it).into(),
                ran: true,
                ..DoneUnit::default()
            })
            .collect();
        accepted.apply(
            Update {
                units,
                ..Update::default()
            },
            &done,
            dirty.as_ref(),
        );
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
        apply(&mut accepted, all, &[], None);
        apply(
            &mut accepted,
            vec![unit("c", Act::Replace, "2"), unit("a", Act::Replace, "2")],
            &[],
            None,
        );
        assert_eq!(texts(&accepted), [("a", "2"), ("b", "1"), ("c", "2")]);
        apply(&mut accepted, vec![unit("a", Act::Remove, "")], &[], None);
        apply(&mut accepted, vec![unit("a", Act::Load, "3")], &[], None);
        assert_eq!(texts(&accepted), [("b", "1"), ("c", "2"), ("a", "3")]);
    }

    #[test]
    fn a_later_state_report_replaces_what_was_said_of_the_same_unit_only() {
        let mut accepted = Accepted::default();
        let first = json!({"v": 1, "roots": {"a:n": 1, "a:m": 2, "b:n": 3}, "tables": []});
        apply(&mut accepted, Vec::new(), &["a", "b"], Some(first));
        apply(
            &mut accepted,
            Vec::new(),
            &["a"],
            Some(json!({"v": 1, "roots": {"a:n": 9}, "tables": []})),
        );
        let roots: Vec<_> = accepted
            .dirty()
            .iter()
            .map(|it| it["roots"].clone())
            .collect();
        assert_eq!(roots, [json!({"b:n": 3}), json!({"a:n": 9})]);
        apply(&mut accepted, Vec::new(), &["b"], None);
        assert_eq!(accepted.dirty().len(), 1, "b ran and is clean now");
        apply(&mut accepted, vec![unit("a", Act::Remove, "")], &[], None);
        assert_eq!(accepted.dirty().len(), 0);
    }

    #[test]
    fn batches_keep_the_order_and_their_size() {
        let mut accepted = Accepted::default();
        let units = (0..10)
            .map(|it| unit(&format!("m{it}"), Act::Replace, "12345"))
            .collect();
        apply(&mut accepted, units, &[], None);
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
