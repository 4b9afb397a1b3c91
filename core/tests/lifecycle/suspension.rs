//! Suspension: nothing is created and no clock runs; the pause is added to every deadline to the millisecond.

use jiff::SignedDuration;
use remediation_core::phase::Phase;
use remediation_core::time::Time;
use serde_json::json;

use crate::world::api::{creates, records};
use crate::world::children::{AIA, RP, WFE, completed_processing};
use crate::world::{Crash, Fate, World};

const PAUSE: SignedDuration = SignedDuration::from_millis(1_234_567);

#[test]
fn the_pause_is_added_to_the_deadline_of_every_phase_exactly() {
    for phase in [
        Phase::Processing,
        Phase::Analyzing,
        Phase::WorkflowPlanning,
        Phase::Executing,
    ] {
        let mut world = World::until(phase);
        let reason = world.status().reason.clone();
        let deadline = world.status().next_deadline.unwrap().moment();
        world.after_secs(30);
        world.suspend(true);
        assert_eq!(world.wake, None, "resuming is an event");
        assert_eq!(world.status().next_deadline, None);
        assert_eq!(world.condition("Suspended").unwrap().0, "True");
        world.now += PAUSE;
        world.reconcile();
        assert_eq!((world.phase(), &world.status().reason), (phase, &reason));
        world.suspend(false);
        assert_eq!(world.condition("Suspended"), None);
        assert_eq!(
            world.status().next_deadline.unwrap().moment(),
            deadline + PAUSE
        );
        world.now = deadline + PAUSE - SignedDuration::from_nanos(1);
        world.reconcile();
        assert_eq!(world.phase(), phase);
        world.now = deadline + PAUSE;
        world.reconcile();
        assert_eq!(world.phase(), Phase::Failed);
    }
}

#[test]
fn every_pause_counts_towards_the_overall_deadline_and_only_its_own_towards_the_phases() {
    let mut world = World::with(|request| {
        request.spec.timeouts = Some(serde_json::from_value(json!({ "overall": "20m" })).unwrap());
    });
    world.reconcile();
    let start = world.now;
    for _ in 0..2 {
        world.suspend(true);
        world.after_secs(600);
        world.suspend(false);
    }
    world.proceed_to(Phase::Analyzing);
    world.suspend(true);
    world.after_secs(600);
    world.suspend(false);
    assert_eq!(
        world.status().suspended_total.unwrap().as_millis(),
        1_800_000
    );
    assert_eq!(
        world.status().suspended_in_phase.unwrap().as_millis(),
        600_000
    );
    let overall = start + SignedDuration::from_mins(20 + 30);
    let phase = start + SignedDuration::from_mins(20 + 15 + 10);
    assert_eq!(
        world.status().next_deadline.unwrap().moment(),
        phase.min(overall)
    );
}

#[test]
fn a_pause_while_waiting_for_approval_is_added_to_the_approval_deadline() {
    let mut world = World::until(Phase::Analyzing);
    world.suspend(true);
    world.after_secs(100);
    world.suspend(false);
    world.says(AIA, json!({ "phase": "Approving" }));
    let asked = world.now;
    world.suspend(true);
    world.now += PAUSE;
    world.suspend(false);
    let expected = asked + SignedDuration::from_mins(15) + PAUSE;
    assert_eq!(world.status().next_deadline.unwrap().moment(), expected);
}

#[test]
fn nothing_is_created_while_suspended_and_what_was_missed_is_done_afterwards() {
    let mut world = World::until(Phase::Processing);
    world.suspend(true);
    let made = world.calls(creates);
    world.says(RP, completed_processing());
    world.after_secs(3600 * 24);
    assert_eq!(
        (world.calls(creates), world.phase()),
        (made, Phase::Processing)
    );
    world.suspend(false);
    assert_eq!(world.phase(), Phase::Analyzing);
}

#[test]
fn a_request_that_is_born_suspended_waits_in_pending_and_begins_with_a_fresh_clock() {
    let mut world = World::with(|request| request.spec.suspend = true);
    world.reconcile();
    assert_eq!(
        (world.phase(), world.calls(creates), world.calls(records)),
        (Phase::Pending, 0, 1)
    );
    assert_eq!(world.status().start_time, None);
    world.after_secs(7200);
    assert_eq!(world.calls(records), 1);
    world.suspend(false);
    assert_eq!(world.phase(), Phase::Processing);
    assert_eq!(world.status().start_time.unwrap().moment(), world.now);
    assert_eq!(world.status().suspended_total, None);
}

#[test]
fn a_deadline_that_passes_while_suspended_has_not_passed() {
    let mut world = World::until(Phase::Processing);
    world.after_secs(15 * 60 - 1);
    world.suspend(true);
    world.after_secs(3600);
    world.suspend(false);
    assert_eq!(world.phase(), Phase::Processing);
    world.after_secs(1);
    assert_eq!(world.phase(), Phase::Failed);
}

#[test]
fn a_request_that_ended_ignores_it() {
    let mut world = World::until(Phase::Completed);
    let before = world.status().clone();
    world.suspend(true);
    world.after_secs(60);
    assert_eq!(*world.status(), before);
    world.run_for_secs(90_000);
    assert!(world.request.is_none(), "it expires all the same");
}

#[test]
fn a_failure_that_is_recorded_waits_for_the_resumption_to_be_escalated() {
    let mut world = World::until(Phase::Executing);
    world.crash = Some(Crash {
        at: 2,
        fate: Fate::NotApplied,
    });
    world.says(WFE, json!({ "phase": "Failed" }));
    world.suspend(true);
    assert_eq!(world.phase(), Phase::Executing);
    world.suspend(false);
    assert_eq!(world.phase(), Phase::Failed);
}

#[test]
fn suspending_twice_writes_once() {
    let mut world = World::until(Phase::Processing);
    world.suspend(true);
    let written = world.calls(records);
    world.suspend(true);
    world.restart();
    world.after_secs(60);
    assert_eq!(world.calls(records), written);
}

#[test]
fn a_pause_that_a_hand_began_long_ago_counts_as_ten_years() {
    let mut world = World::until(Phase::Processing);
    world.suspend(true);
    let long_ago = "1970-01-01T00:00:00Z".parse().unwrap();
    world.edit(|status| status.suspended_since = Some(Time::at(long_ago)));
    world.suspend(false);
    assert_eq!(world.phase(), Phase::Processing);
    let paused = world.status().suspended_total.unwrap();
    assert_eq!(paused.to_string(), "87600h");
}
