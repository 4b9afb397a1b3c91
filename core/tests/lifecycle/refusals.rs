//! Answers that are not success: each category has one consequence, every retry its wait, and every trouble a word.

use remediation_core::children::ChildKey;
use remediation_core::error::{ApiFailure, Cause};
use remediation_core::memory::{Errand, Memory};
use remediation_core::pass::{Call, Step};
use remediation_core::phase::Phase;
use remediation_core::time::GoDuration;
use serde_json::json;

use crate::world::api::{
    conflicting, creates, creates_a, failure, forbidden, invalid, reads, reads_a, records, timeout,
    unavailable,
};
use crate::world::children::{AIA, NOTIF, RP, WFE, completed_processing};
use crate::world::{Reply, World};

#[test]
fn b_a_create_that_fails_is_tried_after_5_10_and_then_every_30_seconds_and_a_fifth() {
    for answer in [
        unavailable(),
        timeout(),
        failure(500, "InternalError", ""),
        failure(0, "", "refused"),
    ] {
        let mut world = World::new();
        world.refuse_always(creates, answer);
        world.reconcile();
        let mut tries = vec![world.now];
        while tries.len() < 5 {
            let wake = world.wake.unwrap();
            world.run_until(wake);
            if world.calls(creates) > tries.len() {
                tries.push(world.now);
            }
        }
        for (pair, base) in tries.windows(2).zip([5_000, 10_000, 30_000, 30_000]) {
            let waited = pair[1].duration_since(pair[0]).as_millis();
            assert!(
                (base..=base + base / 5).contains(&waited),
                "{waited} ms, not {base}"
            );
        }
    }
}

#[test]
fn b_a_server_that_asks_for_longer_is_obeyed() {
    let mut world = World::new();
    world.refuse_once(
        creates,
        ApiFailure {
            retry_after: Some(GoDuration::from_secs(77)),
            ..failure(429, "TooManyRequests", "slow down")
        },
    );
    world.reconcile();
    let start = world.now;
    while world.phase() != Phase::Processing {
        world.run_until(world.wake.unwrap());
    }
    assert_eq!(world.now.duration_since(start).as_secs(), 77);
}

#[test]
fn b_one_passing_refusal_of_a_later_child_costs_no_write() {
    let mut world = World::until(Phase::Processing);
    world.refuse_once(|call| creates_a(call, AIA), unavailable());
    let before = world.calls(records);
    world.says(RP, completed_processing());
    world.run_for_secs(10);
    assert_eq!(world.phase(), Phase::Analyzing);
    assert_eq!(world.calls(records), before + 1, "S28");
}

#[test]
fn b_a_second_passing_refusal_of_a_later_child_is_reported() {
    let mut world = World::until(Phase::Processing);
    let refusal = Reply::Refuse(unavailable());
    world.fault(|call| creates_a(call, AIA), refusal, Some(2));
    world.says(RP, completed_processing());
    assert_eq!(world.condition("Reconciling").unwrap().1, "InProgress");
    world.run_for_secs(6);
    assert_eq!(world.condition("Reconciling").unwrap().1, "APIUnavailable");
}

#[test]
fn b_what_is_refused_says_what_a_person_can_do_about_it() {
    let mut world = World::new();
    world.refuse_always(creates, forbidden("cannot create remediationprocessings"));
    world.reconcile();
    assert_eq!(
        world.condition("Reconciling").unwrap().2,
        "RemediationProcessing/web-processing cannot be created yet: cannot create remediationprocessings; \
         grant the orchestrator's ServiceAccount the verb that the message names"
    );
}

#[test]
fn b_an_outage_of_an_hour_costs_three_writes_at_most() {
    let mut world = World::with(|request| {
        request.spec.timeouts =
            Some(serde_json::from_value(json!({ "processing": "9h" })).unwrap());
    });
    world.proceed_to(Phase::Processing);
    let before = world.calls(records);
    world.write_status(&world.key_of(RP), completed_processing());
    for n in 0..200 {
        let answer = failure(503, "ServiceUnavailable", &format!("request {n} timed out"));
        world.refuse_once(|call| creates_a(call, AIA), answer);
    }
    world.reconcile();
    world.run_for_secs(3600);
    assert!(
        world.calls(records) - before <= 3,
        "{}",
        world.calls(records) - before
    );
    assert_eq!(world.condition("Reconciling").unwrap().1, "APIUnavailable");
    assert_eq!(world.events("APIUnavailable"), 1);
}

#[test]
fn b_what_waits_is_tried_at_once_when_the_server_answers_again() {
    let mut world = World::new();
    world.refuse_once(creates, unavailable());
    world.reconcile();
    world.memory.end_backoffs(world.now);
    world.reconcile();
    assert_eq!(world.phase(), Phase::Processing);
}

#[test]
fn b_a_status_that_cannot_be_written_is_tried_with_backoff_and_nothing_is_lost() {
    let mut world = World::until(Phase::Processing);
    world.lenient = true;
    world.refuse_always(records, unavailable());
    world.says(RP, completed_processing());
    world.run_for_secs(120);
    let tries = world.calls(records);
    assert!((4..=8).contains(&tries), "{tries}");
    world.faults.clear();
    world.run_for_secs(40);
    assert_eq!((world.phase(), world.count(AIA)), (Phase::Analyzing, 1));
}

#[test]
fn b_a_status_write_whose_answer_was_lost_is_read_again_and_not_repeated() {
    let mut world = World::until(Phase::Processing);
    world.fault(records, Reply::Lose, Some(1));
    world.rests = false;
    world.says(RP, completed_processing());
    world.run_for_secs(10);
    assert_eq!(world.phase(), Phase::Analyzing);
    assert_eq!(world.status().history.len(), 2, "S35");
}

#[test]
fn c_what_is_invalid_fails_at_once_and_is_not_retried() {
    for (phase, kind) in [
        (Phase::Processing, RP),
        (Phase::Processing, AIA),
        (Phase::Analyzing, WFE),
    ] {
        for answer in [
            invalid(),
            failure(400, "BadRequest", "bad"),
            failure(413, "RequestEntityTooLarge", "big"),
        ] {
            let mut world = World::new();
            world.refuse_always(
                match kind {
                    RP => |call: &Call| creates_a(call, RP),
                    AIA => |call: &Call| creates_a(call, AIA),
                    _ => |call: &Call| creates_a(call, WFE),
                },
                answer,
            );
            if kind == RP {
                world.reconcile();
            } else {
                world.proceed_to(phase);
                if kind == AIA {
                    world.says(RP, completed_processing());
                } else {
                    world.says(AIA, crate::world::children::ready());
                }
            }
            assert_eq!(world.outcome(), (Phase::Failed, "Invalid".into()), "{kind}");
            assert_eq!(world.count(NOTIF), 1);
            let calls = world.calls.len();
            world.run_for_secs(3600);
            assert_eq!(world.calls.len(), calls);
        }
    }
}

#[test]
fn e_a_conflict_is_read_afresh_and_decided_again() {
    let mut world = World::until(Phase::Processing);
    world.refuse_once(records, conflicting());
    world.says(RP, completed_processing());
    assert_eq!(world.phase(), Phase::Analyzing);
    assert_eq!(world.calls(|call| *call == Call::ReadRequest), 1);
}

#[test]
fn e_after_three_conflicts_it_comes_back_within_a_second() {
    let mut world = World::until(Phase::Processing);
    let before = world.calls(records);
    world.rests = false;
    world.lenient = true;
    world.refuse_always(records, conflicting());
    world.says(RP, completed_processing());
    assert_eq!(world.calls(records), before + 3);
    assert_eq!(world.wake.unwrap().duration_since(world.now).as_secs(), 1);
    world.faults.clear();
    world.run_for_secs(1);
    assert_eq!(world.phase(), Phase::Analyzing);
}

#[test]
fn e_conflicts_without_an_end_are_tried_with_a_backoff_and_nothing_is_looked_for_meanwhile() {
    let mut world = World::until(Phase::Executing);
    world.rests = false;
    let looks = |call: &Call| reads_a(call, NOTIF);
    let before = world.calls(records);
    world.refuse_always(records, conflicting());
    world.says(WFE, json!({ "phase": "Failed" }));
    world.run_for_secs(3600);
    let (tried, looked) = (world.calls(records) - before, world.calls(looks));
    assert!(
        (3 * 100..=3 * 125).contains(&tried),
        "three times each thirty seconds: {tried}"
    );
    assert!(looked <= tried / 3, "{looked} looks in {tried} tries");
    world.faults.clear();
    world.run_for_secs(40);
    assert_eq!(world.phase(), Phase::Failed);
    assert_eq!(world.memory.outrun, 0);
}

#[test]
fn what_is_waited_for_behind_a_status_that_cannot_be_written_goes_on_in_its_row() {
    let (mut memory, now) = (Memory::default(), jiff::Timestamp::UNIX_EPOCH);
    let later = |seconds| now + jiff::SignedDuration::from_secs(seconds);
    let read = Errand::Read(ChildKey::new(NOTIF, "web-success"));
    let refuse = |memory: &mut Memory, errand: &Errand, at| {
        let cause = Cause::Unavailable;
        memory.refuse(errand.clone(), cause, "", None, "u-1", at);
        memory.refusal(errand).unwrap().clone()
    };
    refuse(&mut memory, &read, now);
    let record = refuse(&mut memory, &Errand::Record, later(3));
    memory.rest(Some(record.next_try), later(7));
    assert_eq!(refuse(&mut memory, &read, later(9)).tries, 2);
    memory.rest(None, later(9));
    assert_eq!(refuse(&mut memory, &read, later(20)).tries, 1);
}

#[test]
fn e_races_that_are_lost_now_and_then_cost_no_backoff() {
    let mut world = World::until(Phase::Processing);
    world.rests = false;
    for _ in 0..5 {
        world.fault(records, Reply::Refuse(conflicting()), Some(6));
        world.edit(|status| status.effective_policy = None);
        assert_eq!(world.memory.outrun, 1);
        world.run_for_secs(3);
        assert!(world.faults.is_empty());
        assert_eq!(world.memory.outrun, 0);
    }
}

#[test]
fn e_a_race_that_nobody_runs_any_more_is_forgotten_and_one_that_was_given_up_is_not() {
    let (mut memory, now) = (Memory::default(), jiff::Timestamp::UNIX_EPOCH);
    assert!(!memory.is_outrun_for_good() && !memory.is_outrun_for_good());
    let mut forgotten = memory.clone();
    forgotten.rest(None, now);
    assert_eq!(forgotten.outrun, 0);
    assert!(memory.is_outrun_for_good());
    memory.refuse(Errand::Record, Cause::Conflict, "", None, "u-1", now);
    let next_try = memory.refusal(&Errand::Record).map(|r| r.next_try);
    memory.rest(next_try, now);
    assert!(memory.is_outrun_for_good());
}

#[test]
fn e_a_stale_status_is_never_written_over_a_newer_one() {
    let mut world = World::until(Phase::Processing);
    let mut stale = world.clone();
    world.edit_unseen(|status| status.message = Some("by hand".into()));
    stale.request.as_mut().unwrap().resource_version = "1".into();
    let old = stale.request.clone();
    let newer = world.request.clone();
    world.request = old;
    let state = remediation_core::decide::State {
        request: world.request.clone().unwrap(),
        settings: world.settings.clone(),
        memory: world.memory.clone(),
    };
    world.request = newer;
    world.write_status(&world.key_of(RP), completed_processing());
    let children = world.objects.values().map(|o| o.child.clone()).collect();
    let mut pass = remediation_core::pass::Pass::new(state, children);
    while let remediation_core::pass::Step::Call(call) = pass.next(world.now) {
        let outcome = world.apply(&call);
        world.calls.push(call);
        pass.learn(outcome, world.now);
    }
    assert_eq!(world.phase(), Phase::Analyzing);
    assert_eq!(world.calls(|call| *call == Call::ReadRequest), 1, "S17");
}

#[test]
fn e_after_a_conflict_the_newer_status_decides_and_nothing_of_the_older_one_is_written() {
    let mut world = World::until(Phase::Processing);
    let stale = remediation_core::decide::State {
        request: world.request.clone().unwrap(),
        ..remediation_core::decide::State::default()
    };
    world.write_status(&world.key_of(RP), completed_processing());
    let children = world.objects.values().map(|o| o.child.clone()).collect();
    // Another replica has failed it meanwhile.
    world.says(RP, json!({ "phase": "Failed" }));
    let ended = world.status().clone();
    let mut pass = remediation_core::pass::Pass::new(stale, children);
    loop {
        match pass.next(world.now) {
            Step::Call(call) => {
                let outcome = world.apply(&call);
                pass.learn(outcome, world.now);
            }
            Step::Announce(_) => {}
            Step::Done(_) => break,
        }
    }
    assert_eq!(*world.status(), ended, "S7, S17");
    assert_eq!(world.count(AIA), 0, "what the stale view created is swept");
}

#[test]
fn e_while_the_request_cannot_be_read_nothing_is_decided_from_the_stale_one() {
    let mut world = World::until(Phase::Processing);
    world.rests = false;
    world.lenient = true;
    world.refuse_once(records, conflicting());
    world.refuse_once(|call| *call == Call::ReadRequest, unavailable());
    world.says(RP, completed_processing());
    let last = world.calls.last().unwrap();
    assert!(reads(last), "{last:?}");
    world.run_for_secs(10);
    assert_eq!(world.phase(), Phase::Analyzing);
}

#[test]
fn a_403_says_which_kind_it_is_once_and_goes_on_when_it_is_mended() {
    for (message, word) in [
        (
            "User \"x\" cannot create resource \"aianalyses\"",
            "RBACDenied",
        ),
        ("exceeded quota: compute", "QuotaExceeded"),
        ("admission webhook \"w\" denied the request", "PolicyDenied"),
    ] {
        let mut world = World::until(Phase::Processing);
        world.after_secs(2);
        world.refuse_always(|call| creates_a(call, AIA), forbidden(message));
        world.says(RP, completed_processing());
        world.run_for_secs(300);
        let (status, reason, text) = world.condition("Reconciling").unwrap();
        assert_eq!((status, reason), ("True", word));
        assert!(
            text.contains(message) || text.contains("cannot create"),
            "{text}"
        );
        assert_eq!(world.events(word), 1, "once");
        world.faults.clear();
        world.run_for_secs(60);
        assert_eq!(world.phase(), Phase::Analyzing);
        assert_eq!(world.condition("Reconciling").unwrap().1, "InProgress");
    }
}

#[test]
fn a_namespace_that_is_going_is_left_quietly() {
    for answer in [
        forbidden("unable to create new content in namespace shop because it is being terminated"),
        ApiFailure {
            about: "namespaces".into(),
            ..failure(404, "NotFound", "namespaces \"shop\" not found")
        },
    ] {
        let mut world = World::until(Phase::Processing);
        world.refuse_always(creates, answer);
        let (written, events) = (world.calls(records), world.events.len());
        world.says(RP, completed_processing());
        world.run_for_secs(600);
        assert_eq!(
            (world.calls(records), world.events.len()),
            (written, events)
        );
        assert!(world.calls(creates) < 30);
    }
}

#[test]
fn a_kind_that_is_not_installed_is_waited_for() {
    let mut world = World::new();
    world.refuse_always(creates, failure(404, "", "404 page not found"));
    world.reconcile();
    assert_eq!(world.condition("Reconciling").unwrap().1, "KindMissing");
    world.faults.clear();
    world.run_for_secs(40);
    assert_eq!(world.phase(), Phase::Processing);
}

#[test]
fn a_status_that_the_server_does_not_keep_is_not_written_in_a_loop() {
    let mut world = World::new();
    world.lenient = true;
    world.rests = false;
    world.stores = |status| *status = remediation_core::status::Status::default();
    world.reconcile();
    assert!(world.calls(records) <= 3, "{}", world.calls(records));
    world.run_for_secs(300);
    assert!(
        world.calls(records) <= 30,
        "with backoff: {}",
        world.calls(records)
    );
    assert_eq!(world.count(RP), 1);
}

#[test]
fn a_status_without_its_times_is_not_written_in_a_loop_either() {
    let mut world = World::new();
    world.lenient = true;
    world.rests = false;
    world.stores = |status| {
        status.start_time = None;
        status.phase_start_time = None;
    };
    world.reconcile();
    assert!(world.calls(records) <= 3, "{}", world.calls(records));
}

#[test]
fn a_failure_that_the_server_does_not_keep_is_not_escalated() {
    let mut world = World::until(Phase::Executing);
    (world.lenient, world.rests) = (true, false);
    world.stores = |status| {
        status.failure_phase = None;
        status.failure_category = None;
        status.failure_time = None;
    };
    world.says(WFE, json!({ "phase": "Failed" }));
    assert!(world.notification("escalation").is_none());
    world.says(WFE, json!({ "phase": "Completed" }));
    world.run_for_secs(60);
    assert_eq!(world.phase(), Phase::Completed);
    assert!(world.notification("escalation").is_none());
}

#[test]
fn a_404_on_a_status_write_is_looked_into() {
    let mut world = World::until(Phase::Processing);
    world.lenient = true;
    world.refuse_once(
        records,
        failure(
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
    );
    world.says(RP, completed_processing());
    assert_eq!(world.phase(), Phase::Processing);
    assert!(world.wake.is_some(), "not forgotten");
    world.run_for_secs(10);
    assert_eq!(world.phase(), Phase::Analyzing);
}

#[test]
fn a_request_that_is_gone_ends_the_pass() {
    let mut world = World::until(Phase::Processing);
    world.write_status(&world.key_of(RP), completed_processing());
    world.refuse_once(records, failure(404, "NotFound", "not found"));
    world.refuse_once(
        |call| *call == Call::ReadRequest,
        failure(404, "NotFound", "not found"),
    );
    world.rests = false;
    world.lenient = true;
    world.reconcile();
    assert_eq!(world.wake, None);
    assert!(world.status().workflow_execution_ref.is_none());
}

/// S19, S28: a notification is in no cache, so that every event would ask for it again.
#[test]
fn while_status_cannot_be_written_no_event_asks_for_the_escalation_again() {
    let mut world = World::until(Phase::Processing);
    world.fault(records, Reply::Lose, Some(1));
    world.says(RP, json!({ "phase": "Failed" }));
    for _ in 0..5 {
        world.says(RP, json!({ "phase": "Failed", "message": "still" }));
    }
    let told = |world: &World| world.calls(|call| creates_a(call, NOTIF));
    assert_eq!(
        told(&world),
        0,
        "the write that comes first is not known to be done"
    );
    world.after_secs(10);
    assert_eq!((world.phase(), told(&world)), (Phase::Failed, 1));
}

#[test]
fn while_status_cannot_be_written_no_event_looks_for_the_success_again() {
    let mut world = World::until(Phase::Executing);
    world.refuse_always(records, unavailable());
    for _ in 0..5 {
        world.says(WFE, json!({ "phase": "Failed" }));
    }
    assert_eq!(world.calls(reads), 1);
    world.faults.clear();
    world.after_secs(10);
    assert_eq!(world.phase(), Phase::Failed);
}
