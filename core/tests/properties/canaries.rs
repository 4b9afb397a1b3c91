//! Mistakes made on purpose: an oracle that notices none of them would prove nothing.

use jiff::SignedDuration;
use remediation_core::action::ChildSpec;
use remediation_core::decide::State;
use remediation_core::names::Occasion;
use remediation_core::pass::Call;
use remediation_core::phase::Phase;
use remediation_core::time::GoDuration;
use serde_json::json;

use crate::world::World;
use crate::world::api::{forbidden, notifies};
use crate::world::children::{RP, WFE, completed_processing};

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
