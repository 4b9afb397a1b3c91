//! Plans: steps run in the order of their dependencies, and a plan that cannot be run, or changes, fails.

use remediation_core::children::ChildKey;
use remediation_core::error::Category;
use remediation_core::phase::Phase;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::api::{creates_a, invalid, unavailable};
use crate::world::children::{KEXEC, WFE, executing, workflow};

fn diamond() -> Value {
    json!([
        { "name": "a", "action": "Cordon", "parameters": { "node": "n1" }, "timeout": "5m" },
        { "name": "b", "dependsOn": ["a"] },
        { "name": "c", "dependsOn": ["a"] },
        { "name": "d", "dependsOn": ["b", "c"] },
    ])
}

fn done() -> Value {
    json!({ "phase": "Completed" })
}

#[test]
fn steps_run_once_all_they_depend_on_is_completed() {
    let mut world = World::running(&diamond());
    assert_eq!(world.phase(), Phase::Executing);
    assert_eq!(world.names_of(KEXEC), ["web-execution-a"]);
    world.step_says("a", done());
    assert_eq!(
        world.names_of(KEXEC),
        ["web-execution-a", "web-execution-b", "web-execution-c"]
    );
    world.step_says("b", done());
    assert_eq!(world.count(KEXEC), 3);
    world.step_says("c", done());
    assert_eq!(world.count(KEXEC), 4);
    world.says(WFE, workflow("Completed", &diamond()));
    assert_eq!(world.phase(), Phase::Executing, "d is not completed");
    world.step_says("d", done());
    assert_eq!(world.phase(), Phase::Completed);
}

#[test]
fn a_step_is_handed_its_action_and_the_earlier_of_the_two_deadlines() {
    let world = World::running(&diamond());
    let spec = world.spec_of(KEXEC);
    assert_eq!(
        (&spec["step"], &spec["action"]),
        (&json!("a"), &json!("Cordon"))
    );
    assert_eq!(spec["parameters"], json!({ "node": "n1" }));
    assert_eq!(spec["timeout"], "5m");
    assert_eq!(spec["notAfter"], "2026-03-01T12:30:00.000Z");
    let mut late = World::with(|request| {
        request.spec.timeouts = Some(serde_json::from_value(json!({ "overall": "10m" })).unwrap());
    });
    late.proceed_to(Phase::WorkflowPlanning);
    late.says(WFE, executing(&diamond()));
    assert_eq!(late.spec_of(KEXEC)["notAfter"], "2026-03-01T12:10:00.000Z");
}

#[test]
fn a_later_step_is_handed_the_deadline_of_the_phase_not_one_of_its_own() {
    let mut world = World::running(&diamond());
    world.after_secs(100);
    world.step_says("a", done());
    let later = ChildKey::new(KEXEC, "web-execution-b");
    let spec = &world.objects[&later].spec;
    assert_eq!(spec["notAfter"], "2026-03-01T12:30:00.000Z");
}

#[test]
fn a_plan_that_somebody_else_runs_is_left_to_them() {
    let mut world = World::until(Phase::WorkflowPlanning);
    let plan = json!({ "executedBy": "Workflow", "steps": diamond() });
    world.says(WFE, json!({ "phase": "Executing", "plan": plan }));
    assert_eq!((world.phase(), world.count(KEXEC)), (Phase::Executing, 0));
    world.says(WFE, json!({ "phase": "Completed", "plan": plan }));
    assert_eq!(world.phase(), Phase::Completed);
}

#[test]
fn whether_a_plan_of_somebody_else_can_be_run_is_theirs_to_judge() {
    let mut world = World::until(Phase::WorkflowPlanning);
    let circle = json!([{ "name": "a", "dependsOn": ["b"] }, { "name": "b", "dependsOn": ["a"] }]);
    let plan = json!({ "executedBy": "Workflow", "steps": circle });
    world.says(WFE, json!({ "phase": "Executing", "plan": plan }));
    assert_eq!(world.phase(), Phase::Executing);
}

#[test]
fn a_plan_that_cannot_be_run_fails_before_any_step_is_created() {
    let many: Vec<Value> = (0..65)
        .map(|n| json!({ "name": format!("s{n}") }))
        .collect();
    for (steps, says) in [
        (json!([]), "no step"),
        (json!("none"), "no step"),
        (json!([{ "name": "a" }, { "name": "a" }]), "two steps"),
        (
            json!([{ "name": "a", "dependsOn": ["z"] }]),
            "`z`, which is no step",
        ),
        (
            json!([{ "name": "a", "dependsOn": ["b"] }, { "name": "b", "dependsOn": ["a"] }]),
            "circle",
        ),
        (
            json!([{ "name": "ok" }, { "name": "a", "dependsOn": ["a"] }]),
            "circle",
        ),
        (json!([{ "name": "A B" }]), "DNS label"),
        (json!([{ "name": "" }]), "DNS label"),
        (json!([{ "name": "x".repeat(64) }]), "DNS label"),
        (json!(many), "65 steps"),
    ] {
        for word in ["Executing", "Completed"] {
            let mut world = World::until(Phase::WorkflowPlanning);
            world.says(WFE, workflow(word, &steps));
            assert_eq!(
                world.outcome(),
                (Phase::Failed, "InvalidPlan".into()),
                "{says}"
            );
            assert_eq!(world.status().failure_category, Some(Category::F));
            let message = world.status().message.as_ref().unwrap();
            assert!(message.contains(says), "{message}");
            assert_eq!(world.count(KEXEC), 0);
        }
    }
}

#[test]
fn a_plan_of_sixty_four_steps_is_run() {
    let steps: Vec<Value> = (0..64)
        .map(|n| json!({ "name": format!("s{n}") }))
        .collect();
    let mut world = World::running(&json!(steps));
    assert_eq!(world.count(KEXEC), 64);
    for n in 0..64 {
        world.step_says(&format!("s{n}"), done());
    }
    world.says(WFE, workflow("Completed", &json!(steps)));
    assert_eq!(world.phase(), Phase::Completed);
}

#[test]
fn a_plan_that_changes_after_it_was_begun_fails_and_names_what_may_still_run() {
    let mut changed = diamond();
    changed[3]["parameters"] = json!({ "force": "true" });
    let mut world = World::running(&diamond());
    world.says(WFE, executing(&changed));
    assert_eq!(world.outcome(), (Phase::Failed, "InvalidPlan".into()));
    let message = world.status().message.as_ref().unwrap();
    assert!(
        message.contains("changed") && message.contains("web-execution-a"),
        "{message}"
    );
    assert_eq!(world.count(KEXEC), 1);
}

#[test]
fn a_plan_may_change_before_it_is_begun() {
    let mut world = World::until(Phase::WorkflowPlanning);
    world.says(WFE, workflow("Planning", &json!([{ "name": "x" }])));
    world.says(WFE, workflow("Validating", &json!([])));
    assert_eq!(world.phase(), Phase::WorkflowPlanning);
    world.says(WFE, executing(&diamond()));
    assert_eq!(world.phase(), Phase::Executing);
}

#[test]
fn a_plan_that_is_no_longer_shown_is_unchanged() {
    for dropped in [json!({}), json!({ "plan": null }), json!({ "plan": {} })] {
        let mut world = World::running(&json!([{ "name": "a" }]));
        let mut status = dropped;
        status["phase"] = json!("Executing");
        world.says(WFE, status.clone());
        assert_eq!(world.phase(), Phase::Executing);
        world.step_says("a", done());
        status["phase"] = json!("Completed");
        world.says(WFE, status);
        assert_eq!(world.phase(), Phase::Completed);
    }
}

#[test]
fn a_workflow_that_is_completed_before_its_steps_waits_for_them() {
    let mut world = World::until(Phase::WorkflowPlanning);
    world.says(WFE, workflow("Completed", &diamond()));
    assert_eq!((world.phase(), world.count(KEXEC)), (Phase::Executing, 1));
    for step in ["a", "b", "c", "d"] {
        assert_eq!(world.phase(), Phase::Executing);
        world.step_says(step, done());
    }
    assert_eq!(world.phase(), Phase::Completed);
}

#[test]
fn a_step_that_was_seen_completed_stays_so() {
    let mut world = World::running(&json!([{ "name": "a" }, { "name": "b" }]));
    world.step_says("a", done());
    world.after_secs(2);
    assert!(world.status().execution("a").unwrap().completed);
    world.step_says("a", json!({ "phase": "Failed" }));
    assert_eq!(world.phase(), Phase::Executing, "the first result counts");
}

#[test]
fn a_step_that_cannot_be_created_for_now_holds_up_no_other() {
    let mut world = World::until(Phase::WorkflowPlanning);
    world.refuse_once(|call| creates_a(call, KEXEC), unavailable());
    world.says(WFE, executing(&json!([{ "name": "a" }, { "name": "b" }])));
    assert_eq!(world.phase(), Phase::Executing);
    assert_eq!(world.status().kubernetes_execution_refs.len(), 1);
    world.run_for_secs(10);
    assert_eq!(world.status().kubernetes_execution_refs.len(), 2);
}

#[test]
fn a_step_that_is_refused_for_good_fails_and_what_was_created_is_swept() {
    let mut world = World::until(Phase::WorkflowPlanning);
    world.refuse_once(|call| creates_a(call, KEXEC), invalid());
    world.says(WFE, executing(&json!([{ "name": "a" }, { "name": "b" }])));
    assert_eq!(world.outcome(), (Phase::Failed, "Invalid".into()));
    assert_eq!(world.status().failure_category, Some(Category::C));
    assert_eq!(
        world.count(KEXEC),
        0,
        "b was created, never named, and starts nothing"
    );
}

#[test]
fn no_step_is_created_before_the_workflow_executes() {
    let mut world = World::until(Phase::WorkflowPlanning);
    for word in ["", "Pending", "Planning", "Validating", "Meditating"] {
        world.says(WFE, workflow(word, &diamond()));
        assert_eq!(
            (world.phase(), world.count(KEXEC)),
            (Phase::WorkflowPlanning, 0),
            "{word}"
        );
    }
}
