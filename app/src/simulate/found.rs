//! What is told of a broken promise: the smallest run that breaks it, kept in a file, and how to repeat it.

use std::path::Path;

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
    options: &Options,
) -> Failure {
    let Some(first) = violations.first() else {
        return Failure::Check(format!("seed {seed} broke a promise"));
    };
    eprintln!(
        "seed {seed} breaks {}; making the run smaller",
        first.promise
    );
    let plan = super::plan(args, seed);
    let (small, report) = shrink(&plan, first.promise, options, BUDGET);
    let same = |violation: &&Violation| violation.promise == first.promise;
    let violation = report.broken.iter().find(same).unwrap_or(first);
    let trace = Trace::new(small, violation.promise.name(), &violation.story);
    let no_faults = if args.no_faults { " --no-faults" } else { "" };
    let kept = keep(
        args,
        &trace,
        &format!("simulation-seed-{seed}.json"),
        &format!("--seed {seed}{no_faults} --print"),
    );
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

/// Writes the trace where the arguments say, else under this name; says how to repeat it, with these other arguments where
/// the file cannot be written.
pub(super) fn keep(args: &SimulateArgs, trace: &Trace, name: &str, otherwise: &str) -> String {
    const REPEAT: &str = "repeat it with: remediation-orchestrator simulate";
    let file = args.out.as_deref().unwrap_or(Path::new(name));
    let shown = file.display();
    match std::fs::write(file, trace.write()) {
        Ok(()) => format!("{REPEAT} --trace {shown}"),
        Err(error) => format!("{shown}: cannot be written: {error}; {REPEAT} {otherwise}"),
    }
}
