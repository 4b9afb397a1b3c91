//! The way of a violation: made smaller, written down, read again, and repeated. The mistakes are those of the canaries.

use remediation_adapters::simulation::promises::{Promise, Violation};
use remediation_adapters::simulation::run::points::references;
use remediation_adapters::simulation::run::{
    Deed, Options, Plan, Report, Trace, Trouble, When, run, shrink,
};

use super::canaries::{GROWING_POLICY, repeated, stopped_leader, unconditional, with};

/// Runs that shrinking may take.
const BUDGET: u32 = 400;

fn breaks(report: &Report, promise: Promise) -> Option<&Violation> {
    let mut broken = report.broken.iter();
    broken.find(|violation| violation.promise == promise)
}

/// The trace of this run, after its way through a file.
fn kept(trace: &Trace) -> Trace {
    let read = Trace::read(&trace.write()).unwrap();
    assert_eq!(&read, trace);
    read
}

/// Makes this plan smaller, and asserts that what is left repeats what it broke, and without the mistake breaks nothing.
fn made_smaller(plan: &Plan, promise: Promise, options: &Options) -> Plan {
    assert!(breaks(&run(plan, options), promise).is_some(), "{promise}");
    let (small, report) = shrink(plan, promise, options, BUDGET);
    let violation = breaks(&report, promise).expect("the smaller plan breaks the same promise");
    let trace = kept(&Trace::new(small, promise.name(), &violation.story));
    assert_eq!(trace.run(options).broken, report.broken);
    assert_eq!(trace.run(&Options::default()).broken, []);
    trace.plan
}

#[test]
fn a_violation_that_needs_no_trouble_is_made_one_request_without_any() {
    let options = with(GROWING_POLICY);
    let mut plans = (0..).map(Plan::from_seed);
    let plan = plans
        .find(|plan| plan.requests.len() > 1 && plan.troubles.len() > 3)
        .unwrap();
    let small = made_smaller(&plan, Promise::S27, &options);
    assert_eq!((small.requests.len(), small.troubles.len()), (1, 0));
}

#[test]
fn a_violation_keeps_the_trouble_and_the_replica_that_it_needs() {
    let options = with(unconditional);
    let mut moments = (4_000..8_000).step_by(500).map(stopped_leader);
    let mut plan = moments
        .find(|plan| breaks(&run(plan, &options), Promise::S7).is_some())
        .expect("a moment that shows the mistake");
    let needed = plan.troubles.clone();
    let annotated = |at_ms| Trouble::Person {
        request: "r0".to_owned(),
        when: When::At(at_ms),
        deed: Deed::Annotate,
    };
    plan.troubles = vec![
        annotated(70_000),
        needed[0].clone(),
        annotated(71_000),
        annotated(72_000),
    ];
    let small = made_smaller(&plan, Promise::S7, &options);
    assert_eq!(small.troubles, needed);
    assert_eq!(small.replicas, 2);
}

#[test]
fn a_life_that_ends_otherwise_with_a_fault_is_repeated_from_its_trace() {
    let options = with(repeated);
    let reference = references().into_iter().next().unwrap();
    let points = reference.points();
    let ends_otherwise = |point| {
        let report = reference.run(&[point], &options);
        breaks(&report, Promise::S21)
            .is_some()
            .then_some((point, report))
    };
    let found = points.iter().find_map(ends_otherwise);
    let (point, report) = found.expect("a fault that shows the mistake");
    let trace = kept(&reference.with(&[point]));
    let again = trace.run(&Options {
        trace: true,
        ..options
    });
    assert_eq!(again.broken, report.broken);
    assert!(again.trace.contains("!! S21 shop/r0"), "{}", again.trace);
    assert_eq!(trace.run(&Options::default()).broken, []);
}
