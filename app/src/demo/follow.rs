//! What is seen of the remediations: a row for each, kept up to date by a watch, and each transition once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::DynamicObject;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::{HistoryEntry, Status};
use remediation_core::text;
use remediation_core::time::GoDuration;
use remediation_core::time::Time;
use serde::Deserialize;

/// A remediation as it was last seen.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) alert: String,
    pub(crate) status: Status,
    created: usize,
    /// Transitions that were told already, those that status dropped included.
    told: usize,
}

/// A transition that was not told yet.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) from: Option<PhaseWord>,
    pub(crate) entry: HistoryEntry,
    pub(crate) progress: i64,
}

impl Row {
    pub(crate) fn phase(&self) -> Phase {
        self.status.known_phase().unwrap_or(Phase::Pending)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.status.is_terminal()
    }

    pub(crate) fn progress(&self) -> i64 {
        self.status.overall_progress.unwrap_or(0).clamp(0, 100)
    }

    /// What it waits for, or why it ended.
    pub(crate) fn note(&self) -> String {
        let status = &self.status;
        let reason = text::clean(status.reason.as_deref().unwrap_or_default(), text::REASON);
        if let Some(phase) = status.failure_phase {
            return format!("{reason} in {phase}");
        }
        if self.has_ended() || reason == "AwaitingApproval" {
            return reason;
        }
        // The child's name repeats the request's; of a step the rest says which one.
        let waiting = status.waiting_for.as_deref().unwrap_or_default();
        let (kind, name) = waiting.split_once('/').unwrap_or((waiting, ""));
        let step = name.strip_prefix(&format!("{}-execution-", self.name));
        text::clean(&format!("{kind} {}", step.unwrap_or_default()), 64)
    }

    /// Time left until the deadline; none where no deadline runs.
    pub(crate) fn left(&self, now: Timestamp) -> Option<GoDuration> {
        let deadline = self.status.next_deadline?;
        Some(deadline.since(Time::at(now)))
    }
}

/// All remediations that were seen.
#[derive(Debug, Default)]
pub(crate) struct Board {
    rows: BTreeMap<String, Row>,
}

impl Board {
    /// Takes note of an object and gives the transitions that were not told yet.
    pub(crate) fn learn(&mut self, object: &DynamicObject) -> Vec<Told> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let status = object.data.get("status").cloned().unwrap_or_default();
        let status = Status::deserialize(status).unwrap_or_default();
        let alert = object.data["spec"]["targetingData"]["alertName"]
            .as_str()
            .unwrap_or_default();
        let created = self.rows.len();
        let row = self.rows.entry(name.clone()).or_insert_with(|| Row {
            name: name.clone(),
            alert: text::clean(alert, 64),
            status: Status::default(),
            created,
            told: 0,
        });
        row.status = status;
        let dropped = row.status.history_dropped.unwrap_or(0);
        let dropped = usize::try_from(dropped).unwrap_or(0);
        let history = &row.status.history;
        let seen = row.told.saturating_sub(dropped).min(history.len());
        let told = (seen..history.len())
            .map(|n| Told {
                name: name.clone(),
                from: n.checked_sub(1).map(|before| history[before].phase.clone()),
                entry: history[n].clone(),
                progress: row.progress(),
            })
            .collect();
        row.told = dropped + history.len();
        told
    }

    /// A request was deleted.
    pub(crate) fn forget(&mut self, name: &str) {
        self.rows.remove(name);
    }

    /// The rows in the order of their creation.
    pub(crate) fn rows(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.values().collect();
        rows.sort_by_key(|row| row.created);
        rows
    }

    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(history: &[&str]) -> DynamicObject {
        let history: Vec<_> = history
            .iter()
            .map(|phase| json!({ "phase": phase, "time": "2026-03-01T12:00:00Z", "reason": "R" }))
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "v", "kind": "RemediationRequest", "metadata": { "name": "web" },
            "spec": { "targetingData": { "alertName": "A" } },
            "status": { "phase": "Analyzing", "history": history, "waitingFor": "AIAnalysis/web-aianalysis" },
        }))
        .unwrap()
    }

    #[test]
    fn each_transition_is_told_once_also_if_several_come_at_once() {
        let mut board = Board::default();
        let words = |told: Vec<Told>| {
            told.iter()
                .map(|told| told.entry.phase.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(words(board.learn(&object(&["Processing"]))), ["Processing"]);
        assert_eq!(
            words(board.learn(&object(&["Processing", "Analyzing", "WorkflowPlanning"]))),
            ["Analyzing", "WorkflowPlanning"]
        );
        let again = object(&["Processing", "Analyzing", "WorkflowPlanning"]);
        assert_eq!(words(board.learn(&again)), Vec::<String>::new());
        assert_eq!(board.rows()[0].note(), "AIAnalysis");
    }
}
