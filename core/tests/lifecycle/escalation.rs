//! Failing is three steps: the failure is recorded, the escalation repeats it, then the phase is terminal. A crash
//! between any two is repaired; a notification that cannot be created neither changes the outcome nor is forgotten.

use jiff::SignedDuration;
use remediation_core::phase::Phase;
use serde_json::json;

use crate::world::api::{
    creates, failure, forbidden, invalid, notifies, reads, reads_a, records, timeout, unavailable,
};
use crate::world::children::{NOTIF, RP, WFE};
use crate::world::{Crash, Fate, Reply, World};

/// The success notification was created, and the process died before it recorded Completed.
fn told_of_success() -> World {
    let mut world = World::until(Phase::Executing);
    world.crash = Some(Crash {
        at: 0,
        fate: Fate::Applied,
    });
    world.says(WFE, json!({ "phase": "Completed" }));
    world
}

fn failed() -> serde_json::Value {
    json!({ "phase": "Failed", "reason": "Broken", "message": "no luck" })
}

#[test]
fn the_failure_is_recorded_then_escalated_then_terminal() {
    let mut world = World::until(Phase::Processing);
    let before = world.calls.len();
    world.says(RP, failed());
    let made = &world.calls[before..];
    assert_eq!(made.len(), 3);
    assert!(records(&made[0]) && notifies(&made[1]) && records(&made[2]));
    let escalation = world.notification("escalation").unwrap();
    assert_eq!(escalation["priority"], "high");
    assert_eq!(escalation["channels"], json!(["slack", "email"]));
    let metadata = &escalation["metadata"];
    for (key, value) in [
        ("remediation_request", "web"),
        ("environment", "production"),
        ("failure_reason", "Broken"),
        ("failure_category", "F"),
        ("phase", "Processing"),
        (
            "command",
            "kubectl -n shop describe remediationrequests web",
        ),
    ] {
        assert_eq!(metadata[key], value);
    }
    for condition in ["Failed", "Stalled", "Escalated"] {
        assert_eq!(world.condition(condition).unwrap().0, "True", "{condition}");
    }
    assert_eq!(world.condition("Reconciling"), None);
    assert_eq!(world.events("RemediationFailed"), 1);
}

#[test]
fn a_crash_at_any_call_of_it_loses_and_doubles_nothing() {
    for at in 0..3 {
        for fate in [Fate::NotApplied, Fate::Applied, Fate::AppliedLate(1)] {
            let mut world = World::until(Phase::Processing);
            world.crash = Some(Crash { at, fate });
            world.says(RP, failed());
            world.reconcile();
            assert_eq!(
                world.outcome(),
                (Phase::Failed, "Broken".into()),
                "{at} {fate:?}"
            );
            assert_eq!(world.count(NOTIF), 1);
            assert_eq!(world.condition("Escalated").unwrap().0, "True");
            assert_eq!(world.status().history.len(), 2, "Processing, Failed");
        }
    }
}

#[test]
fn a_child_that_completes_after_the_failure_was_recorded_comes_too_late() {
    let mut world = World::until(Phase::Executing);
    world.crash = Some(Crash {
        at: 2,
        fate: Fate::NotApplied,
    });
    world.says(WFE, failed());
    assert_eq!(
        world.phase(),
        Phase::Executing,
        "the failure is recorded, no more"
    );
    assert!(world.status().has_failed());
    world.says(WFE, json!({ "phase": "Completed" }));
    assert_eq!(world.outcome(), (Phase::Failed, "Broken".into()));
    assert!(world.notification("success").is_none());
}

#[test]
fn a_crash_between_the_success_notification_and_completed_is_still_a_success() {
    let mut world = told_of_success();
    assert_eq!(world.phase(), Phase::Executing);
    world.says(WFE, failed());
    assert_eq!(
        world.phase(),
        Phase::Completed,
        "people were told so already"
    );
    assert!(world.notification("escalation").is_none());
}

#[test]
fn a_look_for_the_success_that_was_refused_long_ago_is_made_again_before_it_fails() {
    let mut world = told_of_success();
    world.refuse_always(reads, unavailable());
    world.says(WFE, failed());
    assert_eq!(world.phase(), Phase::Executing);
    world.faults.clear();
    // Its clock stood still, or the process.
    world.after_secs(60);
    assert_eq!(world.phase(), Phase::Completed);
    assert!(world.notification("escalation").is_none());
}

#[test]
fn a_look_for_the_success_that_is_refused_is_made_again_for_thirty_seconds_whatever_the_reason() {
    for answer in [
        unavailable(),
        forbidden("User \"x\" cannot get resource"),
        forbidden("admission webhook \"w\" denied the request"),
    ] {
        let mut told = told_of_success();
        let mut untold = World::until(Phase::Executing);
        for world in [&mut told, &mut untold] {
            world.refuse_always(reads, answer.clone());
            world.says(WFE, failed());
            world.run_for_secs(29);
            assert_eq!(world.phase(), Phase::Executing, "{answer:?}");
        }
        told.faults.clear();
        for world in [&mut told, &mut untold] {
            world.run_for_secs(1);
        }
        assert_eq!(told.phase(), Phase::Completed, "{answer:?}");
        assert_eq!(untold.phase(), Phase::Failed, "{answer:?}");
    }
}

#[test]
fn a_look_that_was_refused_before_a_pause_takes_nothing_of_the_thirty_seconds_after_it() {
    let mut world = World::until(Phase::Executing);
    // That the workflow is gone is read afresh in each pass.
    world.rests = false;
    world.refuse_once(records, unavailable());
    world.says(WFE, json!({ "phase": "Completed" }));
    assert!(world.notification("success").is_some());
    let looks = |call: &_| reads_a(call, NOTIF);
    world.refuse_once(looks, unavailable());
    world.after_secs(6);
    world.vanish(WFE);
    assert_eq!((world.phase(), world.calls(looks)), (Phase::Executing, 1));
    world.suspend(true);
    world.after_secs(3_600);
    world.refuse_once(looks, unavailable());
    world.suspend(false);
    world.run_for_secs(25);
    assert_eq!(world.phase(), Phase::Completed);
    assert!(world.notification("escalation").is_none());
}

#[test]
fn a_look_for_the_success_is_made_once_more_after_its_failure_could_not_be_recorded() {
    let mut world = told_of_success();
    world.refuse_always(|call| reads(call) || records(call), unavailable());
    world.says(WFE, failed());
    world.run_for_secs(31);
    assert!(world.calls(records) > 1, "it was tried");
    world.faults.clear();
    world.run_for_secs(20);
    assert_eq!(world.phase(), Phase::Completed);
    assert!(world.notification("escalation").is_none());
}

#[test]
fn what_holds_the_end_up_does_so_no_longer_where_each_refusal_takes_half_a_minute() {
    let mut success = World::until(Phase::Executing);
    let mut failure = success.clone();
    for world in [&mut success, &mut failure] {
        world.rests = false;
        world.refuses_after = SignedDuration::from_secs(35);
        world.refuse_always(|call| creates(call) || reads(call), timeout());
    }
    success.says(WFE, json!({ "phase": "Completed" }));
    failure.says(WFE, failed());
    for world in [&mut success, &mut failure] {
        world.run_for_secs(180);
    }
    assert_eq!(success.phase(), Phase::Completed);
    assert_eq!(failure.phase(), Phase::Failed);
}

#[test]
fn a_look_for_the_success_that_was_refused_does_not_count_against_its_creation() {
    for answer in [
        forbidden("User \"x\" cannot get resource"),
        invalid(),
        failure(413, "RequestEntityTooLarge", ""),
    ] {
        let mut world = World::until(Phase::Executing);
        world.refuse_always(reads, answer);
        world.says(WFE, failed());
        world.says(WFE, json!({ "phase": "Completed" }));
        assert_eq!(world.phase(), Phase::Completed);
        assert!(world.notification("success").is_some());
        assert_eq!(world.condition("Escalated"), None);
    }
}

#[test]
fn an_answer_of_4xx_ends_the_request_at_once_and_says_why() {
    for (answer, word) in [
        (invalid(), "Invalid"),
        (forbidden("User \"x\" cannot create resource"), "RBACDenied"),
        (forbidden("exceeded quota: q"), "QuotaExceeded"),
        (
            forbidden("admission webhook \"w\" denied the request"),
            "PolicyDenied",
        ),
        (failure(404, "", "404 page not found"), "KindMissing"),
    ] {
        let mut world = World::until(Phase::Processing);
        world.refuse_always(notifies, answer);
        world.says(RP, failed());
        assert_eq!(world.phase(), Phase::Failed, "{word}");
        let (status, reason, _) = world.condition("Escalated").unwrap();
        assert_eq!((status, reason), ("False", word));
        assert_eq!(world.events("NotificationUndelivered"), 1);
    }
}

#[test]
fn silence_holds_the_end_up_for_thirty_seconds_at_most() {
    for answer in [
        unavailable(),
        timeout(),
        failure(429, "TooManyRequests", ""),
    ] {
        let mut world = World::until(Phase::Processing);
        world.refuse_always(notifies, answer);
        world.says(RP, failed());
        world.run_for_secs(29);
        assert_eq!(world.phase(), Phase::Processing);
        world.run_for_secs(1);
        assert_eq!(world.phase(), Phase::Failed);
        assert_eq!(world.condition("Escalated").unwrap().0, "False");
    }
}

#[test]
fn an_escalation_that_is_owed_is_tried_until_it_exists_and_then_never_again() {
    let mut world = World::until(Phase::Processing);
    world.refuse_always(notifies, unavailable());
    world.says(RP, failed());
    world.run_for_secs(600);
    let tries = world.calls(notifies);
    assert!(
        (15..=25).contains(&tries),
        "5 s, 10 s, then every 30 s: {tries}"
    );
    let written = world.calls(records);
    world.faults.clear();
    world.run_for_secs(60);
    assert_eq!(world.count(NOTIF), 1);
    assert_eq!(world.condition("Escalated").unwrap().0, "True");
    assert_eq!(world.calls(records), written + 1);
    let calls = world.calls.len();
    world.run_for_secs(20 * 3600);
    assert_eq!(
        world.calls.len(),
        calls,
        "L9: nothing more before it expires"
    );
}

#[test]
fn an_escalation_that_is_invalid_is_never_tried_again_not_even_after_a_restart() {
    let mut world = World::until(Phase::Processing);
    world.refuse_always(notifies, invalid());
    world.says(RP, failed());
    let calls = world.calls.len();
    world.restart();
    world.run_for_secs(7200);
    assert_eq!(world.calls.len(), calls);
}

#[test]
fn a_foreign_object_under_the_name_of_the_escalation_is_neither_believed_nor_touched() {
    let mut world = World::until(Phase::Processing);
    world.put(
        NOTIF,
        "web-escalation-0a1b2c3d",
        None,
        Some("somebody-else"),
    );
    world.says(RP, failed());
    assert_eq!(world.phase(), Phase::Failed);
    let (status, reason, _) = world.condition("Escalated").unwrap();
    assert_eq!((status, reason), ("False", "NameConflict"));
    assert!(
        world
            .objects
            .values()
            .any(|o| o.child.request_uid_label.as_deref() == Some("somebody-else"))
    );
}

#[test]
fn an_answer_that_was_lost_makes_no_second_escalation() {
    let mut world = World::until(Phase::Processing);
    world.fault(notifies, Reply::Lose, Some(1));
    world.says(RP, failed());
    world.run_for_secs(60);
    assert_eq!(world.phase(), Phase::Failed);
    assert_eq!(world.count(NOTIF), 1);
    assert_eq!(world.condition("Escalated").unwrap().0, "True");
}

#[test]
fn a_success_notification_that_is_refused_changes_no_outcome() {
    for (answer, seconds) in [(invalid(), 0), (unavailable(), 30)] {
        let mut world = World::until(Phase::Executing);
        world.refuse_always(notifies, answer);
        world.says(WFE, json!({ "phase": "Completed" }));
        world.run_for_secs(seconds);
        assert_eq!(world.phase(), Phase::Completed);
        assert_eq!(world.condition("Escalated").unwrap().0, "False");
    }
}

#[test]
fn a_success_notification_that_is_held_up_over_the_deadline_is_no_timeout() {
    let mut world = World::until(Phase::Executing);
    world.now = world.status().next_deadline.unwrap().moment() - jiff::SignedDuration::from_secs(1);
    world.refuse_always(notifies, unavailable());
    // At rest past the deadline, on purpose: the outcome is known.
    world.lenient = true;
    world.says(WFE, json!({ "phase": "Completed" }));
    world.run_for_secs(60);
    assert_eq!(world.phase(), Phase::Completed);
    world.faults.clear();
    world.run_for_secs(60);
    assert!(world.notification("success").is_some());
    assert_eq!(world.condition("Escalated").unwrap().0, "True");
}

#[test]
fn when_nobody_can_be_asked_whether_it_completed_the_failure_is_recorded_all_the_same() {
    let mut world = World::until(Phase::Executing);
    world.refuse_always(
        |call| matches!(call, remediation_core::pass::Call::Read(_)),
        unavailable(),
    );
    world.says(WFE, failed());
    world.run_for_secs(40);
    assert_eq!(world.outcome(), (Phase::Failed, "Broken".into()));
}

#[test]
fn a_name_that_is_used_again_gets_an_escalation_of_its_own() {
    let mut world = World::until(Phase::Processing);
    world.says(RP, failed());
    let mut again = World::with(|request| request.identity.uid = "ffffffff-2222".into());
    again.objects = world.objects.clone();
    again.objects.retain(|key, _| key.kind == NOTIF);
    again.reconcile();
    again.says(RP, failed());
    assert_eq!(
        again.names_of(NOTIF),
        ["web-escalation-0a1b2c3d", "web-escalation-ffffffff"]
    );
    assert_eq!(again.calls(creates), 2);
}
