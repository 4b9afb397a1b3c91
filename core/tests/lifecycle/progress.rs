//! Progress: it counts what is completed, never falls, and costs at most a write a second.

use remediation_core::phase::Phase;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::api::records;
use crate::world::children::{WFE, workflow};

fn shown(world: &World) -> (i64, i64, i64) {
    let status = world.status();
    (
        status.steps_completed.unwrap(),
        status.steps_total.unwrap(),
        status.overall_progress.unwrap(),
    )
}

fn counting(completed: i64, total: i64) -> Value {
    json!({ "phase": "Executing", "stepsCompleted": completed, "stepsTotal": total })
}

#[test]
fn it_goes_from_0_over_33_66_and_75_to_100() {
    let mut world = World::until(Phase::Processing);
    assert_eq!(shown(&world), (0, 3, 0));
    world.proceed_to(Phase::Analyzing);
    assert_eq!(shown(&world), (1, 3, 33));
    world.proceed_to(Phase::WorkflowPlanning);
    assert_eq!(shown(&world), (2, 3, 66));
    world.says(WFE, counting(1, 2));
    assert_eq!(shown(&world), (3, 4, 75));
    world.says(
        WFE,
        json!({ "phase": "Completed", "stepsCompleted": 2, "stepsTotal": 2 }),
    );
    assert_eq!(shown(&world), (4, 4, 100));
}

#[test]
fn it_never_falls_whatever_the_workflow_counts() {
    let mut world = World::until(Phase::Executing);
    let mut last = shown(&world);
    for (completed, total) in [
        (3, 4),
        (1, 4),
        (0, 100),
        (-7, -7),
        (5, 2),
        (i64::MAX, i64::MAX),
        (0, 0),
    ] {
        world.after_secs(2);
        world.says(WFE, counting(completed, total));
        let now = shown(&world);
        assert!(
            now.2 >= last.2 && now.0 >= last.0 && now.2 < 100,
            "{last:?} → {now:?}"
        );
        assert!(now.0 <= now.1);
        last = now;
    }
}

#[test]
fn a_change_of_progress_alone_is_written_at_most_once_a_second() {
    let mut world = World::until(Phase::Executing);
    world.after_secs(10);
    let before = world.calls(records);
    for n in 1..=50 {
        world.now += jiff::SignedDuration::from_millis(10);
        world.says(WFE, counting(n, 100));
    }
    assert_eq!(world.calls(records), before + 1, "the first at once");
    world.run_for_secs(2);
    assert_eq!(world.calls(records), before + 2, "the rest a second later");
    assert_eq!(shown(&world).0, 52);
}

#[test]
fn it_rides_along_with_any_other_write() {
    let mut world = World::until(Phase::WorkflowPlanning);
    let before = world.calls(records);
    world.says(WFE, counting(1, 2));
    assert_eq!(world.calls(records), before + 1);
    assert_eq!((world.phase(), shown(&world).2), (Phase::Executing, 75));
}

#[test]
fn naming_a_new_step_never_waits_for_it() {
    let steps = json!([{ "name": "a" }, { "name": "b", "dependsOn": ["a"] }]);
    let mut world = World::running(&steps);
    world.step_says("a", json!({ "phase": "Completed" }));
    assert!(
        world.status().execution("b").is_some(),
        "in the same second"
    );
}

#[test]
fn a_clock_that_went_back_does_not_hold_progress_up() {
    let mut world = World::until(Phase::Executing);
    world.after_secs(-3);
    world.says(WFE, counting(1, 2));
    assert_eq!(shown(&world).2, 75);
}

#[test]
fn a_plan_of_ours_counts_by_its_own_steps() {
    let steps = json!([{ "name": "a" }, { "name": "b" }]);
    let mut world = World::running(&steps);
    assert_eq!(shown(&world), (2, 4, 66), "66 % was shown before");
    world.after_secs(2);
    world.step_says("a", json!({ "phase": "Completed" }));
    assert_eq!(shown(&world), (3, 4, 75));
    world.step_says("b", json!({ "phase": "Completed" }));
    world.says(WFE, workflow("Completed", &steps));
    assert_eq!(shown(&world), (4, 4, 100));
}
