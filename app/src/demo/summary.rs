//! The end of the demo: did each remediation end as the scenario says, and was everybody told?

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use remediation_core::kind::REQUEST_UID_LABEL;
use remediation_core::phase::Phase;
use serde_json::{Value, json};

use super::follow::Board;
use super::scenario::Remediation;
use crate::style::Style;

/// How one remediation ended.
#[derive(Debug)]
pub(crate) struct Verdict {
    name: &'static str,
    shows: &'static str,
    expected: (Phase, &'static str),
    /// Phase and reason as they are; none where the request was never seen.
    actual: Option<(Phase, String)>,
    /// The types of its notifications and whether each was delivered.
    notifications: Vec<(String, bool)>,
}

impl Verdict {
    pub(crate) fn is_as_scripted(&self) -> bool {
        let (phase, reason) = self.expected;
        let last = match phase {
            Phase::Completed => "success",
            Phase::Pending
            | Phase::Initializing
            | Phase::Processing
            | Phase::Analyzing
            | Phase::WorkflowPlanning
            | Phase::Executing
            | Phase::Failed => "escalation",
        };
        let ends: Vec<&str> = self
            .notifications
            .iter()
            .map(|(kind, _)| kind.as_str())
            .filter(|kind| *kind != "approval")
            .collect();
        let delivered = self.notifications.iter().all(|(_, delivered)| *delivered);
        self.actual
            .as_ref()
            .is_some_and(|(actual, why)| *actual == phase && why == reason)
            && ends == [last]
            && delivered
    }

    fn notified(&self) -> String {
        let words: Vec<String> = self
            .notifications
            .iter()
            .map(|(kind, delivered)| {
                if *delivered {
                    kind.clone()
                } else {
                    format!("{kind} (not delivered)")
                }
            })
            .collect();
        words.join(", ")
    }

    pub(crate) fn as_json(&self) -> Value {
        json!({
            "type": "result",
            "name": self.name,
            "shows": self.shows,
            "expected": { "phase": self.expected.0, "reason": self.expected.1 },
            "actual": self.actual.as_ref().map(|(phase, reason)| json!({ "phase": phase, "reason": reason })),
            "notifications": self.notifications.iter().map(|(kind, delivered)| json!({ "type": kind, "delivered": delivered })).collect::<Vec<_>>(),
            "asScripted": self.is_as_scripted(),
        })
    }
}

/// How each remediation ended, in the order of the scenario.
pub(crate) fn verdicts(
    remediations: &[Remediation],
    board: &Board,
    uids: &BTreeMap<String, String>,
    notifications: &[DynamicObject],
) -> Vec<Verdict> {
    remediations
        .iter()
        .map(|remediation| {
            let row = board.row(remediation.name);
            let uid = uids.get(remediation.name).map(String::as_str);
            let of_this = |note: &&DynamicObject| {
                let labels = note.metadata.labels.as_ref();
                uid.is_some()
                    && labels
                        .and_then(|labels| labels.get(REQUEST_UID_LABEL))
                        .map(String::as_str)
                        == uid
            };
            Verdict {
                name: remediation.name,
                shows: remediation.shows,
                expected: (remediation.expected.phase, remediation.expected.reason),
                actual: row.map(|row| {
                    let reason = row.status.reason.clone().unwrap_or_default();
                    (row.phase(), reason)
                }),
                notifications: notifications
                    .iter()
                    .filter(of_this)
                    .map(|note| {
                        let kind = note.data["spec"]["type"].as_str().unwrap_or_default();
                        (kind.to_owned(), note.data["status"]["phase"] == "Sent")
                    })
                    .collect(),
            }
        })
        .collect()
}

/// The verdicts as a table.
pub(crate) fn table(verdicts: &[Verdict], style: Style) -> String {
    let mut lines = style.dim(&format!(
        "   {:22} {:26} {:26} {:21} {}",
        "NAME", "EXPECTED", "ENDED", "NOTIFIED", "SHOWS"
    ));
    for verdict in verdicts {
        let (phase, reason) = verdict.expected;
        let ended = verdict.actual.as_ref().map_or_else(
            || "never seen".to_owned(),
            |(phase, reason)| outcome(*phase, reason),
        );
        let line = format!(
            "{:22} {:26} {ended:26} {:21} {}",
            verdict.name,
            outcome(phase, reason),
            verdict.notified(),
            verdict.shows
        );
        lines.push('\n');
        lines.push_str(&if verdict.is_as_scripted() {
            format!(" {} {line}", style.green("✓"))
        } else {
            style.red(&format!(" ✗ {line}"))
        });
    }
    lines + "\n"
}

fn outcome(phase: Phase, reason: &str) -> String {
    match phase {
        Phase::Completed => phase.to_string(),
        Phase::Pending
        | Phase::Initializing
        | Phase::Processing
        | Phase::Analyzing
        | Phase::WorkflowPlanning
        | Phase::Executing
        | Phase::Failed => format!("{phase}: {reason}"),
    }
}
