//! The way out of a broken promise, with operators that break one: what is printed, what is kept, and the exit code.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use futures::future::BoxFuture;
use remediation_adapters::kubernetes::calls::Calls;
use remediation_adapters::simulation::run::{Options, Trace};
use remediation_core::pass::{Call, Outcome};
use remediation_core::request::Identity;
use serde_json::Value;

use super::simulate;
use crate::cli::{Cli, Command};
use crate::failure::{Failure, exit_code};

/// Records another policy with each write, which breaks S27.
struct GrowingPolicy(Arc<dyn Calls>);

impl Calls for GrowingPolicy {
    fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome> {
        let mut call = call.clone();
        if let Call::Record(record) = &mut call
            && record.from.effective_policy.is_some()
            && let Some(policy) = &mut record.to.effective_policy
        {
            policy.ttl_seconds_after_finished += 1;
        }
        self.0.call(request, &call)
    }
}

fn wrong() -> Options {
    Options {
        wrap: Arc::new(|calls| Arc::new(GrowingPolicy(calls))),
        ..Options::default()
    }
}

/// What `simulate` prints and how it ends, with these arguments.
fn ran(args: &str, options: &Options) -> (String, Result<(), Failure>) {
    let words = ["remediation-orchestrator", "simulate"].into_iter();
    let Command::Simulate(args) = Cli::parse_from(words.chain(args.split_whitespace())).command
    else {
        panic!("no simulation: {args}")
    };
    let mut out = Vec::new();
    let outcome = simulate(&args, options, &mut out);
    (String::from_utf8(out).unwrap(), outcome)
}

/// What is said of a failed check.
fn told(outcome: Result<(), Failure>) -> String {
    let failure = outcome.unwrap_err();
    assert!(matches!(failure, Failure::Check(_)), "{failure}");
    failure.to_string()
}

/// The arguments of the command that repeats it.
fn repeats(told: &str) -> &str {
    let (_, command) = told
        .split_once("repeat it with: remediation-orchestrator simulate ")
        .unwrap();
    command
}

/// A file of this test alone.
fn file(name: &str) -> PathBuf {
    let name = format!("simulate-unit-{}-{name}", std::process::id());
    std::env::temp_dir().join(name)
}

/// The line of what was told that repeats it, the file that it names, and that it repeats the same violation.
fn is_repeated(told: &str, file: &std::path::Path) -> Trace {
    assert_eq!(repeats(told), format!("--trace {}", file.display()));
    let trace = Trace::read(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(trace.promise, "S27");
    let (printed, outcome) = ran(repeats(told), &wrong());
    assert!(printed.contains("!! S27 shop/r0 at "), "{printed}");
    let violation = told.lines().next().unwrap();
    assert_eq!(
        self::told(outcome),
        format!("{}: {violation}", file.display())
    );
    let (_, sound) = ran(repeats(told), &Options::default());
    assert!(sound.is_ok(), "{sound:?}");
    trace
}

#[test]
fn a_seed_that_breaks_a_promise_is_made_smaller_kept_and_repeated() {
    let file = file("seed.json");
    let args = format!("--seeds 3..5 --out {}", file.display());
    let (printed, outcome) = ran(&args, &wrong());
    assert!(printed.starts_with("2 runs, "), "{printed}");
    assert!(printed.contains("\nseed 3: S27 shop/r0 at "), "{printed}");
    let told = told(outcome);
    assert!(told.starts_with("S27 shop/r0 at "), "{told}");
    assert!(
        told.contains(" broke a promise; seed 3 made smaller: 1 of "),
        "{told}"
    );
    let trace = is_repeated(&told, &file);
    assert_eq!(
        (trace.plan.requests.len(), trace.plan.troubles.len()),
        (1, 0)
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_seed_whose_trace_cannot_be_kept_is_repeated_with_the_same_arguments() {
    let (_, outcome) = ran(
        "--seed 3 --no-faults --out /nonexistent/seed.json",
        &wrong(),
    );
    let told = told(outcome);
    assert!(
        told.contains("/nonexistent/seed.json: cannot be written: No such file"),
        "{told}"
    );
    assert_eq!(repeats(&told), "--seed 3 --no-faults --print");
    let (printed, outcome) = ran(repeats(&told), &wrong());
    assert!(printed.contains("!! S27 shop/r0 at "), "{printed}");
    assert!(self::told(outcome).starts_with("seed 3: S27 shop/r0 at "));
}

#[test]
fn a_fault_that_breaks_a_promise_is_kept_and_repeated() {
    let file = file("fault.json");
    for (args, faults) in [("--every-fault", 1), ("--every-pair --part 7/1000", 2)] {
        let args = format!("{args} -o json --out {}", file.display());
        let (printed, outcome) = ran(&args, &wrong());
        let value: Value = serde_json::from_str(&printed).unwrap();
        let first = &value["broken"][0];
        assert_eq!(first["life"], "one step");
        assert_eq!(first["faults"].as_array().unwrap().len(), faults);
        let violation = first["broken"][0].as_str().unwrap();
        let told = told(outcome);
        assert_eq!(told.lines().next(), Some(violation));
        assert!(
            told.contains("the first is one step with {\"call\":{"),
            "{told}"
        );
        let trace = is_repeated(&told, &file);
        assert_eq!(trace.plan.troubles.len(), faults);
        assert_eq!(serde_json::json!(trace.plan.troubles), first["faults"]);
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_fault_whose_trace_cannot_be_kept_is_repeated_with_the_same_arguments() {
    for again in ["--every-fault", "--every-pair --part 7/1000"] {
        let (printed, outcome) = ran(&format!("{again} --out /nonexistent/fault.json"), &wrong());
        assert!(printed.contains("\none step with {\"call\":{"), "{printed}");
        assert_eq!(repeats(&told(outcome)), again);
    }
}

#[test]
fn a_broken_promise_ends_with_exit_code_1() {
    let (_, sound) = ran("--seed 3 --print", &Options::default());
    assert_eq!(exit_code(sound), ExitCode::SUCCESS);
    let (_, broken) = ran("--seed 3 --print", &wrong());
    assert_eq!(exit_code(broken), ExitCode::from(1));
}
