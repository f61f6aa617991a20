//! Graph and plan against naive models on random graphs, cycles included, and the cost of a save in a large project.

use std::collections::{BTreeMap, BTreeSet};

use hotsave_engine::{
    graph::Graph,
    plan::{Act, Plan, Step, Units, plan},
};
use proptest::{prelude::*, sample::subsequence};

const N: u32 = 12;

/// Per unit what it needs while loading and later.
type Edges = BTreeMap<u32, (Vec<u32>, Vec<u32>)>;

#[derive(Clone, Debug)]
enum Edit {
    Set(u32, Vec<u32>, Vec<u32>),
    Remove(u32),
}

fn targets() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..N, 0..4)
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        5 => (0..N, targets(), targets()).prop_map(|(from, load, late)| Edit::Set(from, load, late)),
        1 => (0..N).prop_map(Edit::Remove),
    ];
    prop::collection::vec(edit, 0..40)
}

fn some_units() -> impl Strategy<Value = Vec<u32>> {
    subsequence((0..N).collect::<Vec<_>>(), 0..5)
}

fn without_repeats(list: &[u32]) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    list.iter().copied().filter(|&it| seen.insert(it)).collect()
}

fn naive(edits: &[Edit]) -> Edges {
    let mut edges = Edges::new();
    for edit in edits {
        match edit {
            Edit::Set(from, load, late) => {
                edges.insert(*from, (without_repeats(load), without_repeats(late)));
            }
            Edit::Remove(node) => {
                edges.remove(node);
                for (load, late) in edges.values_mut() {
                    load.retain(|it| it != node);
                    late.retain(|it| it != node);
                }
            }
        }
    }
    edges
}

fn incremental(edits: &[Edit]) -> Graph {
    let mut graph = Graph::new();
    for edit in edits {
        match edit {
            Edit::Set(from, load, late) => graph.set_edges(*from, load, late),
            Edit::Remove(node) => graph.remove(*node),
        }
    }
    graph
}

fn needs(edges: &Edges, unit: u32) -> &[u32] {
    edges.get(&unit).map_or(&[], |(load, _)| load)
}

/// Whether `from` needs `to` over one or more load edges between units of `within`.
fn needs_at_any_distance(edges: &Edges, within: &BTreeSet<u32>, from: u32, to: u32) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(unit) = open.pop() {
        for &it in needs(edges, unit).iter().filter(|it| within.contains(it)) {
            if it == to {
                return true;
            }
            if seen.insert(it) {
                open.push(it);
            }
        }
    }
    false
}

/// Adds units to `changed` for as long as one of the others hears from it; `hears(unit, dependency)`.
fn naive_closure(
    edges: &Edges,
    changed: &[u32],
    hears: impl Fn(u32, u32) -> bool,
) -> BTreeSet<u32> {
    let mut reached: BTreeSet<u32> = changed.iter().copied().collect();
    loop {
        let mut more = (0..N).filter(|unit| {
            let news = |it: &u32| reached.contains(it) && hears(*unit, *it);
            !reached.contains(unit) && needs(edges, *unit).iter().any(news)
        });
        let Some(unit) = more.next() else {
            return reached;
        };
        reached.insert(unit);
    }
}

/// A load order that differs from the numbers.
fn load_order(unit: u32) -> u64 {
    u64::from(unit * 7 % N)
}

#[derive(Debug)]
struct Host {
    absent: Vec<u32>,
    pinned: Vec<u32>,
    accepts: Vec<(u32, u32)>,
}

impl Units for Host {
    fn is_loaded(&self, unit: u32) -> bool {
        !self.absent.contains(&unit)
    }

    fn is_wanted(&self, _: u32) -> bool {
        true
    }

    fn load_order(&self, unit: u32) -> u64 {
        load_order(unit)
    }

    fn accepts(&self, unit: u32, dependency: u32) -> bool {
        self.accepts.contains(&(unit, dependency))
    }

    fn is_pinned(&self, unit: u32) -> bool {
        self.pinned.contains(&unit)
    }
}

fn hosts() -> impl Strategy<Value = Host> {
    let accepts = prop::collection::vec((0..N, 0..N), 0..12);
    (some_units(), some_units(), accepts).prop_map(|(absent, pinned, accepts)| Host {
        absent,
        pinned,
        accepts,
    })
}

fn units_of(steps: &[Step]) -> Vec<u32> {
    steps.iter().map(|it| it.unit).collect()
}

/// Each unit once, dependencies first, components numbered and whole, load order inside.
fn check_order(edges: &Edges, plan: &Plan) -> Result<(), TestCaseError> {
    let (removals, runs): (Vec<Step>, Vec<Step>) =
        plan.steps.iter().partition(|it| it.act == Act::Remove);
    prop_assert_eq!(
        &plan.steps,
        &[removals, runs.clone()].concat(),
        "removals first"
    );
    let all: BTreeSet<u32> = units_of(&plan.steps).into_iter().collect();
    prop_assert_eq!(all.len(), plan.steps.len(), "a unit stands there twice");
    prop_assert!(plan.steps.is_sorted_by_key(|it| it.scc));
    let within: BTreeSet<u32> = units_of(&runs).into_iter().collect();
    for (place, step) in runs.iter().enumerate() {
        for earlier in &runs[..place] {
            if earlier.scc == step.scc {
                prop_assert!(load_order(earlier.unit) < load_order(step.unit));
            } else {
                prop_assert!(
                    !needs(edges, earlier.unit).contains(&step.unit),
                    "{} needs {}",
                    earlier.unit,
                    step.unit
                );
            }
            let is_cycle = needs_at_any_distance(edges, &within, earlier.unit, step.unit)
                && needs_at_any_distance(edges, &within, step.unit, earlier.unit);
            prop_assert!(
                !is_cycle || earlier.scc == step.scc,
                "a cycle in two components"
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_edited_graph_answers_as_a_rebuilt_one(edits in edits()) {
        let edges = naive(&edits);
        let graph = incremental(&edits);
        for unit in 0..N {
            let (load, late) = edges.get(&unit).cloned().unwrap_or_default();
            prop_assert_eq!(graph.dependencies(unit), load);
            prop_assert_eq!(graph.late_dependencies(unit), late);
            let by = |late: bool| -> Vec<u32> {
                let needs = |lists: &(Vec<u32>, Vec<u32>)| if late { lists.1.contains(&unit) } else { lists.0.contains(&unit) };
                edges.iter().filter(|(_, lists)| needs(lists)).map(|(it, _)| *it).collect()
            };
            prop_assert_eq!(graph.dependents(unit), by(false));
            prop_assert_eq!(graph.late_dependents(unit), by(true));
        }
    }

    #[test]
    fn closure_is_what_the_news_reaches(edits in edits(), changed in some_units(), stops in some_units()) {
        let edges = naive(&edits);
        let found = incremental(&edits).closure(&changed, |it| stops.contains(&it));
        let passes = |it: u32| changed.contains(&it) || !stops.contains(&it);
        let expected = naive_closure(&edges, &changed, |_, dependency| passes(dependency));
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn components_are_the_cycles_in_a_valid_order(
        edits in edits(),
        nodes in subsequence((0..N).collect::<Vec<_>>(), 0..=N as usize),
    ) {
        let edges = naive(&edits);
        let graph = incremental(&edits);
        let components = graph.components(&nodes, load_order);
        let within: BTreeSet<u32> = nodes.iter().copied().collect();
        let together = |a: u32, b: u32| a == b
            || needs_at_any_distance(&edges, &within, a, b) && needs_at_any_distance(&edges, &within, b, a);
        let mut place = BTreeMap::new();
        for (nth, component) in components.iter().enumerate() {
            place.extend(component.iter().map(|it| (*it, nth)));
        }
        prop_assert_eq!(components.iter().map(Vec::len).sum::<usize>(), nodes.len());
        for &a in &nodes {
            for &b in &nodes {
                prop_assert_eq!(place[&a] == place[&b], together(a, b));
                prop_assert!(!needs(&edges, a).contains(&b) || place[&b] <= place[&a], "{a} needs {b}");
            }
        }
        let mut reversed = nodes;
        reversed.reverse();
        prop_assert_eq!(graph.components(&reversed, load_order), components);
    }

    #[test]
    fn without_boundaries_everything_loaded_that_hears_runs(
        edits in edits(),
        changed in some_units(),
        absent in some_units(),
    ) {
        let edges = naive(&edits);
        let host = Host { absent, pinned: vec![], accepts: vec![] };
        let plan = plan(&incremental(&edits), &changed, &[], &host);
        let (unloaded, replaced): (Vec<u32>, Vec<u32>) = changed.iter().partition(|it| host.absent.contains(it));
        let mut expected = naive_closure(&edges, &replaced, |unit, _| host.is_loaded(unit));
        expected.extend(unloaded);
        prop_assert_eq!(units_of(&plan.steps).into_iter().collect::<BTreeSet<_>>(), expected);
        for step in &plan.steps {
            let act = match (changed.contains(&step.unit), host.is_loaded(step.unit)) {
                (true, true) => Act::Replace,
                (true, false) => Act::Load,
                (false, _) => Act::Rerun,
            };
            prop_assert_eq!(step.act, act);
        }
        check_order(&edges, &plan)?;
    }

    /// In a graph without cycles a boundary is a matter of single edges, and the naive closure knows them all.
    #[test]
    fn boundaries_end_the_cascade(edits in edits(), changed in some_units(), host in hosts()) {
        let downward = |list: Vec<u32>, from: u32| list.into_iter().filter(|&it| it < from).collect();
        let edits: Vec<Edit> = edits.into_iter().map(|it| match it {
            Edit::Set(from, load, late) => Edit::Set(from, downward(load, from), late),
            it @ Edit::Remove(_) => it,
        }).collect();
        let edges = naive(&edits);
        let plan = plan(&incremental(&edits), &changed, &[], &host);
        let (running, loading): (Vec<u32>, Vec<u32>) = changed.iter().partition(|&&it| host.is_loaded(it));
        let replaced: Vec<u32> = running.iter().copied().filter(|&it| !host.is_pinned(it)).collect();
        let mut expected = naive_closure(&edges, &replaced, |unit, dependency| {
            host.is_loaded(unit) && !host.is_pinned(unit) && !host.accepts(unit, dependency)
        });
        let hears_of_it = |it: &u32| {
            let hears = needs(&edges, *it).iter().any(|it| expected.contains(it));
            hears && host.is_loaded(*it) && !expected.contains(it)
        };
        prop_assert_eq!(&plan.ends_at, &(0..N).filter(hears_of_it).collect::<Vec<_>>());
        expected.extend(loading);
        prop_assert_eq!(units_of(&plan.steps).into_iter().collect::<BTreeSet<_>>(), expected);
        check_order(&edges, &plan)?;
    }

    /// With cycles a boundary may end more than its own edge, never less; a changed or removed unit is never lost.
    #[test]
    fn boundaries_in_cycles_only_make_a_plan_smaller(
        edits in edits(),
        changed in some_units(),
        removed in some_units(),
        host in hosts(),
    ) {
        let edges = naive(&edits);
        let plan = plan(&incremental(&edits), &changed, &removed, &host);
        let edgewise = naive_closure(&edges, &changed, |unit, dependency| {
            !host.is_pinned(unit) && !host.accepts(unit, dependency)
        });
        for step in &plan.steps {
            match step.act {
                Act::Remove => prop_assert!(removed.contains(&step.unit) && host.is_loaded(step.unit)),
                Act::Rerun => prop_assert!(edgewise.contains(&step.unit) && !host.is_pinned(step.unit)),
                Act::Load | Act::Replace => prop_assert!(changed.contains(&step.unit)),
            }
        }
        let accounted: BTreeSet<u32> = units_of(&plan.steps).into_iter().chain(plan.pinned.clone()).collect();
        prop_assert!(changed.iter().all(|it| accounted.contains(it) || removed.contains(it)));
        prop_assert!(removed.iter().all(|it| accounted.contains(it) || !host.is_loaded(*it)));
        check_order(&edges, &plan)?;
    }
}

/// Counts what it is asked, so that "the cost follows what is affected" is a number and not a stopwatch.
#[derive(Default)]
struct Counting {
    questions: std::cell::Cell<usize>,
}

impl Counting {
    fn count<T>(&self, answer: T) -> T {
        self.questions.set(self.questions.get() + 1);
        answer
    }
}

impl Units for Counting {
    fn is_loaded(&self, _: u32) -> bool {
        self.count(true)
    }

    fn is_wanted(&self, _: u32) -> bool {
        self.count(false)
    }

    fn load_order(&self, unit: u32) -> u64 {
        self.count(unit.into())
    }

    fn accepts(&self, _: u32, _: u32) -> bool {
        self.count(false)
    }

    fn is_pinned(&self, _: u32) -> bool {
        self.count(false)
    }
}

#[test]
fn a_plan_asks_about_the_affected_units_only() {
    let mut graph = Graph::new();
    for unit in 20..10_000 {
        // Twenty hubs of five hundred dependents, which themselves nobody needs.
        graph.set_edges(unit, &[unit % 20], &[unit - 1]);
    }
    let leaf = Counting::default();
    assert_eq!(plan(&graph, &[5_000], &[], &leaf).steps.len(), 1);
    assert!(
        leaf.questions.get() < 20,
        "{} questions for a leaf",
        leaf.questions.get()
    );
    let hub = Counting::default();
    assert_eq!(plan(&graph, &[7], &[], &hub).steps.len(), 500);
    assert!(
        hub.questions.get() < 20 * 500,
        "{} questions for a hub",
        hub.questions.get()
    );
}
