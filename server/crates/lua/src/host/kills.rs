//! Which texts had the host killed, and how often: three times, and they wait until they change (9.3).
//!
//! Nobody can say which of several texts hung the host, so a *set* of changed texts is counted. It holds back every
//! update that contains the whole set, and counts for nothing as soon as one of its texts is another.

use std::collections::BTreeSet;

use crate::wire::{Act, Update};

/// So many kills, and a set of texts waits.
const MAX_KILLS: u32 = 3;

/// Unit name and content hash of a text.
type Text = (String, String);

/// Sets of texts that had the host killed, each with its count. Short: sets whose texts have changed are dropped.
#[derive(Debug, Default)]
pub(super) struct Kills {
    sets: Vec<(BTreeSet<Text>, u32)>,
}

impl Kills {
    /// The host was killed while it worked on `update`.
    pub(super) fn count(&mut self, update: &Update) {
        let texts = changed(update);
        match self.sets.iter_mut().find(|(set, _)| *set == texts) {
            Some((_, n_kills)) => *n_kills += 1,
            None => self.sets.push((texts, 1)),
        }
    }

    /// The host answered `update`: its texts are acquitted together, and sets that hold an older version of one go.
    pub(super) fn clear(&mut self, update: &Update) {
        let texts = changed(update);
        self.sets.retain(|(set, _)| {
            let is_older =
                |(name, hash): &Text| texts.iter().any(|it| it.0 == *name && it.1 != *hash);
            *set != texts && !set.iter().any(is_older)
        });
    }

    /// A unit whose text must wait, if `update` brings a set that was killed too often.
    pub(super) fn blocked(&self, update: &Update) -> Option<String> {
        let texts = changed(update);
        let (set, _) = self
            .sets
            .iter()
            .find(|(set, n_kills)| *n_kills >= MAX_KILLS && set.is_subset(&texts))?;
        set.first().map(|(name, _)| name.clone())
    }
}

/// The texts that an update brings; all of it if it brings none.
fn changed(update: &Update) -> BTreeSet<Text> {
    let texts = |is_in: fn(Act) -> bool| -> BTreeSet<Text> {
        let units = update.units.iter().filter(|it| is_in(it.act));
        units.map(|it| (it.name.clone(), it.hash.clone())).collect()
    };
    let brought = texts(|act| matches!(act, Act::Load | Act::Replace));
    if brought.is_empty() {
        texts(|_| true)
    } else {
        brought
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Unit;

    fn update(texts: &[(&str, &str)]) -> Update {
        let unit = |&(name, hash): &(&str, &str)| Unit {
            name: name.into(),
            hash: hash.into(),
            act: Act::Replace,
            ..Unit::default()
        };
        Update {
            units: texts.iter().map(unit).collect(),
            ..Update::default()
        }
    }

    #[test]
    fn a_text_waits_after_three_kills_until_it_changes() {
        let mut kills = Kills::default();
        for _ in 0..2 {
            kills.count(&update(&[("a", "1")]));
            assert_eq!(kills.blocked(&update(&[("a", "1")])), None);
        }
        kills.count(&update(&[("a", "1")]));
        assert_eq!(kills.blocked(&update(&[("a", "1")])), Some("a".into()));
        assert_eq!(
            kills.blocked(&update(&[("b", "7"), ("a", "1")])),
            Some("a".into()),
            "nor together with others"
        );
        assert_eq!(kills.blocked(&update(&[("a", "2")])), None);
        kills.clear(&update(&[("a", "2")]));
        assert_eq!(
            kills.blocked(&update(&[("a", "1")])),
            None,
            "an undo is a change too"
        );
    }

    #[test]
    fn innocents_saved_together_with_the_culprit_are_free_once_it_is_mended() {
        let mut kills = Kills::default();
        for _ in 0..3 {
            kills.count(&update(&[("a", "1"), ("b", "1")]));
        }
        assert_eq!(
            kills.blocked(&update(&[("a", "1"), ("b", "1")])),
            Some("a".into())
        );
        assert_eq!(kills.blocked(&update(&[("a", "2"), ("b", "1")])), None);
        assert_eq!(kills.blocked(&update(&[("b", "1")])), None);
    }
}
