//! What somebody writes who means no good, or knows no better: as much as a definition lets through.

use std::collections::BTreeMap;

use remediation_core::kind::ChildKind;
use remediation_core::targeting::TargetingData;
use serde_json::{Map, Value, json};

/// Turns the line around, ends a string, colours a terminal, looks like another letter.
const TEXT: &str = "\u{202e}evil\u{0}\u{1b}[31m\u{200b}Іn\u{301}\r\n| `$(reboot)` <img src=x>";

/// A patch of the status of a child of this kind.
pub(super) fn status(kind: ChildKind) -> Value {
    let filled = |length: usize| TEXT.chars().cycle().take(length).collect::<String>();
    let mut status = json!({
        "message": filled(32_000),
        "reason": filled(1_000),
        // Unknown fields are kept.
        "surprise": "x".repeat(1_000_000),
    });
    match kind {
        ChildKind::RemediationProcessing => status["enrichedData"] = map(1_000),
        ChildKind::AIAnalysis => {
            status["investigationResult"] = json!({ "summary": filled(30_000) });
        }
        ChildKind::WorkflowExecution => {
            let step = |number| json!({ "name": format!("{TEXT}{number}"), "dependsOn": [TEXT] });
            let steps: Vec<Value> = (0..100).map(step).collect();
            status["plan"] = json!({ "executedBy": "Orchestrator", "steps": steps });
        }
        ChildKind::KubernetesExecution => status["result"] = map(500),
        ChildKind::NotificationRequest => {}
    }
    json!({ "status": status })
}

/// An alert as large as it may be, whose every text means no good.
pub(super) fn alert(alert: TargetingData) -> TargetingData {
    let large = || BTreeMap::from([("note".to_owned(), TEXT.repeat(50))]);
    TargetingData {
        alert_name: TEXT.to_owned(),
        cluster_name: Some(TEXT.to_owned()),
        annotations: large(),
        context: large(),
        ..alert
    }
}

/// A patch of the metadata of a request.
pub(super) fn metadata() -> Value {
    let labels: Map<String, Value> = (0..10_000)
        .map(|number| (format!("example.com/l{number}"), json!("v")))
        .collect();
    json!({ "metadata": { "labels": labels, "annotations": { "example.com/note": TEXT.repeat(4_000) } } })
}

fn map(entries: usize) -> Value {
    (0..entries)
        .map(|number| (format!("k{number}"), json!(TEXT)))
        .collect::<Map<String, Value>>()
        .into()
}
