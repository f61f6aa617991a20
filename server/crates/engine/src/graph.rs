//! Graph: who needs whom while loading, kept up to date edge by edge.
//!
//! Knows no files and no names: nodes are dense numbers that the caller gave out. Reverse edges are kept, never rebuilt,
//! so every question costs what the affected part costs, not what the project costs.
//! Must stay true: `b` is in `dependents(a)` exactly when `a` is in `dependencies(b)`, after any sequence of calls.

use std::collections::{HashMap, HashSet};

/// Dependency edges between units, in both directions.
///
/// A *load* edge is a need while the unit itself loads and carries the cascade; a *late* edge is one inside a function
/// body and carries nothing (Lua specification, section 1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    load: Vec<u32>,
    late: Vec<u32>,
    load_dependents: Vec<u32>,
    late_dependents: Vec<u32>,
}

impl Graph {
    /// A graph without edges.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all edges that leave `from`; nodes not seen before come into being.
    ///
    /// *Shape*: repeated targets count once, at their first place; `load` and `late` are independent.
    pub fn set_edges(&mut self, from: u32, load: &[u32], late: &[u32]) {
        let load = without_repeats(load);
        let late = without_repeats(late);
        let highest = load
            .iter()
            .chain(&late)
            .fold(from, |highest, &it| highest.max(it));
        if self.nodes.len() <= highest as usize {
            self.nodes.resize_with(highest as usize + 1, Node::default);
        }
        let Some(node) = self.nodes.get_mut(from as usize) else {
            return;
        };
        let old_load = std::mem::replace(&mut node.load, load.clone());
        let old_late = std::mem::replace(&mut node.late, late.clone());
        self.move_edges(from, &old_load, &load, |it| &mut it.load_dependents);
        self.move_edges(from, &old_late, &late, |it| &mut it.late_dependents);
    }

    /// Removes all edges from and to `node`; its number may be given out again.
    pub fn remove(&mut self, node: u32) {
        self.set_edges(node, &[], &[]);
        let Some(removed) = self.nodes.get_mut(node as usize) else {
            return;
        };
        for dependent in std::mem::take(&mut removed.load_dependents) {
            if let Some(it) = self.nodes.get_mut(dependent as usize) {
                it.load.retain(|&target| target != node);
            }
        }
        let Some(removed) = self.nodes.get_mut(node as usize) else {
            return;
        };
        for dependent in std::mem::take(&mut removed.late_dependents) {
            if let Some(it) = self.nodes.get_mut(dependent as usize) {
                it.late.retain(|&target| target != node);
            }
        }
    }

    /// What `node` needs while it loads, in the order given to [`Self::set_edges`]; empty for an unknown node.
    #[must_use]
    pub fn dependencies(&self, node: u32) -> &[u32] {
        self.nodes.get(node as usize).map_or(&[], |it| &it.load)
    }

    /// What `node` needs only later, in the order given; empty for an unknown node.
    #[must_use]
    pub fn late_dependencies(&self, node: u32) -> &[u32] {
        self.nodes.get(node as usize).map_or(&[], |it| &it.late)
    }

    /// Who needs `node` while loading, in ascending order; empty for an unknown node.
    #[must_use]
    pub fn dependents(&self, node: u32) -> &[u32] {
        self.nodes
            .get(node as usize)
            .map_or(&[], |it| &it.load_dependents)
    }

    /// Who needs `node` only later, in ascending order; empty for an unknown node.
    #[must_use]
    pub fn late_dependents(&self, node: u32) -> &[u32] {
        self.nodes
            .get(node as usize)
            .map_or(&[], |it| &it.late_dependents)
    }

    /// `changed` and everything that needs one of them while loading, at any distance.
    ///
    /// A node for which `stop` holds belongs to the closure when reached, but nothing is reached through it; the changed
    /// nodes themselves are never asked, because a boundary takes in the news of others, not its own.
    /// *Shape*: no repeats, nearest first; the order depends only on the graph and on `changed`.
    #[must_use]
    pub fn closure(&self, changed: &[u32], stop: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut reached = without_repeats(changed);
        let n_changed = reached.len();
        let mut seen: HashSet<u32> = reached.iter().copied().collect();
        let mut next = 0;
        while let Some(&node) = reached.get(next) {
            if next < n_changed || !stop(node) {
                reached.extend(self.dependents(node).iter().filter(|&&it| seen.insert(it)));
            }
            next += 1;
        }
        reached
    }

    /// The strongly connected components of `nodes` over the load edges between them, dependencies first.
    ///
    /// *Shape*: each node in exactly one component; a component before every component that needs it; inside a component
    /// ascending by `original`, the order in which the units first loaded, then by number. Where edges leave it open,
    /// what loaded first comes first. The order of `nodes` does not matter.
    /// *Source*: Gabow's path-based form of Tarjan's algorithm, without recursion: a chain of 10,000 units is no problem.
    #[must_use]
    pub fn components(&self, nodes: &[u32], original: impl Fn(u32) -> u64) -> Vec<Vec<u32>> {
        let mut roots = without_repeats(nodes);
        roots.sort_by_cached_key(|&it| (original(it), it));
        let mut marks: HashMap<u32, Mark> = roots.iter().map(|&it| (it, Mark::Unseen)).collect();
        let mut walk = Walk::default();
        for root in roots {
            if marks.get(&root) == Some(&Mark::Unseen) {
                walk.enter(root, self.dependencies(root), &mut marks);
            }
            while let Some((node, dependencies)) = walk.path.last_mut() {
                let node = *node;
                match dependencies.next() {
                    None => walk.leave(node, &mut marks),
                    Some(&dependency) => match marks.get(&dependency) {
                        Some(Mark::Unseen) => {
                            walk.enter(dependency, self.dependencies(dependency), &mut marks)
                        }
                        Some(&Mark::Open(position)) => walk.close_cycle(position),
                        Some(Mark::Done) | None => {}
                    },
                }
            }
        }
        for component in &mut walk.components {
            component.sort_by_cached_key(|&it| (original(it), it));
        }
        walk.components
    }

    fn move_edges(
        &mut self,
        from: u32,
        old: &[u32],
        new: &[u32],
        list: impl Fn(&mut Node) -> &mut Vec<u32>,
    ) {
        // A save rarely touches the requires of a unit, and then nothing is looked up at all.
        if old == new {
            return;
        }
        let old_set: HashSet<u32> = old.iter().copied().collect();
        let new_set: HashSet<u32> = new.iter().copied().collect();
        for &target in old.iter().filter(|&it| !new_set.contains(it)) {
            if let Some(dependents) = self.nodes.get_mut(target as usize).map(&list)
                && let Ok(place) = dependents.binary_search(&from)
            {
                dependents.remove(place);
            }
        }
        for &target in new.iter().filter(|&it| !old_set.contains(it)) {
            if let Some(dependents) = self.nodes.get_mut(target as usize).map(&list)
                && let Err(place) = dependents.binary_search(&from)
            {
                dependents.insert(place, from);
            }
        }
    }
}

/// How far the walk has come with a node; nodes outside the question have no mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Unseen,
    /// On the walk's stack, at this position of entering.
    Open(u32),
    /// Its component is complete.
    Done,
}

#[derive(Default)]
struct Walk<'graph> {
    /// The nodes being walked, each with the edges still to follow.
    path: Vec<(u32, std::slice::Iter<'graph, u32>)>,
    /// Entered nodes whose component is not complete, in order of entering.
    open: Vec<u32>,
    /// Positions at which a component may begin; what lies above one of them may still join it.
    starts: Vec<u32>,
    n_entered: u32,
    components: Vec<Vec<u32>>,
}

impl<'graph> Walk<'graph> {
    fn enter(&mut self, node: u32, dependencies: &'graph [u32], marks: &mut HashMap<u32, Mark>) {
        marks.insert(node, Mark::Open(self.n_entered));
        self.path.push((node, dependencies.iter()));
        self.open.push(node);
        self.starts.push(self.n_entered);
        self.n_entered += 1;
    }

    /// An edge back to an open node: everything entered since belongs to that node's component.
    fn close_cycle(&mut self, position: u32) {
        while self.starts.last().is_some_and(|&start| position < start) {
            self.starts.pop();
        }
    }

    fn leave(&mut self, node: u32, marks: &mut HashMap<u32, Mark>) {
        self.path.pop();
        let start = self.starts.last().copied().map(Mark::Open);
        if marks.get(&node).copied() != start {
            return;
        }
        self.starts.pop();
        let place = self
            .open
            .iter()
            .rposition(|&it| it == node)
            .unwrap_or_default();
        let component = self.open.split_off(place);
        marks.extend(component.iter().map(|&it| (it, Mark::Done)));
        self.components.push(component);
    }
}

fn without_repeats(nodes: &[u32]) -> Vec<u32> {
    let mut seen = HashSet::with_capacity(nodes.len());
    nodes
        .iter()
        .copied()
        .filter(|&it| seen.insert(it))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0` is needed by `1` and `2`, both by `3`.
    fn diamond() -> Graph {
        let mut graph = Graph::new();
        graph.set_edges(1, &[0], &[]);
        graph.set_edges(2, &[0], &[]);
        graph.set_edges(3, &[2, 1], &[0]);
        graph
    }

    #[test]
    fn edges_are_known_from_both_ends() {
        let graph = diamond();
        assert_eq!(
            graph.dependencies(3),
            [2, 1],
            "in the order of the requires"
        );
        assert_eq!(graph.dependents(0), [1, 2]);
        assert_eq!(
            (graph.late_dependencies(3), graph.late_dependents(0)),
            (&[0][..], &[3][..])
        );
        assert!(graph.dependents(99).is_empty());
    }

    #[test]
    fn replaced_edges_leave_nothing_behind() {
        let mut graph = diamond();
        graph.set_edges(2, &[1, 1], &[]);
        assert_eq!(
            (graph.dependents(0), graph.dependents(1)),
            (&[1][..], &[2, 3][..])
        );
        assert_eq!(graph.dependencies(2), [1]);
    }

    #[test]
    fn a_removed_node_is_gone_from_both_ends() {
        let mut graph = diamond();
        graph.remove(0);
        assert!(graph.dependencies(1).is_empty() && graph.late_dependencies(3).is_empty());
        graph.remove(3);
        assert!(graph.dependents(1).is_empty() && graph.dependents(2).is_empty());
        graph.remove(99);
    }

    #[test]
    fn closure_follows_load_edges_only() {
        let mut graph = diamond();
        graph.set_edges(4, &[], &[0]);
        assert_eq!(graph.closure(&[0], |_| false), [0, 1, 2, 3]);
        assert_eq!(graph.closure(&[1, 1], |_| false), [1, 3]);
        assert!(graph.closure(&[], |_| false).is_empty());
    }

    #[test]
    fn closure_reaches_a_stopping_node_and_ends_there() {
        let mut graph = Graph::new();
        graph.set_edges(1, &[0], &[]);
        graph.set_edges(2, &[1], &[]);
        assert_eq!(graph.closure(&[0], |it| it == 1), [0, 1]);
        assert_eq!(
            graph.closure(&[1], |it| it == 1),
            [1, 2],
            "its own news passes"
        );
    }

    #[test]
    fn components_come_dependencies_first() {
        assert_eq!(
            diamond().components(&[3, 2, 1, 0], u64::from),
            [[0], [1], [2], [3]]
        );
    }

    #[test]
    fn what_edges_leave_open_is_decided_by_the_original_order() {
        let graph = Graph::new();
        let original = |it: u32| [3, 1, 2, 1][it as usize];
        assert_eq!(
            graph.components(&[0, 1, 2, 3], original),
            [[1], [3], [2], [0]]
        );
    }

    #[test]
    fn a_cycle_is_one_component_in_the_original_order() {
        let mut graph = Graph::new();
        graph.set_edges(0, &[1], &[]);
        graph.set_edges(1, &[2], &[]);
        graph.set_edges(2, &[0, 3], &[]);
        graph.set_edges(4, &[0], &[]);
        let original = |it: u32| [20, 30, 10, 5, 40][it as usize];
        assert_eq!(
            graph.components(&[0, 1, 2, 3, 4], original),
            [vec![3], vec![2, 0, 1], vec![4]]
        );
    }

    #[test]
    fn components_ignore_what_is_not_asked_for() {
        let mut graph = Graph::new();
        graph.set_edges(0, &[1], &[]);
        graph.set_edges(1, &[2], &[]);
        graph.set_edges(2, &[0], &[]);
        assert_eq!(
            graph.components(&[0, 1], u64::from),
            [[1], [0]],
            "the cycle runs through 2"
        );
    }

    #[test]
    fn a_node_that_needs_itself_is_a_component_of_one() {
        let mut graph = Graph::new();
        graph.set_edges(0, &[0], &[]);
        assert_eq!(graph.components(&[0], u64::from), [[0]]);
        graph.remove(0);
        assert!(graph.dependencies(0).is_empty() && graph.dependents(0).is_empty());
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let mut graph = Graph::new();
        for node in 1..200_000 {
            graph.set_edges(node, &[node - 1], &[]);
        }
        let all = graph.closure(&[0], |_| false);
        let order = graph.components(&all, |_| 0);
        assert_eq!(order.len(), 200_000);
        assert_eq!(
            (order.first(), order.last()),
            (Some(&vec![0]), Some(&vec![199_999]))
        );
    }
}
