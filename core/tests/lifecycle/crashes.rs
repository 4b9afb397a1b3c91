//! The process dies at every call of a life, and at every two of them: the end is the one without any death, with no
//! object more or less (S21), and the way goes on within three passes (L7).

use remediation_core::kind::ChildKind;
use remediation_core::phase::PhaseWord;
use serde_json::{Value, json};

use crate::world::api::deletes;
use crate::world::children::{AIA, RP, WFE, completed_processing, ready, workflow};
use crate::world::{Crash, Fate, World};

/// What the children of a life answer, by kind; `None` from one that never answers.
type Answers = fn(ChildKind) -> Option<Value>;

const LIVES: [(&str, Answers); 4] = [
    ("a plan of two steps that completes", completes),
    ("a step that fails", |kind| match kind {
        ChildKind::KubernetesExecution => Some(json!({ "phase": "Failed", "reason": "Crashed" })),
        other => completes(other),
    }),
    (
        "an analysis that waits for approval in vain",
        |kind| match kind {
            AIA => Some(json!({ "phase": "Approving" })),
            other => completes(other),
        },
    ),
    ("a processing that nobody begins with", |_| None),
];

fn completes(kind: ChildKind) -> Option<Value> {
    let steps = json!([{ "name": "a" }, { "name": "b", "dependsOn": ["a"] }]);
    match kind {
        RP => Some(completed_processing()),
        AIA => Some(ready()),
        WFE => Some(workflow("Completed", &steps)),
        ChildKind::KubernetesExecution => Some(json!({ "phase": "Completed" })),
        ChildKind::NotificationRequest => None,
    }
}

/// Lives a whole life; its children keep the contract and act only once status names them.
fn live(answers: Answers, crashes: &[Crash]) -> World {
    let mut world = World::new();
    // What arrives late is seen by nobody before the next pass.
    world.rests = false;
    let mut crashes = crashes.iter().copied();
    world.crash = crashes.next();
    for _ in 0..200 {
        let before = world.clone();
        world.reconcile();
        if world.crash.is_none() {
            if before.crash.is_some() {
                recovers(&world, before);
            }
            world.crash = crashes.next();
        }
        if world.status().is_terminal() {
            world.reconcile();
            return world;
        }
        let status = world.status().clone();
        let mut children = world.objects.values().map(|object| &object.child);
        let next = children.find_map(|child| {
            let asked =
                child.status.phase().is_empty() && crate::world::oracle::names(&status, child);
            let answer = answers(child.key.kind).filter(|_| asked)?;
            Some((child.key.clone(), answer))
        });
        match (next, world.wake) {
            (Some((key, answer)), _) => world.write_status(&key, answer),
            (None, Some(wake)) => world.now = world.now.max(wake),
            (None, None) => {}
        }
    }
    panic!("it never ended: {:#?}", world.status());
}

/// Passes that a death may cost before the remediation is where it would be without.
const MOST_PASSES: usize = 3;

/// L7: nothing but a process that was started anew leads to where the pass would have that the death broke off.
fn recovers(dead: &World, mut undisturbed: World) {
    undisturbed.crash = None;
    undisturbed.reconcile();
    let there = |world: &World| (end(world), world.phase(), world.wake);
    let mut world = dead.clone();
    for _ in 0..MOST_PASSES {
        world.reconcile();
        if there(&world) == there(&undisturbed) {
            return;
        }
    }
    panic!(
        "L7: not back on its way after {MOST_PASSES} passes: {:#?}",
        world.status()
    );
}

/// What must be the same however often the process died.
fn end(world: &World) -> (Vec<PhaseWord>, Option<String>, Vec<String>, usize) {
    let status = world.status();
    let history = status.history.iter().map(|entry| entry.phase.clone());
    let objects = world.objects.keys().map(ToString::to_string);
    (
        history.collect(),
        status.reason.clone(),
        objects.collect(),
        world.calls(deletes),
    )
}

const FATES: [Fate; 3] = [Fate::NotApplied, Fate::Applied, Fate::AppliedLate(1)];

#[test]
fn every_life_ends_in_its_own_way() {
    let ends = LIVES.map(|(_, answers)| end(&live(answers, &[])));
    for (n, one) in ends.iter().enumerate() {
        assert!(
            !ends[..n].contains(one),
            "the comparison tells no two apart"
        );
    }
}

#[test]
fn a_death_at_any_call_changes_no_end() {
    for (life, answers) in LIVES {
        let undisturbed = live(answers, &[]);
        for at in 0..undisturbed.calls.len() {
            for fate in FATES {
                let world = live(answers, &[Crash { at, fate }]);
                assert_eq!(
                    end(&world),
                    end(&undisturbed),
                    "{life}: call {at}, {fate:?}"
                );
            }
        }
    }
}

#[test]
fn two_deaths_at_any_two_calls_change_no_end() {
    for (life, answers) in LIVES {
        let undisturbed = live(answers, &[]);
        let calls = undisturbed.calls.len();
        for (first, second) in (0..calls).flat_map(|a| (0..calls - a).map(move |b| (a, b))) {
            for (one, two) in FATES
                .into_iter()
                .flat_map(|one| FATES.map(|two| (one, two)))
            {
                let crashes = [
                    Crash {
                        at: first,
                        fate: one,
                    },
                    Crash {
                        at: second,
                        fate: two,
                    },
                ];
                let world = live(answers, &crashes);
                assert_eq!(end(&world), end(&undisturbed), "{life}: {crashes:?}");
            }
        }
    }
}
