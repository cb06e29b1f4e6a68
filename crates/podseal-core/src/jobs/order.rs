//! Orders that contradict themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::unit::effective::Origin;
use crate::unit::name::UnitName;

/// One unit coming after another, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The unit that comes later.
    pub later: UnitName,
    /// The unit that comes earlier.
    pub earlier: UnitName,
    /// Where it is written; none where it is added by itself.
    pub origin: Option<Origin>,
}

/// Units each of which comes after the next, and the last after the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<Edge>);

/// Looks for a cycle.
#[must_use]
pub fn find_cycle(edges: &[Edge]) -> Option<Cycle> {
    let mut by_later: BTreeMap<&UnitName, Vec<&Edge>> = BTreeMap::new();
    for edge in edges {
        by_later.entry(&edge.later).or_default().push(edge);
    }
    let mut finished = BTreeSet::new();
    for start in by_later.keys().copied() {
        // The way from `start`: a unit, and how many of its edges were taken.
        let mut way: Vec<(&UnitName, usize)> = vec![(start, 0)];
        while let Some((unit, taken)) = way.last_mut() {
            let next = by_later.get(*unit).and_then(|edges| edges.get(*taken));
            *taken += 1;
            let Some(edge) = next else {
                finished.insert(*unit);
                way.pop();
                continue;
            };
            if let Some(begin) = way.iter().position(|(unit, _)| **unit == edge.earlier) {
                let cycle = way[begin..].iter().filter_map(|(unit, taken)| {
                    let edges = by_later.get(*unit)?;
                    edges.get(taken - 1).map(|edge| (*edge).clone())
                });
                return Some(Cycle(cycle.collect()));
            }
            if !finished.contains(&edge.earlier) {
                way.push((&edge.earlier, 0));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(&str, &str)]) -> Vec<Edge> {
        let unit = |stem: &str| format!("{stem}.service").parse().expect("valid");
        let edge = |(later, earlier): &(&str, &str)| Edge {
            later: unit(later),
            earlier: unit(earlier),
            origin: None,
        };
        pairs.iter().map(edge).collect()
    }

    #[test]
    fn cycles() {
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: &[(Pairs, Option<&[usize]>)] = &[
            (&[], None),
            (&[("a", "b"), ("b", "c"), ("a", "c"), ("d", "a")], None),
            (&[("a", "a")], Some(&[0])),
            (&[("x", "a"), ("a", "b"), ("b", "a")], Some(&[1, 2])),
            (
                &[("a", "d"), ("a", "b"), ("b", "c"), ("c", "a")],
                Some(&[1, 2, 3]),
            ),
        ];
        for (pairs, expected) in cases {
            let edges = edges(pairs);
            let found = find_cycle(&edges).map(|Cycle(found)| found);
            let expected = expected.map(|indexes| {
                indexes
                    .iter()
                    .map(|i| edges[*i].clone())
                    .collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{pairs:?}");
        }
    }
}
