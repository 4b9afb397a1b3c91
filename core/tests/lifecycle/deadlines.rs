//! Deadlines: exact to the nanosecond, each with its own reason; a result seen at the same moment comes first.

use jiff::{SignedDuration, Timestamp};
use remediation_core::phase::Phase;
use remediation_core::request::Timeouts;
use serde_json::json;

use crate::world::World;
use crate::world::api::{creates_a, unavailable};
use crate::world::children::{AIA, RP, WFE, completed_processing, ready};

const NANO: SignedDuration = SignedDuration::from_nanos(1);
const MINUTE: i64 = 60;

/// The child of each phase, and a word that says it has begun.
const WAITED_FOR: [(Phase, remediation_core::kind::ChildKind, &str); 4] = [
    (Phase::Processing, RP, "Processing"),
    (Phase::Analyzing, AIA, "Investigating"),
    (Phase::WorkflowPlanning, WFE, "Planning"),
    (Phase::Executing, WFE, "Executing"),
];

fn deadline(world: &World) -> Timestamp {
    let next = world.status().next_deadline.unwrap().moment();
    assert_eq!(world.wake, Some(next), "the wake-up is the deadline");
    next
}

#[test]
fn a_phase_times_out_at_its_deadline_and_not_a_nanosecond_earlier() {
    for (phase, kind, word) in WAITED_FOR {
        let mut world = World::until(phase);
        world.after_secs(5);
        world.says(kind, json!({ "phase": word }));
        let deadline = deadline(&world);
        let allowed = if phase == Phase::Executing { 30 } else { 15 };
        let start = world.status().phase_start_time.unwrap().moment();
        assert_eq!(
            deadline,
            start + SignedDuration::from_secs(allowed * MINUTE)
        );
        world.now = deadline - NANO;
        world.reconcile();
        assert_eq!(world.phase(), phase);
        world.now = deadline;
        world.reconcile();
        assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
        assert_eq!(world.status().timeout_phase, Some(phase));
        assert!(world.notification("escalation").is_some());
    }
}

#[test]
fn a_result_seen_at_the_deadline_wins_over_it() {
    for (kind, result, from, to) in [
        (
            RP,
            completed_processing(),
            Phase::Processing,
            Phase::Analyzing,
        ),
        (AIA, ready(), Phase::Analyzing, Phase::WorkflowPlanning),
        (
            WFE,
            json!({ "phase": "Executing" }),
            Phase::WorkflowPlanning,
            Phase::Executing,
        ),
        (
            WFE,
            json!({ "phase": "Completed" }),
            Phase::Executing,
            Phase::Completed,
        ),
    ] {
        let mut world = World::until(from);
        world.now = world.status().next_deadline.unwrap().moment();
        world.says(kind, result);
        assert_eq!(world.phase(), to);
        assert_eq!(
            world.status().timeout_phase,
            None,
            "S13: it did not time out"
        );
    }
}

#[test]
fn a_childs_own_failure_seen_at_the_deadline_is_the_reason() {
    let mut world = World::until(Phase::Processing);
    world.now = world.status().next_deadline.unwrap().moment();
    world.says(RP, json!({ "phase": "Failed", "reason": "Broken" }));
    assert_eq!(world.outcome().1, "Broken");
    assert_eq!(world.status().timeout_phase, None);
}

#[test]
fn a_result_that_comes_after_the_failure_was_recorded_changes_nothing() {
    let mut world = World::until(Phase::Executing);
    world.says(WFE, json!({ "phase": "Executing" }));
    world.run_for_secs(31 * MINUTE);
    assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
    let calls = world.calls.len();
    world.says(WFE, json!({ "phase": "Completed" }));
    assert_eq!((world.phase(), world.calls.len()), (Phase::Failed, calls));
}

#[test]
fn a_child_that_nobody_began_with_is_reported_after_a_minute_and_blamed_at_the_deadline() {
    for (phase, kind, _) in &WAITED_FOR[..3] {
        let mut world = World::until(*phase);
        assert_eq!(world.condition("Reconciling").unwrap().1, "InProgress");
        world.run_for_secs(60);
        assert_eq!(
            world.condition("Reconciling").unwrap().1,
            "ChildNeverStarted",
            "{kind}"
        );
        assert_eq!(world.events("ChildNeverStarted"), 1);
        world.run_for_secs(15 * MINUTE);
        assert_eq!(world.outcome(), (Phase::Failed, "ChildNeverStarted".into()));
        assert_eq!(world.status().timeout_phase, Some(*phase));
    }
}

#[test]
fn a_child_that_begins_late_is_no_trouble_any_more() {
    let mut world = World::until(Phase::Processing);
    world.run_for_secs(90);
    world.says(RP, json!({ "phase": "Processing" }));
    assert_eq!(world.condition("Reconciling").unwrap().1, "InProgress");
    world.run_for_secs(15 * MINUTE);
    assert_eq!(world.outcome().1, "PhaseTimeout");
}

#[test]
fn a_step_that_nobody_began_with_is_blamed_at_the_deadline() {
    let mut world = World::running(&json!([{ "name": "a" }]));
    world.run_for_secs(31 * MINUTE);
    assert_eq!(world.outcome(), (Phase::Failed, "ChildNeverStarted".into()));
    let message = world.status().message.as_ref().unwrap();
    assert!(
        message.contains("KubernetesExecution/web-execution-a has no status"),
        "{message}"
    );
}

#[test]
fn the_overall_deadline_counts_from_the_start_and_comes_first_where_it_is_earlier() {
    let mut world = World::with(|request| {
        request.spec.timeouts = Some(Timeouts {
            overall: Some("20m".into()),
            ..Timeouts::default()
        });
    });
    world.proceed_to(Phase::Processing);
    world.after_secs(10 * MINUTE);
    world.proceed_to(Phase::Analyzing);
    world.says(AIA, json!({ "phase": "Investigating" }));
    let start = world.status().start_time.unwrap().moment();
    assert_eq!(
        deadline(&world),
        start + SignedDuration::from_secs(20 * MINUTE)
    );
    world.run_for_secs(11 * MINUTE);
    assert_eq!(world.outcome(), (Phase::Failed, "OverallTimeout".into()));
    assert_eq!(world.status().timeout_phase, Some(Phase::Analyzing));
    assert!(
        world.status().message.as_ref().unwrap().contains("20m"),
        "the real limit is named"
    );
}

#[test]
fn a_phase_that_cannot_create_its_child_is_bounded_by_its_clock_and_says_why() {
    let mut world = World::new();
    world.refuse_always(|call| creates_a(call, RP), unavailable());
    world.reconcile();
    assert_eq!(world.phase(), Phase::Initializing);
    world.run_for_secs(16 * MINUTE);
    assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
    assert_eq!(world.status().timeout_phase, Some(Phase::Initializing));
    assert!(
        world
            .status()
            .message
            .as_ref()
            .unwrap()
            .contains("etcd leader changed")
    );
}

#[test]
fn a_next_child_that_cannot_be_created_does_not_stop_the_clock() {
    let mut world = World::until(Phase::Processing);
    world.refuse_always(|call| creates_a(call, AIA), unavailable());
    world.says(RP, completed_processing());
    assert_eq!(world.phase(), Phase::Processing);
    world.run_for_secs(16 * MINUTE);
    assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
}

#[test]
fn what_was_due_while_the_orchestrator_was_away_is_done_at_once_when_it_is_back() {
    let mut world = World::until(Phase::Analyzing);
    world.restart();
    world.after_secs(10 * 3600);
    assert_eq!(world.outcome(), (Phase::Failed, "ChildNeverStarted".into()));
    let mut world = World::until(Phase::Analyzing);
    world.write_status(&world.key_of(AIA), ready());
    world.restart();
    world.after_secs(20 * MINUTE);
    assert_eq!(
        world.phase(),
        Phase::WorkflowPlanning,
        "the result was there in time"
    );
}

/// It is the one that status names: somebody should have begun with it.
#[test]
fn a_named_child_that_is_on_its_way_out_without_a_status_was_never_begun_with() {
    let mut world = World::until(Phase::Processing);
    world.begin_deleting(RP);
    world.run_for_secs(15 * MINUTE);
    assert_eq!(world.outcome(), (Phase::Failed, "ChildNeverStarted".into()));
    let message = world.status().message.as_ref().unwrap();
    assert!(
        message.contains("web-processing has no status"),
        "{message}"
    );
}
