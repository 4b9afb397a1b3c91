//! Phase words that this version does not know: still in progress, reported once, never a guess.

use remediation_core::kind::ChildKind;
use remediation_core::phase::Phase;
use serde_json::json;

use crate::world::World;
use crate::world::api::records;
use crate::world::children::{AIA, RP, WFE};

const CASES: [(Phase, ChildKind); 4] = [
    (Phase::Processing, RP),
    (Phase::Analyzing, AIA),
    (Phase::WorkflowPlanning, WFE),
    (Phase::Executing, WFE),
];

#[test]
fn an_unknown_word_is_neither_success_nor_failure() {
    for (phase, kind) in CASES {
        for word in [
            "Done",
            "completed",
            "COMPLETED",
            "Succeeded",
            "failed",
            "Error",
            "Running2",
            " Completed",
        ] {
            let mut world = World::until(phase);
            world.after_secs(2);
            world.says(kind, json!({ "phase": word, "investigationResult": { "recommendations": [{ "action": "x" }] } }));
            assert_eq!(world.phase(), phase, "S24: {word}");
            assert_eq!(world.condition("Reconciling").unwrap().1, "UnknownPhase");
            assert_eq!(world.events("UnknownPhase"), 1);
            world.run_for_secs(31 * 60);
            assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
        }
    }
}

#[test]
fn words_that_flap_cost_at_most_a_write_a_second() {
    let mut world = World::until(Phase::Processing);
    world.after_secs(2);
    let before = world.calls(records);
    for n in 0..100 {
        world.now += jiff::SignedDuration::from_millis(50);
        let word = ["Processing".to_owned(), format!("Dream{n}")][n % 2].clone();
        world.says(RP, json!({ "phase": word }));
    }
    assert!(
        world.calls(records) - before <= 6,
        "{}",
        world.calls(records) - before
    );
}

#[test]
fn the_same_trouble_in_other_words_is_not_written_again() {
    let mut world = World::until(Phase::Processing);
    world.after_secs(2);
    for n in 0..20 {
        world.says(RP, json!({ "phase": format!("Dream{n}") }));
        world.after_secs(2);
    }
    assert_eq!((world.calls(records), world.events("UnknownPhase")), (2, 1));
}

#[test]
fn an_unknown_word_of_a_step_is_reported_too() {
    let mut world = World::running(&json!([{ "name": "a" }]));
    world.after_secs(2);
    world.step_says("a", json!({ "phase": "Perhaps" }));
    let (_, reason, message) = world.condition("Reconciling").unwrap();
    assert_eq!(reason, "UnknownPhase");
    assert!(
        message.contains("web-execution-a") && message.contains("`Perhaps`"),
        "{message}"
    );
}

#[test]
fn another_unknown_word_is_no_reason_to_write_and_is_shown_by_the_next_write() {
    let mut world = World::until(Phase::Executing);
    world.after_secs(2);
    world.says(WFE, json!({ "phase": "Dream" }));
    world.after_secs(2);
    let before = world.calls(records);
    world.says(WFE, json!({ "phase": "Nap" }));
    assert_eq!(world.calls(records), before, "S28");
    let message = world.condition("Reconciling").unwrap().2;
    assert!(message.contains("`Dream`"), "{message}");
    world.says(
        WFE,
        json!({ "phase": "Nap", "stepsCompleted": 1, "stepsTotal": 2 }),
    );
    assert_eq!(world.calls(records), before + 1);
    let message = world.condition("Reconciling").unwrap().2;
    assert!(message.contains("`Nap`"), "{message}");
    assert_eq!(world.events("UnknownPhase"), 1, "one word is told of");
}
