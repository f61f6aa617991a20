//! Intake, slot and generations: whatever the order of the messages, each save counts once and nothing stale shows.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use hotsave_engine::{
    change::{Admission, Change, Content, Intake, Source},
    generation::{Generation, Newest},
    slot::{Slot, Ticket},
    text::SourceText,
};
use proptest::prelude::*;

/// Three tellers, each reporting every save in order but at its own pace: `true` moves this teller on by one save.
fn interleaving() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..3, 0..60)
}

fn report(text: usize, source: Source) -> Change {
    Change {
        path: Arc::from(Path::new("/p/a.lua")),
        content: Content::Text(SourceText::new(text.to_string().into_bytes())),
        source,
    }
}

#[derive(Clone, Debug)]
enum Move {
    Request,
    Start,
    /// The host answers for the run with this place in the history, the current one or a past one.
    Answer(prop::sample::Index),
    Abandon,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let any_move = prop_oneof![
        3 => Just(Move::Request),
        3 => Just(Move::Start),
        3 => any::<prop::sample::Index>().prop_map(Move::Answer),
        1 => Just(Move::Abandon),
    ];
    prop::collection::vec(any_move, 0..80)
}

proptest! {
    /// Watchers read the disk when they are heard, so they tell the newest text; the editor tells each of its saves.
    #[test]
    fn each_save_is_admitted_once_in_every_order(turns in interleaving()) {
        let mut intake = Intake::new();
        let (mut on_disk, mut told, mut unseen) = (0, 0, [false; 2]);
        let mut admitted: BTreeMap<usize, usize> = BTreeMap::new();
        let mut hear = |text: usize, source| match intake.admit(report(text, source)) {
            Admission::Admitted(_) => { *admitted.entry(text).or_default() += 1; true }
            Admission::Echo => true,
            Admission::Same => false,
        };
        for turn in turns {
            match turn {
                // The editor writes, and its message about the write before is through by then.
                0 if on_disk == told => { on_disk += 1; unseen = [true; 2]; }
                0 => { told = on_disk; prop_assert!(hear(told, Source::Save), "a real save was taken for an empty one"); }
                watcher => if std::mem::take(&mut unseen[watcher - 1]) {
                    prop_assert!(hear(on_disk, Source::Watcher));
                }
            }
        }
        if told != on_disk {
            hear(on_disk, Source::Save);
        }
        prop_assert_eq!(admitted, (1..=on_disk).map(|it| (it, 1)).collect());
    }

    /// Every request runs in exactly one run, in order, one run at a time; only the running one may answer, and what was
    /// published never goes back in time.
    #[test]
    fn no_request_is_lost_and_no_stale_result_is_published(moves in moves()) {
        let mut slot: Slot<Vec<u64>> = Slot::new();
        let mut newest = Newest::new();
        let mut asked = 0;
        let mut ran: Vec<u64> = Vec::new();
        let mut history: Vec<(Ticket, Generation)> = Vec::new();
        let mut is_running = false;
        let mut published = Vec::new();
        for it in moves {
            match it {
                Move::Request => {
                    asked += 1;
                    slot.request(format!("request {asked}"), vec![asked], |older, newer| [older, newer].concat());
                }
                Move::Start => {
                    let has_waiting = slot.waiting().is_some();
                    let started = slot.start();
                    prop_assert_eq!(started.is_some(), has_waiting && !is_running);
                    if let Some(started) = started {
                        prop_assert_eq!(started.cause, format!("request {asked}"));
                        ran.extend(started.request);
                        history.push((started.ticket, Generation::new(history.len() as u64 + 1)));
                        is_running = true;
                    }
                }
                Move::Answer(_) if history.is_empty() => {}
                Move::Answer(which) => {
                    let place = which.index(history.len());
                    let (ticket, generation) = history[place];
                    let is_current = slot.finish(ticket);
                    prop_assert_eq!(is_current, is_running && place + 1 == history.len());
                    if is_current {
                        is_running = false;
                        prop_assert!(newest.admit("lua", generation));
                        published.push(generation);
                    }
                }
                Move::Abandon => {
                    prop_assert_eq!(slot.abandon(), is_running);
                    is_running = false;
                }
            }
            prop_assert_eq!(slot.is_running(), is_running);
        }
        prop_assert!(published.is_sorted_by(|a, b| a < b));
        ran.extend(slot.withdraw().map(|(_, it)| it).unwrap_or_default());
        prop_assert_eq!(ran, (1..=asked).collect::<Vec<_>>());
    }
}
