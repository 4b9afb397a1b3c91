//! The end of the demo: did each remediation end as the scenario says, and was everybody told?

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use remediation_core::kind::REQUEST_UID_LABEL;
use remediation_core::phase::Phase;
use serde_json::{Value, json};

use super::follow::Board;
use super::live::cut;
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

const NAME: usize = 22;
const ENDED: usize = 26;
const NOTIFIED: usize = 21;
/// The longest description of what a remediation shows.
const SHOWS: usize = 38;
/// From this width on there is room to say who was notified.
const WIDE: usize = 3 + NAME + 1 + ENDED + 1 + NOTIFIED + 1 + SHOWS;

/// The verdicts as a table that is no wider than the terminal, if it goes to one.
pub(crate) fn table(verdicts: &[Verdict], style: Style, width: Option<usize>) -> String {
    let wide = width.is_none_or(|width| width >= WIDE);
    let line = |mark: &str, name: &str, ended: &str, notified: &str, shows: &str| {
        let notified = if wide {
            format!("{notified:NOTIFIED$} ")
        } else {
            String::new()
        };
        let line = format!(" {mark} {name:NAME$} {ended:ENDED$} {notified}{shows}");
        width.map_or(line.clone(), |width| cut(&line, width))
    };
    let mut lines = style.dim(&line(" ", "NAME", "ENDED", "NOTIFIED", "SHOWS"));
    for verdict in verdicts {
        let (phase, reason) = verdict.expected;
        let ended = verdict.actual.as_ref().map_or_else(
            || "never seen".to_owned(),
            |(phase, reason)| outcome(*phase, reason),
        );
        let right = verdict.is_as_scripted();
        let mark = if right { "✓" } else { "✗" };
        let text = line(
            mark,
            verdict.name,
            &ended,
            &verdict.notified(),
            verdict.shows,
        );
        lines.push('\n');
        if right {
            lines.push_str(&text.replacen(mark, &style.green(mark), 1));
        } else {
            let expected = outcome(phase, reason);
            let notified = verdict.notified();
            lines.push_str(&style.red(&format!(
                "{text}\n   expected {expected}, and somebody told of it; notified: {notified}"
            )));
        }
    }
    lines + "\n"
}

/// The calls by verb, the most frequent first: `65 patch, 56 create`.
pub(crate) fn by_verb(calls: &BTreeMap<String, u64>) -> String {
    let mut verbs: BTreeMap<&str, u64> = BTreeMap::new();
    for (call, count) in calls {
        let verb = call.split_once(' ').map_or(call.as_str(), |(verb, _)| verb);
        *verbs.entry(verb).or_default() += count;
    }
    let mut verbs: Vec<(&str, u64)> = verbs.into_iter().collect();
    verbs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let verbs: Vec<String> = verbs
        .iter()
        .map(|(verb, count)| format!("{count} {verb}"))
        .collect();
    verbs.join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(actual: Option<(Phase, String)>) -> Verdict {
        Verdict {
            name: "storefront-certificate",
            shows: "a step fails, the next is never begun",
            expected: (Phase::Failed, "ReplicaBusy"),
            actual,
            notifications: vec![("escalation".to_owned(), true)],
        }
    }

    #[test]
    fn a_table_is_no_wider_than_the_terminal_and_says_what_was_expected_where_it_was_not_met() {
        let met = verdict(Some((Phase::Failed, "ReplicaBusy".to_owned())));
        let astray = verdict(Some((Phase::Completed, "RemediationCompleted".to_owned())));
        let narrow = table(&[met, astray], Style::none(), Some(80));
        let lines: Vec<&str> = narrow.lines().collect();
        assert_eq!(lines.len(), 4, "{narrow}");
        for line in &lines[..3] {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(lines[1].contains("✓") && lines[1].contains("Failed: ReplicaBusy"));
        assert!(lines[2].contains("✗ storefront-certificate Completed"));
        assert!(lines[3].contains("expected Failed: ReplicaBusy"));
        let wide = table(&[verdict(None)], Style::none(), None);
        assert!(wide.contains("NOTIFIED") && wide.contains("never seen"));
    }

    #[test]
    fn calls_are_counted_by_verb() {
        let calls = [("create events", 2), ("create pods", 3), ("patch pods", 7)];
        let calls = calls.map(|(call, count)| (call.to_owned(), count));
        assert_eq!(by_verb(&BTreeMap::from(calls)), "7 patch, 5 create");
    }
}
