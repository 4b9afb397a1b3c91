//! What was reached: each kind of move, each edge between phases, each rule, each fault at each kind of call. What is
//! never reached proves nothing, and fails the test.

use std::collections::BTreeMap;

use remediation_core::rule::Rule;

/// The allowed edges, written from the page of phases and not taken from the code.
pub(crate) const EDGES: [(&str, &str); 11] = [
    ("Pending", "Initializing"),
    ("Initializing", "Processing"),
    ("Processing", "Analyzing"),
    ("Analyzing", "WorkflowPlanning"),
    ("WorkflowPlanning", "Executing"),
    ("Executing", "Completed"),
    ("Initializing", "Failed"),
    ("Processing", "Failed"),
    ("Analyzing", "Failed"),
    ("WorkflowPlanning", "Failed"),
    ("Executing", "Failed"),
];

#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// A bit for each of [`EDGES`] that a committed write took.
    pub(crate) edges: u16,
    /// A bit for each rule that a decision followed.
    pub(crate) rules: u32,
    /// How often each kind of move was made, by phase of the stored request.
    pub(crate) moves: BTreeMap<(&'static str, &'static str), u64>,
    /// Committed situations worth knowing of, by name.
    pub(crate) sights: BTreeMap<&'static str, u64>,
}

impl Reach {
    pub(crate) fn moved(&mut self, kind: &'static str, phase: &'static str) {
        *self.moves.entry((kind, phase)).or_default() += 1;
    }

    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.sights.entry(what).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Reach) {
        self.edges |= other.edges;
        self.rules |= other.rules;
        for (key, count) in &other.moves {
            *self.moves.entry(*key).or_default() += count;
        }
        for (key, count) in &other.sights {
            *self.sights.entry(key).or_default() += count;
        }
    }

    /// How often each kind of move was made, in all phases.
    pub(crate) fn by_kind(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for ((kind, _), count) in &self.moves {
            *kinds.entry(*kind).or_default() += count;
        }
        kinds
    }

    pub(crate) fn edges_missing(&self) -> Vec<String> {
        let missing = EDGES
            .iter()
            .enumerate()
            .filter(|(n, _)| self.edges & (1 << n) == 0);
        missing
            .map(|(_, (from, to))| format!("{from} → {to}"))
            .collect()
    }

    pub(crate) fn rules_missing(&self) -> Vec<Rule> {
        let all = Rule::ALL.into_iter().enumerate();
        all.filter(|(n, _)| self.rules & (1 << n) == 0)
            .map(|(_, rule)| rule)
            .collect()
    }
}
