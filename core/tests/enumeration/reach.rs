//! What an enumeration came across: a rule, an edge or an outcome that no case reaches is not tested.

use std::collections::{BTreeMap, BTreeSet};

use remediation_core::action::Action;
use remediation_core::decide::Decision;
use remediation_core::phase::{Phase, TRANSITIONS};
use remediation_core::rule::Rule;

use crate::domain::build::Input;

/// Every kind of action that there is.
const KINDS: [&str; 8] = [
    "Create",
    "Record",
    "Read",
    "RestoreOwnership",
    "DeleteChild",
    "DeleteRequest",
    "Announce",
    "WakeAt",
];
/// Reasons of failure that people read about on the page of what they see.
const REASONS: [&str; 13] = [
    "InvalidTargetingData",
    "InvalidSpec",
    "Invalid",
    "NameConflict",
    "PhaseTimeout",
    "ChildNeverStarted",
    "ApprovalExpired",
    "OverallTimeout",
    "ChildDeleted",
    "InvalidPlan",
    "NoRecommendation",
    "AnalysisRejected",
    "ContextMissing",
];

/// How often each was seen.
#[derive(Default)]
pub(crate) struct Reach {
    rules: BTreeMap<Rule, u64>,
    edges: BTreeMap<(Phase, Phase), u64>,
    reasons: BTreeSet<String>,
    kinds: BTreeSet<&'static str>,
}

impl Reach {
    pub(crate) fn note(&mut self, input: &Input, answer: &Decision) {
        *self.rules.entry(answer.rule).or_default() += 1;
        for action in &answer.actions {
            self.kinds.insert(kind(action));
            let Action::Record(record) = action else {
                continue;
            };
            let mut from = input.state.request.status.known_phase();
            for to in &record.path {
                if let Some(from) = from {
                    *self.edges.entry((from, *to)).or_default() += 1;
                }
                from = Some(*to);
            }
            if input.state.request.status.failure_phase.is_none()
                && record.status.failure_phase.is_some()
                && let Some(reason) = &record.status.reason
                && !self.reasons.contains(reason)
            {
                self.reasons.insert(reason.clone());
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (rule, times) in other.rules {
            *self.rules.entry(rule).or_default() += times;
        }
        for (edge, times) in other.edges {
            *self.edges.entry(edge).or_default() += times;
        }
        self.reasons.extend(other.reasons);
        self.kinds.extend(other.kinds);
    }

    /// Fails if a rule, an edge, a reason or a kind of action was never seen.
    pub(crate) fn assert_complete(&self) {
        let unseen: Vec<&Rule> = Rule::ALL
            .iter()
            .filter(|rule| !self.rules.contains_key(rule))
            .collect();
        assert!(unseen.is_empty(), "no case follows {unseen:?}");
        for edge in TRANSITIONS {
            let times = self.edges.get(&(edge.from, edge.to));
            assert!(
                times.is_some(),
                "no case goes from {} to {}",
                edge.from,
                edge.to
            );
        }
        for reason in REASONS {
            assert!(self.reasons.contains(reason), "no case fails with {reason}");
        }
        for kind in KINDS {
            assert!(self.kinds.contains(kind), "no case asks for {kind}");
        }
        println!("rules reached: {:?}", self.rules);
        println!("edges reached: {:?}", self.edges);
    }
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "Create",
        Action::Record(_) => "Record",
        Action::Read(_) => "Read",
        Action::RestoreOwnership(_) => "RestoreOwnership",
        Action::DeleteChild(_) => "DeleteChild",
        Action::DeleteRequest => "DeleteRequest",
        Action::Announce(_) => "Announce",
        Action::WakeAt(_) => "WakeAt",
    }
}
