//! A remediation that goes well, and one that fails.

use jiff::SignedDuration;
use remediation_core::kind::ChildKind;
use remediation_core::names::Occasion;
use remediation_core::phase::Phase;
use serde_json::json;

use crate::world::World;
use crate::world::api::{creates, reads, records};

#[test]
fn a_remediation_goes_from_phase_to_phase_and_completes_in_ten_writes() {
    let mut world = World::until(Phase::Executing);
    let of = |world: &World, kind| world.spec_of(kind)["targetingData"]["alertName"].clone();
    for kind in [
        ChildKind::RemediationProcessing,
        ChildKind::AIAnalysis,
        ChildKind::WorkflowExecution,
    ] {
        assert_eq!(of(&world, kind), "HighMemoryUsage", "{kind}");
    }
    assert_eq!(
        world.spec_of(ChildKind::AIAnalysis)["enrichedData"],
        json!({ "owner": "team-a" })
    );
    world.says(
        ChildKind::WorkflowExecution,
        json!({ "phase": "Executing", "plan": { "executedBy": "Orchestrator", "steps": [{ "name": "scale" }] } }),
    );
    world.says(
        ChildKind::KubernetesExecution,
        json!({ "phase": "Completed" }),
    );
    world.after(SignedDuration::from_secs(2));
    world.says(
        ChildKind::WorkflowExecution,
        json!({ "phase": "Completed", "plan": { "executedBy": "Orchestrator", "steps": [{ "name": "scale" }] } }),
    );
    assert_eq!(world.phase(), Phase::Completed);
    assert_eq!(world.status().overall_progress, Some(100));
    assert!(world.status().notification(Occasion::Success).is_some());
    assert_eq!(world.status().history.len(), 5);
    assert_eq!(world.calls(creates), 5);
    assert!(world.calls(records) <= 7, "{}", world.calls(records));
    assert_eq!(world.calls(reads), 0);
    assert_eq!(world.count(ChildKind::KubernetesExecution), 1);
    assert_eq!(world.events.len(), 1);
}

#[test]
fn a_failure_of_a_child_is_recorded_escalated_and_final() {
    let mut world = World::until(Phase::Processing);
    world.says(
        ChildKind::RemediationProcessing,
        json!({ "phase": "Failed", "reason": "EnrichmentError", "message": "context API timed out" }),
    );
    assert_eq!(world.phase(), Phase::Failed);
    let status = world.status();
    assert_eq!(status.reason.as_deref(), Some("EnrichmentError"));
    assert!(
        status
            .message
            .as_ref()
            .unwrap()
            .contains("context API timed out")
    );
    assert!(status.completion_time.is_some());
    let spec = world.spec_of(ChildKind::NotificationRequest);
    assert_eq!(spec["type"], "escalation");
    assert_eq!(spec["metadata"]["failure_reason"], "EnrichmentError");
    let calls = world.calls.len();
    world.reconcile();
    assert_eq!(world.calls.len(), calls, "nothing at rest");
}

#[test]
fn a_phase_times_out_exactly_at_its_deadline() {
    let mut world = World::until(Phase::Processing);
    world.child_says(
        &world.key_of(ChildKind::RemediationProcessing),
        json!({ "phase": "Processing" }),
    );
    let deadline = world.wake.expect("a wake-up at the deadline");
    world.now = deadline - SignedDuration::from_nanos(1);
    world.reconcile();
    assert_eq!(world.phase(), Phase::Processing);
    world.now = deadline;
    world.reconcile();
    assert_eq!(world.phase(), Phase::Failed);
    assert_eq!(world.status().reason.as_deref(), Some("PhaseTimeout"));
    assert_eq!(world.status().timeout_phase, Some(Phase::Processing));
}
