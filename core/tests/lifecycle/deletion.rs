//! Deletion and retention: once deletion began nothing more is done, and what ended is deleted when its time is over.

use jiff::SignedDuration;
use remediation_core::pass::Call;
use remediation_core::phase::{Phase, PhaseWord};
use serde_json::json;

use crate::world::api::{conflicting, forbidden, notifies, records, unavailable};
use crate::world::children::{RP, WFE, completed_processing};
use crate::world::{Reply, World};

fn deletes_the_request(call: &Call) -> bool {
    matches!(call, Call::DeleteRequest { .. })
}

#[test]
fn a_request_that_is_being_deleted_is_left_alone_in_every_phase() {
    for phase in [
        Phase::Processing,
        Phase::Analyzing,
        Phase::WorkflowPlanning,
        Phase::Executing,
        Phase::Completed,
    ] {
        let mut world = World::until(phase);
        let request = world.request.as_mut().unwrap();
        request.deleting = true;
        let calls = world.calls.len();
        world.reconcile();
        world.after_secs(100_000);
        assert_eq!((world.calls.len(), world.wake), (calls, None), "{phase}");
    }
}

#[test]
fn a_request_is_deleted_when_its_time_to_live_is_over_and_not_earlier() {
    for (asked, seconds) in [(None, 86_400), (Some(60), 60), (Some(0), 0)] {
        let mut world = World::with(|request| request.spec.ttl_seconds_after_finished = asked);
        world.proceed_to(Phase::Executing);
        world.write_status(&world.key_of(WFE), json!({ "phase": "Completed" }));
        let ended = world.now;
        world.reconcile();
        if seconds > 0 {
            let expiry = ended + SignedDuration::from_secs(seconds);
            assert_eq!(world.status().expiry_time.unwrap().moment(), expiry);
            assert_eq!(world.wake, Some(expiry));
            world.now = expiry - SignedDuration::from_nanos(1);
            world.reconcile();
            assert!(world.request.is_some());
            world.now = expiry;
            world.reconcile();
        }
        assert!(world.request.is_none());
    }
}

#[test]
fn a_request_that_failed_is_retained_the_same_way() {
    let mut world = World::until(Phase::Processing);
    world.says(RP, json!({ "phase": "Failed" }));
    world.run_for_secs(86_399);
    assert!(world.request.is_some());
    world.run_for_secs(1);
    assert!(world.request.is_none());
}

#[test]
fn the_time_to_live_counts_from_the_end_not_from_the_failure() {
    let mut world = World::until(Phase::Processing);
    // The escalation cannot be created at first, so that Failed is recorded later than the failure.
    world.fault(notifies, Reply::Refuse(unavailable()), Some(2));
    world.says(RP, json!({ "phase": "Failed" }));
    let failed = world.status().failure_time.unwrap().moment();
    world.run_for_secs(60);
    let ended = world.status().completion_time.unwrap().moment();
    assert!(ended > failed + SignedDuration::from_secs(5));
    let day = SignedDuration::from_secs(86_400);
    world.run_until(ended + day - SignedDuration::from_nanos(1));
    world.reconcile();
    assert!(world.request.is_some(), "S25");
    world.run_until(ended + day);
    assert!(world.request.is_none());
}

#[test]
fn a_completed_request_stays_completed_whatever_its_spec_says_by_now() {
    let mut world = World::until(Phase::Completed);
    let status = world.status().clone();
    let spec = &mut world.request.as_mut().unwrap().spec;
    spec.targeting_data = None;
    spec.ttl_seconds_after_finished = Some(-5);
    spec.timeouts = Some(serde_json::from_value(json!({ "overall": "soon" })).unwrap());
    world.reconcile();
    assert_eq!(*world.status(), status, "S7");
}

#[test]
fn the_completion_time_decides_whatever_the_phase_was_edited_to() {
    let mut world = World::until(Phase::Completed);
    let written = world.calls(records);
    world.edit(|status| status.phase = Some(PhaseWord::Known(Phase::Processing)));
    world.edit(|status| status.phase = Some(PhaseWord::Unknown("Again".into())));
    assert_eq!(world.calls(records), written);
    world.run_for_secs(90_000);
    assert!(world.request.is_none());
}

#[test]
fn retention_also_happens_where_the_operator_was_down_across_it() {
    let mut world = World::until(Phase::Completed);
    world.restart();
    world.after_secs(500_000);
    assert!(world.request.is_none());
}

#[test]
fn a_deletion_that_is_refused_is_tried_with_backoff() {
    for answer in [unavailable(), forbidden("cannot delete")] {
        let mut world = World::until(Phase::Completed);
        world.lenient = true;
        world.refuse_always(deletes_the_request, answer);
        world.run_for_secs(86_400 + 300);
        let tries = world.calls(deletes_the_request);
        assert!((5..15).contains(&tries), "{tries}");
        world.faults.clear();
        world.run_for_secs(60);
        assert!(world.request.is_none());
    }
}

#[test]
fn a_deletion_that_always_comes_second_is_tried_three_times_and_then_with_backoff() {
    let mut world = World::until(Phase::Completed);
    (world.rests, world.lenient) = (false, true);
    world.refuse_always(deletes_the_request, conflicting());
    world.after_secs(86_400);
    assert_eq!(world.calls(deletes_the_request), 3);
    assert_eq!(world.wake.unwrap().duration_since(world.now).as_secs(), 5);
    world.run_for_secs(600);
    let tries = world.calls(deletes_the_request);
    assert!((30..100).contains(&tries), "{tries}");
    world.faults.clear();
    world.run_for_secs(60);
    assert!(world.request.is_none());
}

#[test]
fn a_request_that_is_created_again_under_the_same_name_begins_from_nothing() {
    let mut world = World::until(Phase::Analyzing);
    let identity = &mut world.request.as_mut().unwrap().identity;
    identity.uid = "ffffffff-2222".into();
    world.edit_unseen(|status| *status = remediation_core::status::Status::default());
    world.oracle.edited = false;
    world.memory = remediation_core::memory::Memory::default();
    world.reconcile();
    assert_eq!(
        world.phase(),
        Phase::Initializing,
        "the earlier children are in the way"
    );
    world.objects.clear();
    world.run_for_secs(60);
    world.says(RP, completed_processing());
    assert_eq!(world.phase(), Phase::Analyzing);
}
