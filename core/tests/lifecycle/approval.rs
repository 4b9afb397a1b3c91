//! Approval: whoever must agree is asked once, and what they decide counts.

use jiff::SignedDuration;
use remediation_core::names::Occasion;
use remediation_core::phase::Phase;
use serde_json::{Value, json};

use crate::world::api::{creates, invalid, notifies, records, unavailable};
use crate::world::children::{AIA, NOTIF, WFE};
use crate::world::{Crash, Fate, World};

fn analysis(phase: &str, required: bool, decision: &str) -> Value {
    json!({
        "phase": phase,
        "approval": { "required": required, "decision": decision, "decidedBy": "sre@example.org" },
        "investigationResult": { "rootCause": "leak", "recommendations": [{ "action": "Scale" }] },
    })
}

#[test]
fn what_each_phase_requirement_and_decision_leads_to() {
    let waits = Some(Phase::Analyzing);
    let goes_on = Some(Phase::WorkflowPlanning);
    let fails = Some(Phase::Failed);
    for (phase, required, decision, then, asks) in [
        ("Investigating", false, "", waits, false),
        ("Investigating", true, "", waits, true),
        ("", true, "", waits, true),
        ("Approving", false, "", waits, true),
        ("Approving", true, "", waits, true),
        ("Approving", true, "Approved", waits, false),
        ("Ready", false, "", goes_on, false),
        ("Ready", true, "", waits, true),
        ("Completed", true, "", waits, true),
        ("Ready", true, "Approved", goes_on, false),
        ("Ready", true, "approved", waits, true),
        ("Ready", true, "Maybe", waits, true),
        ("Ready", false, "Maybe", goes_on, false),
        ("Ready", true, "Rejected", fails, false),
        ("Ready", false, "Rejected", fails, false),
        ("Investigating", true, "Rejected", fails, false),
        ("Rejected", false, "", fails, false),
        ("Rejected", true, "Approved", fails, false),
        ("Dreaming", true, "", waits, true),
        ("Dreaming", true, "Approved", waits, false),
    ] {
        let mut world = World::until(Phase::Analyzing);
        world.says(AIA, analysis(phase, required, decision));
        let row = format!("{phase}, required {required}, {decision}");
        assert_eq!(Some(world.phase()), then, "{row}");
        assert_eq!(world.notification("approval").is_some(), asks, "{row}");
        assert_eq!(world.status().approval_notification_sent, asks, "{row}");
        assert_eq!(world.condition("AwaitingApproval").is_some(), asks, "{row}");
        if then == fails {
            assert_eq!(world.outcome().1, "AnalysisRejected", "{row}");
        }
    }
}

#[test]
fn the_approval_deadline_replaces_that_of_the_analysis() {
    let mut world = World::until(Phase::Analyzing);
    world.after_secs(14 * 60);
    world.says(AIA, analysis("Approving", true, ""));
    let asked = world.now;
    let deadline = asked + SignedDuration::from_mins(15);
    assert_eq!(world.status().next_deadline.unwrap().moment(), deadline);
    assert_eq!(world.wake, Some(deadline));
    world.now = deadline - SignedDuration::from_nanos(1);
    world.reconcile();
    assert_eq!(world.phase(), Phase::Analyzing);
    world.now = deadline;
    world.reconcile();
    assert_eq!(world.outcome(), (Phase::Failed, "ApprovalExpired".into()));
    assert_eq!(world.status().timeout_phase, Some(Phase::Analyzing));
    assert_eq!(world.condition("AwaitingApproval"), None);
}

#[test]
fn approval_that_comes_late_but_before_the_decision_to_expire_counts() {
    let mut world = World::until(Phase::Analyzing);
    world.says(AIA, analysis("Approving", true, ""));
    world.now = world.wake.unwrap();
    world.says(AIA, analysis("Ready", true, "Approved"));
    assert_eq!(world.phase(), Phase::WorkflowPlanning);
}

#[test]
fn people_are_asked_once_whatever_the_analysis_says_next() {
    let mut world = World::until(Phase::Analyzing);
    for phase in ["Approving", "Investigating", "Approving", "Ready"] {
        world.after_secs(2);
        world.says(AIA, analysis(phase, true, ""));
    }
    world.restart();
    world.reconcile();
    assert_eq!(world.calls(notifies), 1);
    let approval = world.notification("approval").unwrap();
    assert_eq!(approval["priority"], "high");
    let body = approval["body"].as_str().unwrap();
    assert!(
        body.contains("Root cause: leak") && body.contains("Recommended: Scale"),
        "{body}"
    );
}

#[test]
fn a_crash_after_the_request_for_approval_asks_nobody_twice() {
    let mut world = World::until(Phase::Analyzing);
    world.crash = Some(Crash {
        at: 0,
        fate: Fate::Applied,
    });
    world.says(AIA, analysis("Approving", true, ""));
    assert!(!world.status().approval_notification_sent);
    world.reconcile();
    assert!(world.status().approval_notification_sent);
    assert_eq!(world.count(NOTIF), 1);
}

#[test]
fn a_request_for_approval_that_is_refused_starts_the_clock_and_is_tried_again() {
    let mut world = World::until(Phase::Analyzing);
    world.refuse_once(notifies, unavailable());
    world.says(AIA, analysis("Approving", true, ""));
    assert_eq!(world.condition("Escalated").unwrap().0, "False");
    assert!(world.status().approval_requested_time.is_some());
    world.run_for_secs(10);
    assert!(world.status().approval_notification_sent);
    assert_eq!(world.condition("Escalated"), None);
}

#[test]
fn a_request_for_approval_that_never_gets_through_leaves_no_debt_after_the_success() {
    let mut world = World::until(Phase::Analyzing);
    world.refuse_once(notifies, invalid());
    world.says(AIA, analysis("Approving", true, ""));
    world.says(AIA, analysis("Ready", true, "Approved"));
    world.says(WFE, json!({ "phase": "Completed" }));
    assert_eq!(world.phase(), Phase::Completed);
    assert_eq!(world.condition("Escalated"), None);
    let (written, made) = (world.calls(records), world.calls(creates));
    world.run_for_secs(3600);
    assert_eq!(
        (world.calls(records), world.calls(creates)),
        (written, made)
    );
}

#[test]
fn an_analysis_on_its_way_out_asks_nobody_and_is_created_again_once_it_is_gone() {
    let mut world = World::until(Phase::Analyzing);
    world.begin_deleting(AIA);
    world.says(AIA, analysis("Approving", true, ""));
    assert_eq!(world.count(NOTIF), 0);
    let lost = world.uid_of(AIA);
    world.vanish(AIA);
    assert_ne!(world.uid_of(AIA), lost);
    assert_eq!(
        world.status().ai_analysis_ref.as_ref().unwrap().uid,
        world.uid_of(AIA)
    );
}

#[test]
fn status_names_the_notification_of_each_occasion() {
    let mut world = World::until(Phase::Analyzing);
    world.says(AIA, analysis("Ready", true, ""));
    world.says(AIA, analysis("Ready", true, "Approved"));
    world.proceed_to(Phase::Completed);
    let named = world.status().notification_refs.iter();
    let named: Vec<Occasion> = named.map(|reference| reference.occasion).collect();
    assert_eq!(named, [Occasion::Approval, Occasion::Success]);
}
