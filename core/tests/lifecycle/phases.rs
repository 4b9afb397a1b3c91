//! The table of phases, row by row: what is observed in a phase, and what follows.

use remediation_core::children::ChildKey;
use remediation_core::error::Category;
use remediation_core::phase::Phase;
use serde_json::json;

use crate::world::World;
use crate::world::api::{creates, records};
use crate::world::children::{AIA, KEXEC, NOTIF, RP, WFE, completed_processing, executing, ready};

#[test]
fn a_new_request_is_in_processing_after_one_pass_with_one_create_and_one_write() {
    let world = World::until(Phase::Processing);
    assert_eq!((world.calls(creates), world.calls(records)), (1, 1));
    let status = world.status();
    assert_eq!(status.start_time, status.phase_start_time);
    assert_eq!(status.attempt, Some(1));
    assert_eq!(
        status.remediation_processing_ref.as_ref().unwrap().uid,
        world.uid_of(RP)
    );
    assert_eq!(
        status.waiting_for.as_deref(),
        Some("RemediationProcessing/web-processing")
    );
    let data = serde_json::to_value(&world.request.as_ref().unwrap().spec.targeting_data).unwrap();
    assert_eq!(world.spec_of(RP)["targetingData"], data, "unchanged");
}

#[test]
fn targeting_data_that_is_missing_fails_with_category_c_and_an_escalation() {
    let mut world = World::with(|request| request.spec.targeting_data = None);
    world.reconcile();
    assert_eq!(
        world.outcome(),
        (Phase::Failed, "InvalidTargetingData".into())
    );
    assert_eq!(world.status().failure_category, Some(Category::C));
    assert_eq!(world.status().failure_phase, Some(Phase::Initializing));
    assert_eq!(
        world.notification("escalation").unwrap()["priority"],
        "high"
    );
    assert_eq!(world.count(RP), 0);
}

#[test]
fn limits_that_cannot_be_read_fail_with_category_c() {
    let mut world = World::with(|request| {
        request.spec.timeouts =
            Some(serde_json::from_value(json!({ "executing": "soon" })).unwrap());
    });
    world.reconcile();
    assert_eq!(world.outcome(), (Phase::Failed, "InvalidSpec".into()));
    assert!(
        world
            .status()
            .message
            .as_ref()
            .unwrap()
            .contains("spec.timeouts.executing")
    );
}

#[test]
fn a_completed_processing_leads_to_an_analysis_with_its_enriched_data() {
    let mut world = World::until(Phase::Processing);
    world.says(RP, completed_processing());
    assert_eq!(world.phase(), Phase::Analyzing);
    let spec = world.spec_of(AIA);
    assert_eq!(spec["enrichedData"], json!({ "owner": "team-a" }));
    assert_eq!(spec["targetingData"]["signalFingerprint"], "fp-1");
    assert_eq!(spec["attempt"], 1);
}

#[test]
fn a_failed_child_fails_the_request_with_its_own_reason_and_message() {
    for (phase, kind) in [
        (Phase::Processing, RP),
        (Phase::Analyzing, AIA),
        (Phase::WorkflowPlanning, WFE),
        (Phase::Executing, WFE),
    ] {
        let mut world = World::until(phase);
        world.says(
            kind,
            json!({ "phase": "Failed", "reason": "OutOfQuota", "message": "no room" }),
        );
        assert_eq!(
            world.outcome(),
            (Phase::Failed, "OutOfQuota".into()),
            "{phase}"
        );
        let status = world.status();
        assert!(status.message.as_ref().unwrap().contains("no room"));
        assert_eq!(status.failure_category, Some(Category::F));
        assert_eq!(
            (status.failure_phase, status.timeout_phase),
            (Some(phase), None)
        );
        let escalation = world.notification("escalation").unwrap();
        assert_eq!(escalation["metadata"]["phase"], phase.name());
    }
}

#[test]
fn a_child_that_fails_without_any_reason_is_still_explained() {
    let mut world = World::until(Phase::Analyzing);
    world.says(AIA, json!({ "phase": "Failed" }));
    assert_eq!(world.outcome(), (Phase::Failed, "AIAnalysisFailed".into()));
    assert!(
        world
            .status()
            .message
            .as_ref()
            .unwrap()
            .contains("it gave no reason")
    );
}

#[test]
fn an_analysis_that_is_ready_or_completed_leads_to_a_workflow_with_its_recommendations() {
    for word in ["Ready", "Completed"] {
        let mut world = World::until(Phase::Analyzing);
        let recommended =
            json!([{ "action": "Scale", "description": "up", "parameters": { "replicas": 3 } }]);
        world.says(
            AIA,
            json!({ "phase": word, "investigationResult": { "recommendations": recommended } }),
        );
        assert_eq!(world.phase(), Phase::WorkflowPlanning, "{word}");
        let spec = world.spec_of(WFE);
        assert_eq!(spec["recommendations"], recommended);
        assert_eq!(
            spec["notAfter"], "2026-03-01T13:30:00.000Z",
            "the overall deadline"
        );
    }
}

#[test]
fn an_analysis_that_recommends_nothing_fails() {
    let mut world = World::until(Phase::Analyzing);
    world.says(AIA, json!({ "phase": "Ready" }));
    assert_eq!(world.outcome(), (Phase::Failed, "NoRecommendation".into()));
    assert_eq!(world.count(WFE), 0);
}

#[test]
fn a_workflow_that_executes_or_runs_leads_to_executing() {
    for word in ["Executing", "Running"] {
        let mut world = World::until(Phase::WorkflowPlanning);
        world.says(WFE, json!({ "phase": word }));
        assert_eq!(world.phase(), Phase::Executing, "{word}");
    }
}

#[test]
fn a_workflow_that_is_completed_at_once_goes_through_executing_to_completed_in_one_write() {
    let mut world = World::until(Phase::WorkflowPlanning);
    let before = world.calls(records);
    world.says(WFE, json!({ "phase": "Completed" }));
    assert_eq!(world.phase(), Phase::Completed);
    assert_eq!(world.calls(records), before + 1);
    let phases: Vec<String> = world
        .status()
        .history
        .iter()
        .map(|e| e.phase.to_string())
        .collect();
    assert_eq!(
        phases,
        [
            "Processing",
            "Analyzing",
            "WorkflowPlanning",
            "Executing",
            "Completed"
        ]
    );
}

#[test]
fn the_success_notification_comes_before_completed() {
    let mut world = World::until(Phase::Executing);
    let before = world.calls.len();
    world.says(WFE, json!({ "phase": "Completed" }));
    assert!(creates(&world.calls[before]) && records(&world.calls[before + 1]));
    let success = world.notification("success").unwrap();
    assert_eq!(
        (&success["priority"], &success["channels"]),
        (&json!("low"), &json!(["slack"]))
    );
    assert_eq!(world.condition("Complete").unwrap().0, "True");
}

#[test]
fn a_failed_step_fails_the_request_and_no_further_step_is_created() {
    let steps = json!([{ "name": "a" }, { "name": "b" }, { "name": "c", "dependsOn": ["b"] }]);
    let mut world = World::running(&steps);
    let b = ChildKey::new(KEXEC, "web-execution-b");
    world.write_status(&b, json!({ "phase": "Completed" }));
    world.step_says("a", json!({ "phase": "Failed", "reason": "Crashed" }));
    assert_eq!(world.outcome(), (Phase::Failed, "Crashed".into()));
    assert_eq!(world.count(KEXEC), 2, "c was never created");
    let body = world.notification("escalation").unwrap()["body"]
        .as_str()
        .unwrap();
    assert!(
        body.contains("May still be running: WorkflowExecution/web-workflow"),
        "{body}"
    );
    assert!(!body.contains("web-execution-b"), "{body}");
}

#[test]
fn of_many_executions_that_may_still_run_eight_are_named_and_the_others_counted() {
    let told = |steps: usize| {
        let names = (1..=steps).map(|n| format!("s{n}"));
        let steps: Vec<_> = names.map(|name| json!({ "name": name })).collect();
        let mut world = World::running(&json!(steps));
        world.step_says("s1", json!({ "phase": "Failed" }));
        let body = world.notification("escalation").unwrap()["body"].clone();
        let text = body.as_str().unwrap().to_owned();
        let line = text
            .lines()
            .find(|line| line.starts_with("May still be running"));
        line.unwrap().to_owned()
    };
    // The workflow itself is one of them, and the step that failed is none.
    let eight = told(8);
    assert_eq!(eight.matches("web-").count(), 8, "{eight}");
    assert!(!eight.contains("more"), "{eight}");
    let ten = told(10);
    assert_eq!(ten.matches("web-").count(), 8, "{ten}");
    assert!(ten.ends_with(", and 2 more"), "{ten}");
}

#[test]
fn an_owned_child_is_owned_and_labelled_and_a_notification_is_labelled_only() {
    let mut world = World::running(&json!([{ "name": "a" }]));
    world.step_says("a", json!({ "phase": "Failed" }));
    for object in world.objects.values() {
        let child = &object.child;
        let uid = &world.request.as_ref().unwrap().identity.uid;
        assert_eq!(child.request_label.as_deref(), Some("web"));
        assert_eq!(child.request_uid_label.as_ref(), Some(uid));
        assert_eq!(
            child.owner.is_some(),
            child.key.kind != NOTIF,
            "{}",
            child.key
        );
    }
}

#[test]
fn a_completed_child_counts_also_while_it_is_being_deleted() {
    let mut world = World::until(Phase::Processing);
    let key = world.key_of(RP);
    world.change(&key, |child| child.deleting = true);
    world.says(RP, completed_processing());
    assert_eq!(world.phase(), Phase::Analyzing);
    let key = world.key_of(AIA);
    world.change(&key, |child| child.deleting = true);
    world.says(AIA, ready());
    let key = world.key_of(WFE);
    world.change(&key, |child| child.deleting = true);
    world.says(WFE, json!({ "phase": "Completed" }));
    assert_eq!(world.phase(), Phase::Completed);
}

#[test]
fn the_steps_that_are_ready_exist_before_the_one_write_that_says_executing() {
    let mut world = World::until(Phase::WorkflowPlanning);
    let before = world.calls.len();
    world.says(WFE, executing(&json!([{ "name": "a" }, { "name": "b" }])));
    let made = &world.calls[before..];
    assert_eq!(made.len(), 3);
    assert!(creates(&made[0]) && creates(&made[1]) && records(&made[2]));
    assert_eq!(world.status().kubernetes_execution_refs.len(), 2);
}
