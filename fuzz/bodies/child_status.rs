//! The status of a child, written by a controller of any version, or by a hand: whatever it holds, it is read, a
//! decision follows, and nothing but the words of success is success (S18, S24, S29).

use jiff::Timestamp;
use remediation_core::action::{Action, ChildSpec};
use remediation_core::children::{Child, ChildKey, ChildStatus, Children, Owner};
use remediation_core::decide::{State, decide};
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::request::Request;
use serde_json::{Value, json};

const BEGAN: &str = "2026-03-01T12:00:00Z";

/// What [`decide`] is.
pub type Decide<'a> = &'a dyn Fn(&State, &Children, Timestamp) -> Vec<Action>;

/// Reads the status as one of each kind, and decides on it.
pub fn run(data: &[u8]) {
    run_with(data, &decide);
}

/// The same, of what this decides.
pub fn run_with(data: &[u8], decide: Decide<'_>) {
    let Ok(status) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    for kind in ChildKind::OWNED {
        judge(kind, &status, decide);
    }
}

fn judge(kind: ChildKind, status: &Value, decide: Decide<'_>) {
    let read = ChildStatus::read(kind, status.clone());
    let (phase, state) = (read.phase().to_owned(), state_with(kind));
    let mut children = Children::default();
    if kind == ChildKind::KubernetesExecution {
        let plan = json!({ "phase": "Executing", "plan": { "executedBy": "Orchestrator",
            "steps": [{ "name": "scale", "action": "Scale" }] } });
        let workflow = ChildKind::WorkflowExecution;
        children.learn(child(workflow, ChildStatus::read(workflow, plan)));
    }
    children.learn(child(kind, read.clone()));
    let now = "2026-03-01T12:00:30Z".parse().expect("a time");
    let actions = decide(&state, &children, now);
    assert_eq!(actions, decide(&state, &children, now), "S18");
    for action in &actions {
        match action {
            Action::Create(new) => {
                check_creation(kind, &read, &new.spec);
            }
            Action::Record(record) => {
                let size = serde_json::to_string(&record.status).map_or(0, |json| json.len());
                assert!(size <= 32 * 1024, "S29: {size}");
                let steps = &record.status.kubernetes_execution_refs;
                if kind == ChildKind::KubernetesExecution && steps.iter().any(|s| s.completed) {
                    assert_eq!(phase, "Completed", "S24");
                }
            }
            Action::Read(_)
            | Action::RestoreOwnership(_)
            | Action::DeleteChild(_)
            | Action::DeleteRequest
            | Action::Announce(_)
            | Action::WakeAt(_) => {}
        }
    }
}

/// What may be created only after success.
fn check_creation(kind: ChildKind, read: &ChildStatus, spec: &ChildSpec) {
    let phase = read.phase();
    match (kind, spec) {
        (ChildKind::RemediationProcessing, ChildSpec::Analysis(_)) => {
            assert_eq!(phase, "Completed", "S24");
        }
        (ChildKind::AIAnalysis, ChildSpec::Workflow(workflow)) => {
            assert!(phase == "Ready" || phase == "Completed", "S24: {phase}");
            assert!(!workflow.recommendations.is_empty());
            let approval = &read.analysis().approval;
            assert!(!approval.required || approval.decision == "Approved");
        }
        (ChildKind::WorkflowExecution, ChildSpec::Notification(notification)) => {
            assert!(notification.body.len() <= 4096, "S29");
            let success = notification.occasion == remediation_core::names::Occasion::Success;
            assert!(!success || phase == "Completed", "S24: {phase}");
        }
        _ => {}
    }
}

fn name(kind: ChildKind) -> &'static str {
    match kind {
        ChildKind::RemediationProcessing => "web-processing",
        ChildKind::AIAnalysis => "web-aianalysis",
        ChildKind::WorkflowExecution => "web-workflow",
        ChildKind::KubernetesExecution | ChildKind::NotificationRequest => "web-execution-scale",
    }
}

/// A child of the request that is decided on.
pub fn child(kind: ChildKind, status: ChildStatus) -> Child {
    Child {
        key: ChildKey::new(kind, name(kind)),
        uid: kind.name().to_owned(),
        resource_version: "7".to_owned(),
        deleting: false,
        owner: Some(Owner {
            kind: REQUEST_KIND.to_owned(),
            name: "web".to_owned(),
            uid: "u-1".to_owned(),
        }),
        request_label: Some("web".to_owned()),
        request_uid_label: Some("u-1".to_owned()),
        status,
    }
}

/// A request in the phase that waits for this kind.
fn state_with(kind: ChildKind) -> State {
    let reference = |kind: ChildKind| json!({ "name": name(kind), "uid": kind.name() });
    let mut status = json!({
        "phase": "Processing",
        "startTime": BEGAN,
        "phaseStartTime": BEGAN,
        "remediationProcessingRef": reference(ChildKind::RemediationProcessing),
    });
    match kind {
        ChildKind::RemediationProcessing => {}
        ChildKind::AIAnalysis => {
            status["phase"] = "Analyzing".into();
            status["aiAnalysisRef"] = reference(kind);
        }
        ChildKind::WorkflowExecution => {
            status["phase"] = "WorkflowPlanning".into();
            status["workflowExecutionRef"] = reference(kind);
        }
        ChildKind::KubernetesExecution | ChildKind::NotificationRequest => {
            status["phase"] = "Executing".into();
            status["workflowExecutionRef"] = reference(ChildKind::WorkflowExecution);
            let mut step = reference(kind);
            step["step"] = "scale".into();
            status["kubernetesExecutionRefs"] = json!([step]);
        }
    }
    let request: Request = serde_json::from_value(json!({
        "identity": { "namespace": "shop", "name": "web", "uid": "u-1" },
        "resource_version": "9",
        "generation": 1,
        "deleting": false,
        "spec": { "targetingData": {
            "signalFingerprint": "f", "alertName": "HighLoad", "environment": "production" } },
        "status": status,
    }))
    .expect("a request of the shape above");
    State {
        request,
        ..State::default()
    }
}
