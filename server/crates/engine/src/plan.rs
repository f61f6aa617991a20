//! Plan: which units a change set touches, what happens to each, and in which order.
//!
//! Knows no Lua and runs nothing: units are nodes of the graph, and what a host knows of them is asked of [`Units`].
//! Must stay true: a unit stands in a plan at most once, and after every unit of another component that it needs.

use std::collections::{HashMap, HashSet};

use crate::graph::Graph;

/// What happens to a unit (Lua specification, 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Its file is gone.
    Remove,
    /// Loaded for the first time.
    Load,
    /// Its text changed.
    Replace,
    /// Its text is the same, something it needs while loading is not.
    Rerun,
}

/// One unit's part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The unit, a node of the graph.
    pub unit: u32,
    /// What happens to it.
    pub act: Act,
    /// Its component; ascending along the plan, equal for units that need one another.
    pub scc: u32,
}

/// Everything a change set touches. The cascade is an upper bound: a host may find at a unit's turn that nothing it
/// took has changed (Lua specification, 4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In execution order: removals, last loaded first; then dependencies before dependents.
    pub steps: Vec<Step>,
    /// Units at which the cascade ended, accepting or pinned, ascending; they do not run.
    pub ends_at: Vec<u32>,
    /// Changed units that may not be reloaded, ascending: this generation is `needsRestart`.
    pub pinned: Vec<u32>,
    /// Changed units that are not loaded and not to be, ascending: `notLoaded`.
    pub not_loaded: Vec<u32>,
}

/// What a host knows of its units.
pub trait Units {
    /// Whether the unit lives in the host.
    fn is_loaded(&self, unit: u32) -> bool;

    /// Whether a change of this unit, not loaded so far, is a reason to load it.
    fn is_wanted(&self, unit: u32) -> bool;

    /// The order in which units first loaded, ascending; only compared.
    fn load_order(&self, unit: u32) -> u64;

    /// Whether the unit takes new versions of `dependency` without running again.
    fn accepts(&self, unit: u32, dependency: u32) -> bool {
        let _ = (unit, dependency);
        false
    }

    /// Whether the unit must never run again.
    fn is_pinned(&self, unit: u32) -> bool {
        let _ = unit;
        false
    }
}

/// Plans a change set.
///
/// `changed`: units whose code differs from the running one, or whose requires lead elsewhere now; `removed`: units whose
/// file is gone. The graph is the new one: an edge goes only together with the text of the unit it leaves, and that unit
/// is in `changed`.
/// The news of a unit reaches those loaded units that need it while loading, except over an accepted edge and into a
/// pinned unit. If the cascade ended at a member of a cycle, it ended for the cycle: its members that were merely reached
/// run, but pass nothing on to others.
/// *Source*: Lua specification, 4.4.
#[must_use]
pub fn plan(graph: &Graph, changed: &[u32], removed: &[u32], units: &impl Units) -> Plan {
    let removed: HashSet<u32> = removed.iter().copied().collect();
    let mut changed: Vec<u32> = changed
        .iter()
        .copied()
        .filter(|it| !removed.contains(it))
        .collect();
    changed.sort_unstable();
    changed.dedup();
    let (loaded, absent): (Vec<u32>, Vec<u32>) =
        changed.into_iter().partition(|&it| units.is_loaded(it));
    let (pinned, replaced): (Vec<u32>, Vec<u32>) =
        loaded.into_iter().partition(|&it| units.is_pinned(it));
    let (wanted, not_loaded): (Vec<u32>, Vec<u32>) =
        absent.into_iter().partition(|&it| units.is_wanted(it));

    let mut candidates = graph.closure(&replaced, |it| !units.is_loaded(it));
    candidates.retain(|&it| units.is_loaded(it) && !removed.contains(&it));
    candidates.extend(&wanted);
    let components = graph.components(&candidates, |it| units.load_order(it));

    let mut cascade = Cascade {
        graph,
        units,
        acts: HashMap::new(),
        silent: HashSet::new(),
        ends_at: HashSet::new(),
    };
    cascade
        .acts
        .extend(replaced.iter().map(|&it| (it, Act::Replace)));
    cascade
        .acts
        .extend(wanted.iter().map(|&it| (it, Act::Load)));
    for component in &components {
        cascade.pass_through(component);
    }

    let mut gone: Vec<u32> = removed
        .into_iter()
        .filter(|&it| units.is_loaded(it))
        .collect();
    gone.sort_by_cached_key(|&it| std::cmp::Reverse((units.load_order(it), it)));
    let removals = gone.into_iter().map(|it| vec![(it, Act::Remove)]);
    let runs = components.iter().map(|component| {
        let acts = component
            .iter()
            .filter_map(|it| Some((*it, *cascade.acts.get(it)?)));
        acts.collect::<Vec<_>>()
    });
    let groups = removals.chain(runs).filter(|group| !group.is_empty());
    let steps = (0..)
        .zip(groups)
        .flat_map(|(scc, group)| {
            group
                .into_iter()
                .map(move |(unit, act)| Step { unit, act, scc })
        })
        .collect();
    let mut ends_at: Vec<u32> = cascade.ends_at.into_iter().collect();
    ends_at.sort_unstable();
    Plan {
        steps,
        ends_at,
        pinned,
        not_loaded,
    }
}

/// The news of changed units on its way through the components, dependencies first.
struct Cascade<'a, U> {
    graph: &'a Graph,
    units: &'a U,
    acts: HashMap<u32, Act>,
    /// Units that run but whose news nobody outside their component hears.
    silent: HashSet<u32>,
    ends_at: HashSet<u32>,
}

impl<U: Units> Cascade<'_, U> {
    fn pass_through(&mut self, component: &[u32]) {
        let members: HashSet<u32> = component.iter().copied().collect();
        let mut to_ask: Vec<u32> = component.to_vec();
        // A member is asked again when another one that it needs turns out to run.
        while let Some(unit) = to_ask.pop() {
            if self.must_rerun(unit) {
                self.acts.insert(unit, Act::Rerun);
                let dependents = self.graph.dependents(unit).iter().copied();
                to_ask.extend(dependents.filter(|it| members.contains(it)));
            }
        }
        let is_end = |&it: &u32| !self.acts.contains_key(&it) && self.news(it).next().is_some();
        let ends: Vec<u32> = component.iter().copied().filter(is_end).collect();
        if !ends.is_empty() {
            let is_rerun = |it: &u32| self.acts.get(it) == Some(&Act::Rerun);
            let rerun = component.iter().copied().filter(is_rerun);
            self.silent.extend(rerun);
        }
        self.ends_at.extend(ends);
    }

    /// Whether news reaches a unit with nothing to do so far, and it cannot keep that out.
    fn must_rerun(&self, unit: u32) -> bool {
        let hears = || self.news(unit).any(|it| !self.units.accepts(unit, it));
        !self.acts.contains_key(&unit) && !self.units.is_pinned(unit) && hears()
    }

    /// The dependencies that have news for the unit; one that loads for the first time has none.
    fn news(&self, unit: u32) -> impl Iterator<Item = u32> {
        let dependencies = self.graph.dependencies(unit).iter().copied();
        dependencies.filter(|it| {
            let runs_anew = matches!(self.acts.get(it), Some(Act::Replace | Act::Rerun));
            runs_anew && !self.silent.contains(it)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Host {
        absent: Vec<u32>,
        wanted: Vec<u32>,
        pinned: Vec<u32>,
        accepts: Vec<(u32, u32)>,
    }

    impl Units for Host {
        fn is_loaded(&self, unit: u32) -> bool {
            !self.absent.contains(&unit)
        }

        fn is_wanted(&self, unit: u32) -> bool {
            self.wanted.contains(&unit)
        }

        fn load_order(&self, unit: u32) -> u64 {
            unit.into()
        }

        fn accepts(&self, unit: u32, dependency: u32) -> bool {
            self.accepts.contains(&(unit, dependency))
        }

        fn is_pinned(&self, unit: u32) -> bool {
            self.pinned.contains(&unit)
        }
    }

    fn graph(edges: &[(u32, &[u32])]) -> Graph {
        let mut graph = Graph::new();
        for (unit, dependencies) in edges {
            graph.set_edges(*unit, dependencies, &[]);
        }
        graph
    }

    /// A plan as one line: `=` replace, `~` rerun, `+` load, `-` remove, `|` between components.
    fn show(plan: &Plan) -> String {
        let mut line = String::new();
        let mut scc = 0;
        for step in &plan.steps {
            if step.scc != scc {
                line.push('|');
                scc = step.scc;
            }
            line.push(match step.act {
                Act::Remove => '-',
                Act::Load => '+',
                Act::Replace => '=',
                Act::Rerun => '~',
            });
            line.push_str(&step.unit.to_string());
        }
        line
    }

    #[test]
    fn a_diamond_runs_each_once_dependencies_first() {
        let graph = graph(&[(1, &[0]), (2, &[0]), (3, &[1, 2])]);
        let plan = plan(&graph, &[0], &[], &Host::default());
        assert_eq!(show(&plan), "=0|~1|~2|~3");
    }

    #[test]
    fn units_changed_together_are_one_plan() {
        let graph = graph(&[(1, &[0]), (2, &[1])]);
        let plan = plan(&graph, &[1, 0, 1], &[], &Host::default());
        assert_eq!(show(&plan), "=0|=1|~2");
    }

    #[test]
    fn a_cycle_is_one_component_in_load_order() {
        let graph = graph(&[(0, &[1]), (1, &[2]), (2, &[0]), (3, &[1])]);
        let plan = plan(&graph, &[1], &[], &Host::default());
        assert_eq!(show(&plan), "~0=1~2|~3");
    }

    #[test]
    fn removals_come_first_last_loaded_first() {
        let graph = graph(&[(1, &[0])]);
        let host = Host {
            absent: vec![4],
            ..Host::default()
        };
        let plan = plan(&graph, &[0, 2], &[2, 3, 4], &host);
        assert_eq!(show(&plan), "-3|-2|=0|~1", "4 was never loaded");
    }

    #[test]
    fn only_loaded_units_run_unless_wanted() {
        let graph = graph(&[(1, &[0]), (2, &[1]), (4, &[0])]);
        let host = Host {
            absent: vec![1, 4, 5],
            wanted: vec![4],
            ..Host::default()
        };
        let plan = plan(&graph, &[0, 4, 5], &[], &host);
        assert_eq!(
            show(&plan),
            "=0|+4",
            "1 is not loaded, so nothing passes through it"
        );
        assert_eq!(plan.not_loaded, [5]);
    }

    #[test]
    fn a_unit_loaded_for_the_first_time_has_no_news() {
        let graph = graph(&[(1, &[0, 9])]);
        let host = Host {
            absent: vec![0],
            wanted: vec![0],
            accepts: vec![(1, 9)],
            ..Host::default()
        };
        assert_eq!(show(&plan(&graph, &[0, 9], &[], &host)), "+0|=9");
    }

    #[test]
    fn an_accepting_unit_ends_the_cascade_for_that_dependency_only() {
        let graph = graph(&[(1, &[0, 9]), (2, &[1])]);
        let host = Host {
            accepts: vec![(1, 0)],
            ..Host::default()
        };
        let accepted = plan(&graph, &[0], &[], &host);
        assert_eq!(
            (show(&accepted).as_str(), &*accepted.ends_at),
            ("=0", &[1][..])
        );
        let other = plan(&graph, &[0, 9], &[], &host);
        assert_eq!(
            (show(&other).as_str(), &*other.ends_at),
            ("=0|=9|~1|~2", &[][..])
        );
    }

    #[test]
    fn a_pinned_unit_ends_the_cascade_and_refuses_its_own_change() {
        let graph = graph(&[(1, &[0]), (2, &[1])]);
        let host = Host {
            pinned: vec![1],
            ..Host::default()
        };
        let reached = plan(&graph, &[0], &[], &host);
        assert_eq!(
            (show(&reached).as_str(), &*reached.ends_at),
            ("=0", &[1][..])
        );
        assert_eq!(plan(&graph, &[1], &[], &host).pinned, [1]);
    }

    #[test]
    fn a_boundary_inside_a_cycle_counts_for_the_cycle() {
        // 1, 2 and 3 need one another; 0 is below them, 4 above.
        let graph = graph(&[(1, &[0, 3]), (2, &[1]), (3, &[2]), (4, &[1])]);
        let host = Host {
            accepts: vec![(2, 1)],
            ..Host::default()
        };
        let below = plan(&graph, &[0], &[], &host);
        assert_eq!(
            (show(&below).as_str(), &*below.ends_at),
            ("=0|~1", &[2][..])
        );
        let inside = plan(&graph, &[1], &[], &host);
        assert_eq!(
            show(&inside),
            "=1|~4",
            "a changed unit's own news leaves the cycle"
        );
    }

    #[test]
    fn nothing_changed_is_an_empty_plan() {
        let graph = graph(&[(1, &[0])]);
        assert_eq!(plan(&graph, &[], &[], &Host::default()), Plan::default());
    }
}
