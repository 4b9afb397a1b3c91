//! What one decision holds: the rule that it names, and what belongs together in it.

use remediation_core::action::{Action, Record};
use remediation_core::children::Children;
use remediation_core::decide::{Decision, State, explain};
use remediation_core::phase::Phase;
use remediation_core::rule::Rule;
use serde_json::json;

use crate::world::World;
use crate::world::children::{KEXEC, NOTIF, RP, WFE, executing};

/// What would be decided now.
fn decision(world: &World) -> Decision {
    let state = State {
        request: world.request.clone().unwrap(),
        settings: world.settings.clone(),
        memory: world.memory.clone(),
    };
    let watched = world.objects.iter().filter(|(key, _)| key.kind != NOTIF);
    let children: Children = watched.map(|(_, object)| object.child.clone()).collect();
    explain(&state, &children, world.now)
}

fn record(decision: &Decision) -> &Record {
    match decision.actions.first() {
        Some(Action::Record(record)) => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_rule_says_whether_the_workflow_or_its_plan_leads_on() {
    let plan = executing(&json!([{ "name": "a" }]));
    for (says, rule) in [
        (json!({ "phase": "Planning" }), Rule::Waiting),
        (json!({ "phase": "Executing" }), Rule::WorkflowExecuting),
        (plan, Rule::StepsReady),
    ] {
        let mut world = World::until(Phase::WorkflowPlanning);
        world.write_status(&world.key_of(WFE), says);
        assert_eq!(decision(&world).rule, rule);
    }
}

#[test]
fn a_failure_and_its_escalation_are_one_decision() {
    let mut world = World::until(Phase::Processing);
    world.write_status(&world.key_of(RP), json!({ "phase": "Failed" }));
    let decision = decision(&world);
    assert!(record(&decision).status.has_failed(), "S12: recorded first");
    let [.., Action::Create(escalation)] = &decision.actions[..] else {
        panic!("{:?}", decision.actions);
    };
    assert_eq!(escalation.key.kind, NOTIF);
}

#[test]
fn a_step_that_was_created_is_named_before_its_deadline_is_looked_at() {
    let mut world = World::running(&json!([{ "name": "a" }]));
    world.edit_unseen(|status| status.kubernetes_execution_refs.clear());
    world.now = world.status().next_deadline.unwrap().moment();
    let decision = decision(&world);
    let status = &record(&decision).status;
    assert!(!status.has_failed());
    let named = status.execution("a").unwrap();
    assert_eq!(named.uid, world.uid_of(KEXEC), "S2");
}
