//! Clocks that jump, differ or stand still: stored times count, and one that lies ahead is rewritten once.

use jiff::SignedDuration;
use remediation_core::phase::Phase;
use remediation_core::time::{GoDuration, Time};
use serde_json::json;

use crate::world::World;
use crate::world::api::{creates_a, records, unavailable};
use crate::world::children::{AIA, RP, completed_processing, ready};

#[test]
fn a_jump_forward_passes_the_deadlines_that_it_passes() {
    for (hours, then) in [
        (0, Phase::Processing),
        (1, Phase::Failed),
        (25, Phase::Failed),
    ] {
        let mut world = World::until(Phase::Processing);
        world.after_secs(hours * 3600 + 1);
        assert_eq!(world.phase(), then);
    }
}

#[test]
fn a_start_more_than_five_seconds_ahead_is_rewritten_once() {
    for (ahead, rewritten) in [(5_000, false), (5_001, true), (3_600_000, true)] {
        let mut world = World::until(Phase::Processing);
        let start = world.now;
        world.now -= SignedDuration::from_millis(ahead);
        world.reconcile();
        let expected = if rewritten { world.now } else { start };
        assert_eq!(
            world.status().start_time.unwrap().moment(),
            expected,
            "{ahead} ms"
        );
        assert_eq!(world.status().phase_start_time.unwrap().moment(), expected);
        let written = world.calls(records);
        world.reconcile();
        assert_eq!(world.calls(records), written, "once");
    }
}

#[test]
fn a_clock_that_went_back_stops_no_clock() {
    let mut world = World::until(Phase::Analyzing);
    world.says(AIA, json!({ "phase": "Approving" }));
    world.after_secs(-25 * 3600);
    world.run_for_secs(15 * 60);
    assert_eq!(world.outcome(), (Phase::Failed, "ApprovalExpired".into()));
}

#[test]
fn a_clock_that_went_back_delays_no_retry() {
    let mut world = World::until(Phase::Processing);
    world.refuse_once(|call| creates_a(call, AIA), unavailable());
    world.says(RP, completed_processing());
    world.after_secs(-3600);
    assert_eq!(world.phase(), Phase::Analyzing);
}

#[test]
fn stored_times_never_go_back() {
    let mut world = World::until(Phase::Processing);
    world.after_secs(-3);
    world.says(RP, completed_processing());
    let status = world.status();
    assert_eq!(
        status.phase_start_time, status.start_time,
        "not before the start"
    );
    world.after_secs(-1);
    world.says(AIA, json!({ "phase": "Failed" }));
    let status = world.status();
    assert!(status.completion_time >= status.start_time);
    assert!(status.history.is_sorted_by_key(|entry| entry.time));
    assert_eq!(status.history_dropped, None, "S35: all of it is there");
}

#[test]
fn history_goes_on_from_its_last_entry_where_that_is_a_little_ahead() {
    let mut world = World::until(Phase::Analyzing);
    world.now -= SignedDuration::from_secs(3);
    // A hand took the starts away, so that they are set anew by the clock that went back.
    world.edit_unseen(|status| (status.start_time, status.phase_start_time) = (None, None));
    world.says(AIA, ready());
    assert_eq!(world.phase(), Phase::WorkflowPlanning);
    let history = &world.status().history;
    assert!(
        history.is_sorted_by_key(|entry| entry.time),
        "S8: {history:?}"
    );
}

#[test]
fn a_failure_time_that_lies_ahead_holds_nothing_up() {
    let mut world = World::until(Phase::Processing);
    let never = Time::at(world.now).plus(GoDuration::from_mins(1_000_000));
    world.refuse_always(crate::world::api::notifies, unavailable());
    world.edit(|status| {
        status.failure_phase = Some(Phase::Processing);
        status.failure_time = Some(never);
    });
    world.run_for_secs(31);
    assert_eq!(world.phase(), Phase::Failed);
    assert!(world.status().completion_time.unwrap() < never);
}

#[test]
fn nanoseconds_of_now_are_never_rounded_up() {
    let mut world = World::new();
    world.now += SignedDuration::from_nanos(999_999);
    world.reconcile();
    assert!(world.status().start_time.unwrap().moment() <= world.now);
}

#[test]
fn the_ends_of_time_are_survived() {
    for now in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
        let mut world = World::new();
        world.lenient = true;
        world.rests = false;
        world.now = now;
        world.reconcile();
        assert!(!world.calls.is_empty());
    }
}
