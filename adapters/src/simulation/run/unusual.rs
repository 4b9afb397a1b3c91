//! What few clusters ask of an operator: many requests at once, plans of many steps, plans that cannot be run.

use std::time::Duration;

use remediation_core::plan::MOST_STEPS;

use super::plan::Plan;
use super::random::Random;
use super::swarm::{asked, scaling};
use crate::simulation::children::{Quirk, Script, Stage, Step};

/// Makes few plans unusual.
pub(super) fn add(plan: &mut Plan, random: &mut Random) {
    if random.percent(1) {
        let crowd = 3..random.within(12, 40);
        plan.requests
            .extend(crowd.map(|number| asked(random, number)));
    }
    for asked in &mut plan.requests {
        if random.percent(4) {
            change_steps(&mut asked.script, random);
        }
    }
}

fn change_steps(script: &mut Script, random: &mut Random) {
    script.executed_by_orchestrator = true;
    let pair = |first: (&str, &str), second: (&str, &str)| {
        [first, second]
            .map(|(name, after)| step(name, &[after]))
            .to_vec()
    };
    script.steps = match random.within(0, 9) {
        0..=2 => many(random.within(4, MOST_STEPS as u64), random),
        3 => many(MOST_STEPS as u64 + 1, random),
        4 => pair(("one", "two"), ("two", "one")),
        5 => vec![step("one", &[]), step("one", &[])],
        6 => vec![step("one", &["none"])],
        7 => vec![step("No Label", &[])],
        _ => {
            script.planning.quirks = vec![Quirk::Replans];
            vec![step("one", &[]), step("two", &["one"])]
        }
    };
}

/// Each step follows one of the earlier ones, or none.
fn many(steps: u64, random: &mut Random) -> Vec<Step> {
    let name = |number: u64| format!("step-{number}");
    (0..steps)
        .map(|number| {
            let follows =
                (number > 0 && random.percent(60)).then(|| name(random.within(0, number - 1)));
            let takes = Duration::from_millis(random.within(1, 2_000));
            Step {
                depends_on: follows.into_iter().collect(),
                stage: Stage::lasting(takes),
                ..step(&name(number), &[])
            }
        })
        .collect()
}

fn step(name: &str, depends_on: &[&str]) -> Step {
    scaling(name, depends_on, Stage::lasting(Duration::from_millis(700)))
}
