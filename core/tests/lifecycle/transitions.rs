//! Every edge of the machine is taken by some remediation, and no other edge ever is.

use std::collections::BTreeSet;

use remediation_core::kind::ChildKind;
use remediation_core::pass::Call;
use remediation_core::phase::{Phase, TRANSITIONS};
use serde_json::json;

use crate::world::World;
use crate::world::api::{creates_a, invalid, unavailable};
use crate::world::children::{AIA, KEXEC, RP, WFE, executing, ready, workflow};

type Edges = BTreeSet<(Phase, Phase)>;

/// The edges that these worlds recorded, read from the calls that they made.
fn taken(worlds: &[World]) -> Edges {
    let mut edges = Edges::new();
    for call in worlds.iter().flat_map(|world| &world.calls) {
        let Call::Record(record) = call else {
            continue;
        };
        let recorded = record.from.known_phase().expect("a phase of ours");
        let from = std::iter::once(&recorded).chain(&record.path);
        edges.extend(from.copied().zip(record.path.iter().copied()));
    }
    edges
}

fn listed() -> Edges {
    TRANSITIONS
        .iter()
        .map(|edge| (edge.from, edge.to))
        .collect()
}

const BEGUN: [Phase; 5] = [
    Phase::Initializing,
    Phase::Processing,
    Phase::Analyzing,
    Phase::WorkflowPlanning,
    Phase::Executing,
];

/// A remediation that stands in this phase.
fn standing_in(phase: Phase) -> World {
    if phase != Phase::Initializing {
        return World::until(phase);
    }
    let mut world = World::new();
    let creates_rp = |call: &Call| creates_a(call, ChildKind::RemediationProcessing);
    world.refuse_always(creates_rp, unavailable());
    world.reconcile();
    assert_eq!(world.phase(), Phase::Initializing);
    world
}

fn successes() -> Vec<World> {
    let steps = json!([{ "name": "a" }, { "name": "b", "dependsOn": ["a"] }]);
    let mut ours = World::running(&steps);
    ours.step_says("a", json!({ "phase": "Completed" }));
    ours.step_says("b", json!({ "phase": "Completed" }));
    ours.says(WFE, workflow("Completed", &steps));
    let mut at_once = World::until(Phase::WorkflowPlanning);
    at_once.says(WFE, json!({ "phase": "Completed" }));
    let worlds = vec![World::until(Phase::Completed), ours, at_once];
    for world in &worlds {
        assert_eq!(world.phase(), Phase::Completed);
    }
    worlds
}

/// Failures that somebody reports, not the clock.
fn failures() -> Vec<World> {
    let mut worlds = vec![World::with(|request| request.spec.targeting_data = None)];
    let failed = [
        (Phase::Processing, RP),
        (Phase::Analyzing, AIA),
        (Phase::WorkflowPlanning, WFE),
        (Phase::Executing, WFE),
    ];
    for (phase, kind) in failed {
        let mut world = World::until(phase);
        world.says(kind, json!({ "phase": "Failed" }));
        worlds.push(world);
    }
    let mut rejected = World::until(Phase::Analyzing);
    rejected.says(AIA, json!({ "phase": "Rejected" }));
    let mut step = World::running(&json!([{ "name": "a" }]));
    step.says(KEXEC, json!({ "phase": "Failed" }));
    let mut deleted = World::until(Phase::WorkflowPlanning);
    deleted.vanish(WFE);
    let mut unrunnable = World::until(Phase::WorkflowPlanning);
    let circle = json!([{ "name": "a", "dependsOn": ["a"] }]);
    unrunnable.says(WFE, executing(&circle));
    let mut refused = World::until(Phase::Analyzing);
    refused.refuse_always(
        |call| creates_a(call, ChildKind::WorkflowExecution),
        invalid(),
    );
    refused.says(AIA, ready());
    refused.run_for_secs(120);
    worlds.extend([rejected, step, deleted, unrunnable, refused]);
    worlds[0].reconcile();
    for world in &worlds {
        assert_eq!(world.phase(), Phase::Failed, "{:?}", world.outcome());
    }
    worlds
}

#[test]
fn exactly_the_listed_edges_are_taken() {
    let by_clock = BEGUN.map(|phase| {
        let mut world = standing_in(phase);
        world.run_for_secs(1_801);
        assert_eq!(world.phase(), Phase::Failed, "from {phase}");
        assert_eq!(world.status().timeout_phase, Some(phase));
        world
    });
    let worlds = [successes(), failures(), by_clock.to_vec()].concat();
    assert_eq!(taken(&worlds), listed());
}

#[test]
fn every_phase_that_can_fail_fails_by_a_report_too() {
    let to_failed: Edges = listed()
        .into_iter()
        .filter(|(_, to)| *to == Phase::Failed)
        .collect();
    let reported = taken(&failures());
    assert!(to_failed.is_subset(&reported), "{reported:?}");
}
