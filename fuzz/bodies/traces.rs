//! Traces of the simulation, edited by hand or by nobody we know: read, or refused with a place; what is read is the same
//! after it was written and read again, and its plan comes to an end without breaking what none may break.

use remediation_adapters::simulation::promises::Promise;
use remediation_adapters::simulation::run::{self, Options, Plan, Trace, Trouble};

/// How long a run waits at most for the requests to end, once everything has healed, and looks again.
const LONGEST_WAIT_MS: u64 = 900_000 + 5_000;

/// What no plan may bring about, whatever it asks of people, children and the cluster: a remediation that acts twice, an end that
/// changes, people who are told twice, a pass that panics.
const FINDS: [Promise; 4] = [Promise::S1, Promise::S7, Promise::S12, Promise::S31];

/// What [`Trace::write`] is.
pub type Write<'a> = &'a dyn Fn(&Trace) -> String;

/// Reads the text as a trace, and runs what is small enough to be run many times a second.
pub fn run(data: &[u8]) {
    run_with(data, &Trace::write, &Options::default());
}

/// The same, of what this writes, and run like this.
pub fn run_with(data: &[u8], write: Write<'_>, options: &Options) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let trace = match Trace::read(text) {
        Ok(trace) => trace,
        Err(error) => {
            let told = error.to_string();
            assert!(told.chars().count() > 20 && told.len() < 4096, "{told}");
            assert!(!told.contains(char::is_control), "{told:?}");
            return;
        }
    };
    assert_eq!(Trace::read(&write(&trace)).as_ref(), Ok(&trace));
    if is_small(&trace.plan) {
        let report = run::run(&trace.plan, options);
        let longest = trace.plan.safety_ms + LONGEST_WAIT_MS;
        assert!(report.lasted_ms <= longest, "{} ms", report.lasted_ms);
        let find = report
            .broken
            .iter()
            .find(|broken| FINDS.contains(&broken.promise));
        assert!(find.is_none(), "{find:?}");
    }
}

/// The others take longer, and within the bounds no more than longer.
fn is_small(plan: &Plan) -> bool {
    let scripts = || plan.requests.iter().map(|asked| &asked.script);
    let steps: usize = scripts().map(|script| script.steps.len()).sum();
    let busy: u64 = scripts().map(|script| script.busy_writes()).sum();
    // A plan may ask for a panic, and a fuzzer takes each for a find.
    let panics = |trouble: &Trouble| matches!(trouble, Trouble::Panic { .. });
    plan.requests.len() <= 3
        && steps <= 8
        && busy <= 120
        && plan.troubles.len() <= 40
        && plan.safety_ms <= 400_000
        && !plan.troubles.iter().any(panics)
}
