//! What was reached: each "sometimes" is counted, so that a campaign can tell what it never saw.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::simulation::api_server::Commit;

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Transitions, as `Processing → Analyzing`.
    pub transitions: BTreeMap<String, u64>,
    /// Sorts of trouble, by the phase of the request they happened to.
    pub troubles: BTreeMap<String, BTreeMap<String, u64>>,
    /// Reasons of failures.
    pub reasons: BTreeMap<String, u64>,
    /// Categories of errors, as the operators counted them.
    pub categories: BTreeMap<String, u64>,
}

impl Reach {
    /// Adds what another run reached.
    pub fn add(&mut self, other: &Reach) {
        for (transition, count) in &other.transitions {
            *self.transitions.entry(transition.clone()).or_default() += count;
        }
        for (sort, phases) in &other.troubles {
            let mine = self.troubles.entry(sort.clone()).or_default();
            for (phase, count) in phases {
                *mine.entry(phase.clone()).or_default() += count;
            }
        }
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
        for (category, count) in &other.categories {
            *self.categories.entry(category.clone()).or_default() += count;
        }
    }

    pub(super) fn trouble(&mut self, sort: &str, phase: &str) {
        let phases = self.troubles.entry(sort.to_owned()).or_default();
        let phase = if phase.is_empty() { "none" } else { phase };
        *phases.entry(phase.to_owned()).or_default() += 1;
    }

    /// A request was written: the history says which transitions were taken.
    pub(super) fn written(&mut self, commit: &Commit, from: &str) {
        fn history(object: Option<&Value>) -> (&[Value], usize) {
            let status = object.map(|object| &object["status"]);
            let kept = status.and_then(|status| status["history"].as_array());
            let dropped = status.and_then(|status| status["historyDropped"].as_u64());
            let dropped = usize::try_from(dropped.unwrap_or(0)).unwrap_or(0);
            (kept.map_or(&[], Vec::as_slice), dropped)
        }
        let (before, before_dropped) = history(commit.before.as_deref());
        let (after, after_dropped) = history(commit.after.as_deref());
        let known = before.len() + before_dropped;
        let skip = known.saturating_sub(after_dropped);
        let mut from = if from.is_empty() { "none" } else { from }.to_owned();
        for entry in after.iter().skip(skip) {
            let to = entry["phase"].as_str().unwrap_or_default();
            *self
                .transitions
                .entry(format!("{from} → {to}"))
                .or_default() += 1;
            to.clone_into(&mut from);
            if to == "Failed" {
                let reason = entry["reason"].as_str().unwrap_or_default().to_owned();
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
    }

    /// What the metrics of an operator say of the errors that it met.
    pub(super) fn counted(&mut self, rendered: &str) {
        const ERRORS: &str = "remediationorchestrator_errors_total{category=\"";
        for line in rendered.lines() {
            let Some((category, count)) = line
                .strip_prefix(ERRORS)
                .and_then(|rest| rest.split_once("\"} "))
            else {
                continue;
            };
            let count = count.trim().parse().unwrap_or(0);
            *self.categories.entry(category.to_owned()).or_default() += count;
        }
    }
}
