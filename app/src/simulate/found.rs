//! What is told of a broken promise: the smallest run that breaks it, kept in a file, and how to repeat it.

use std::path::PathBuf;

use remediation_adapters::simulation::run::{Options, Trace, Violation, shrink};

use super::campaign::Tally;
use crate::cli::SimulateArgs;
use crate::failure::Failure;

/// Runs that shrinking may take.
const BUDGET: u32 = 400;

/// Shrinks the run of this seed, writes it down, and says how to repeat it.
pub(super) fn tell(
    args: &SimulateArgs,
    seed: u64,
    violations: &[Violation],
    all: &Tally,
) -> Failure {
    let Some(first) = violations.first() else {
        return Failure::Check(format!("seed {seed} broke a promise"));
    };
    eprintln!(
        "seed {seed} breaks {}; making the run smaller",
        first.promise
    );
    let plan = super::plan(args, seed);
    let (small, report) = shrink(&plan, first.promise, &Options::default(), BUDGET);
    let same = |violation: &&Violation| violation.promise == first.promise;
    let violation = report.broken.iter().find(same).unwrap_or(first);
    let trace = Trace::new(small, violation.promise.name(), &violation.story);
    let file = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("simulation-seed-{seed}.json")));
    let kept = match std::fs::write(&file, trace.write()) {
        Ok(()) => format!(
            "repeat it with: remediation-orchestrator simulate --trace {}",
            file.display()
        ),
        Err(error) => format!(
            "{}: cannot be written: {error}; repeat it with: remediation-orchestrator simulate --seed {seed} --print",
            file.display()
        ),
    };
    Failure::Check(format!(
        "{violation}\n  {} of {} runs broke a promise; seed {seed} made smaller: {} of {} requests, {} of {} troubles\n  {kept}",
        all.broken.len(),
        all.runs,
        trace.plan.requests.len(),
        plan.requests.len(),
        trace.plan.troubles.len(),
        plan.troubles.len(),
    ))
}
