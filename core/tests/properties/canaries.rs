//! Mistakes made on purpose: an oracle that notices none of them would prove nothing.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::SignedDuration;
use remediation_core::action::ChildSpec;
use remediation_core::children::{ChildKey, Children};
use remediation_core::decide::{State, explain};
use remediation_core::error::Cause;
use remediation_core::memory::Errand;
use remediation_core::names::Occasion;
use remediation_core::pass::Call;
use remediation_core::phase::Phase;
use remediation_core::time::GoDuration;
use remediation_core::time::Time;
use serde_json::json;

use crate::total::is_the_same_twice;
use crate::walks::{at_the_end, back_on_its_way, calm_down};
use crate::world::api::{forbidden, notifies, unavailable};
use crate::world::children::{AIA, RP, WFE, completed_processing};
use crate::world::{Crash, Fate, World};

/// What the oracle of a world noticed must begin with the number of a promise.
fn noticed(world: &World, promise: &str) {
    let violations = &world.oracle.violations;
    assert!(
        violations.iter().any(|what| what.starts_with(promise)),
        "{promise} went unnoticed among {violations:?}"
    );
}

/// A remediation in this phase, in whose world nothing stops at a violation.
fn lenient(phase: Phase) -> World {
    let mut world = World::until(phase);
    world.lenient = true;
    world.rests = false;
    world
}

fn failed() -> serde_json::Value {
    json!({ "phase": "Failed" })
}

#[test]
fn naming_a_second_execution_is_noticed() {
    let mut world = lenient(Phase::Executing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            let workflow = record.to.workflow_execution_ref.as_mut();
            workflow.unwrap().uid.push('x');
        }
    };
    world.says(WFE, failed());
    noticed(&world, "S1:");
}

#[test]
fn creating_before_the_step_that_leads_to_it_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Create(new) = call {
            new.key.kind = WFE;
        }
    };
    world.says(RP, completed_processing());
    noticed(&world, "S2:");
}

#[test]
fn skipping_a_phase_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            record.path = vec![Phase::Executing];
        }
    };
    world.says(RP, completed_processing());
    noticed(&world, "S6:");
}

#[test]
fn forgetting_history_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            record.to.history.clear();
        }
    };
    world.says(RP, completed_processing());
    noticed(&world, "S35:");
}

#[test]
fn an_ending_that_is_written_over_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.refuse_once(notifies, forbidden("cannot create resource"));
    world.says(RP, failed());
    assert!(world.status().is_terminal());
    world.tamper = |call| {
        if let Call::Record(record) = call {
            record.to.reason = Some("Another".into());
        }
    };
    world.run_for_secs(60);
    noticed(&world, "S7:");
}

#[test]
fn a_start_that_is_written_twice_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            let start = record.to.start_time.as_mut().unwrap();
            *start = start.plus(GoDuration::from_secs(1));
        }
    };
    world.after_secs(10);
    world.says(RP, completed_processing());
    noticed(&world, "S8:");
}

#[test]
fn deleting_what_status_names_is_noticed() {
    let mut world = lenient(Phase::Executing);
    world.blinds = |state| state.request.status.ai_analysis_ref = None;
    world.after_secs(1);
    noticed(&world, "S14:");
}

#[test]
fn a_notification_that_is_too_large_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Create(new) = call
            && let ChildSpec::Notification(spec) = &mut new.spec
        {
            spec.body = "x".repeat(8 * 1024);
        }
    };
    world.says(RP, failed());
    noticed(&world, "S29: a notification");
}

#[test]
fn a_status_that_is_too_large_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            record.to.message = Some("x".repeat(33 * 1024));
        }
    };
    world.says(RP, completed_processing());
    noticed(&world, "S29: a status");
}

#[test]
fn a_status_that_cannot_be_read_again_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            record.to.suspended_total = Some(GoDuration::from_secs(i64::MAX));
        }
    };
    world.says(RP, failed());
    noticed(&world, "L2:");
}

#[test]
fn acting_while_suspended_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.blinds = |state| state.request.spec.suspend = false;
    world.suspend(true);
    world.says(RP, completed_processing());
    noticed(&world, "S34:");
}

#[test]
fn acting_on_what_is_being_deleted_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.blinds = |state| state.request.deleting = false;
    world.request.as_mut().unwrap().deleting = true;
    world.says(RP, completed_processing());
    noticed(&world, "S5:");
}

#[test]
fn a_deadline_that_comes_early_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.says(RP, json!({ "phase": "Processing" }));
    world.skew = SignedDuration::from_secs(1);
    world.now = world.wake.unwrap() - world.skew;
    world.reconcile();
    noticed(&world, "S9:");
}

#[test]
fn a_deadline_that_comes_late_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.says(RP, json!({ "phase": "Processing" }));
    world.skew = SignedDuration::from_secs(-1);
    world.now = world.wake.unwrap();
    world.reconcile();
    noticed(&world, "S9:");
}

#[test]
fn an_escalation_under_another_name_is_noticed_as_the_second() {
    let mut world = lenient(Phase::Processing);
    world.says(RP, failed());
    assert_eq!(world.calls(notifies), 1);
    world.tamper = |call| {
        if let Call::Create(new) = call {
            new.key.name.push_str("-again");
        }
    };
    world.blinds = forget_the_escalation;
    world.after_secs(1);
    noticed(&world, "S12:");
}

/// As if the end, and who was told of it, had not been recorded.
fn forget_the_escalation(state: &mut State) {
    let status = &mut state.request.status;
    status.completion_time = None;
    status.conditions.clear();
    status.history.clear();
    status
        .notification_refs
        .retain(|told| told.occasion != Occasion::Escalation);
}

#[test]
fn creating_after_the_failure_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.refuse_always(notifies, unavailable());
    world.says(RP, failed());
    assert!(world.status().has_failed());
    world.blinds = |state| {
        let status = &mut state.request.status;
        (status.failure_phase, status.failure_category) = (None, None);
    };
    world.says(RP, completed_processing());
    noticed(&world, "S4:");
}

#[test]
fn a_wake_up_in_the_past_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.skew = SignedDuration::from_secs(-1);
    world.now = world.wake.unwrap();
    world.reconcile();
    noticed(&world, "S10:");
}

#[test]
fn a_recorded_failure_that_changes_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Record(record) = call
            && record.from.has_failed()
        {
            record.to.failure_phase = Some(Phase::Executing);
        }
    };
    world.says(RP, failed());
    noticed(&world, "S11:");
}

#[test]
fn an_escalation_that_gives_another_reason_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Create(new) = call
            && let ChildSpec::Notification(spec) = &mut new.spec
        {
            let reason = spec.metadata.get_mut("failure_reason");
            reason.unwrap().push('x');
        }
    };
    world.says(RP, failed());
    noticed(&world, "S13:");
}

#[test]
fn a_decision_that_counts_is_noticed() {
    let world = World::until(Phase::Processing);
    let state = State {
        request: world.request.clone().unwrap(),
        ..State::default()
    };
    let times = Cell::new(0);
    let counts = || {
        let mut decision = explain(&state, &Children::default(), world.now);
        let read = ChildKey::new(RP, format!("read-{}", times.replace(times.get() + 1)));
        decision
            .actions
            .push(remediation_core::action::Action::Read(read));
        decision
    };
    let found = is_the_same_twice(counts).unwrap_err();
    assert!(found.to_string().contains("S18"), "{found}");
}

#[test]
fn a_pass_that_always_writes_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.blinds = |state| state.request.status.waiting_for = None;
    world.after_secs(1);
    noticed(&world, "S19: not at rest");
}

#[test]
fn a_pass_that_creates_without_end_is_noticed() {
    static CREATED: AtomicU64 = AtomicU64::new(0);
    let mut world = lenient(Phase::Processing);
    // Another object appears than the one that is asked for.
    world.tamper = |call| {
        if let Call::Create(new) = call {
            let number = CREATED.fetch_add(1, Ordering::Relaxed);
            new.key.name = format!("web-{number}");
        }
    };
    world.says(RP, completed_processing());
    noticed(&world, "S19: 31 rounds");
}

#[test]
fn a_process_that_begins_with_a_write_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.blinds = |state| {
        if state.memory.last_record.is_none() {
            state.request.status.waiting_for = None;
        }
    };
    world.after_secs(2);
    noticed(&world, "S22:");
}

#[test]
fn progress_that_goes_back_is_noticed() {
    let mut world = lenient(Phase::Executing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            record.to.overall_progress = Some(0);
        }
    };
    world.after_secs(2);
    world.says(WFE, failed());
    noticed(&world, "S23:");
}

#[test]
fn a_request_that_is_deleted_early_is_noticed() {
    let mut world = lenient(Phase::Completed);
    world.blinds = |state| {
        let ended = &mut state.request.status.completion_time;
        *ended = ended.map(|time| Time::from_millis(time.as_millis() - 86_400_000));
    };
    world.after_secs(1);
    noticed(&world, "S25:");
}

#[test]
fn writing_what_is_recorded_already_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.tamper = |call| {
        if let Call::Record(record) = call {
            record.to = record.from.clone();
        }
    };
    world.says(RP, completed_processing());
    noticed(&world, "S28:");
}

#[test]
fn a_remediation_that_never_ends_is_noticed() {
    let mut world = lenient(Phase::Processing);
    world.blinds = |state| state.request.deleting = true;
    calm_down(&mut world);
    let found = at_the_end(&world).unwrap_err();
    assert!(found.to_string().contains("L2: still"), "{found}");
}

#[test]
fn a_success_that_is_sat_on_is_noticed() {
    let mut world = lenient(Phase::Processing);
    // As if the creation had just been refused, each time anew.
    world.blinds = |state| {
        let next = ChildKey::new(AIA, "web-aianalysis");
        let now = "2100-01-01T00:00:00Z".parse().unwrap();
        let memory = &mut state.memory;
        memory.refuse(
            Errand::Create(next.clone()),
            Cause::Unavailable,
            "",
            None,
            "",
            now,
        );
        let refusal = memory.refusals.get_mut(&Errand::Create(next)).unwrap();
        refusal.last = jiff::Timestamp::UNIX_EPOCH;
    };
    world.says(RP, completed_processing());
    assert!(
        !world
            .oracle
            .violations
            .iter()
            .any(|what| what.starts_with("L3"))
    );
    world.memory.refusals.clear();
    world.reconcile();
    noticed(&world, "L3:");
}

#[test]
fn a_process_that_makes_one_call_a_pass_is_noticed_after_a_death() {
    let mut world = lenient(Phase::Processing);
    world.crash = Some(Crash {
        at: 1,
        fate: Fate::NotApplied,
    });
    world.says(RP, failed());
    world.patience = 1;
    let found = back_on_its_way(&mut world).unwrap_err();
    assert!(found.to_string().contains("L7:"), "{found}");
}
