//! What broke a promise once, as small as it became.

use std::time::Duration;

use remediation_adapters::simulation::children::{Quirk, Stage};
use remediation_adapters::simulation::run::points::{Reference, references};
use remediation_adapters::simulation::run::{
    CallFault, Deed, Options, Plan, Report, Stream, Trouble, When, run,
};

fn life(name: &str) -> Reference {
    let mut all = references().into_iter();
    all.find(|reference| reference.name == name).unwrap()
}

/// The life of one step with the limits that requests are drawn with: 30 s for what comes before the execution.
fn with_short_limits() -> Plan {
    let mut plan = life("one step").plan;
    plan.requests[0].spec.timeouts = None;
    plan
}

/// One of the reference lives, with these troubles; nothing may break.
fn with(name: &str, troubles: Vec<Trouble>) -> (Reference, Report) {
    let reference = life(name);
    let plan = Plan {
        troubles,
        ..reference.plan.clone()
    };
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "{name}");
    (reference, report)
}

fn person(when: When, deed: Deed) -> Trouble {
    Trouble::Person {
        request: "r0".to_owned(),
        when,
        deed,
    }
}

#[test]
fn an_end_that_a_hand_takes_the_time_of_is_the_same_end() {
    for (name, end) in [("one step", "Completed"), ("a failure", "Failed")] {
        for field in ["completionTime", "history"] {
            let taken = |field: &str, after| {
                let when = When::Phase(end.to_owned(), after);
                person(when, Deed::EditRemove(field.to_owned()))
            };
            let (reference, report) =
                with(name, vec![taken(field, 500), taken("completionTime", 900)]);
            assert_eq!(report.ends, reference.report.ends, "{name}: S7, S12");
            assert!(report.reach.troubles.contains_key("Person EditRemove"));
        }
    }
}

#[test]
fn a_name_that_is_taken_and_not_there_is_asked_for_a_few_times() {
    let taken = Trouble::Calls {
        verb: "create".to_owned(),
        plural: "aianalyses".to_owned(),
        fault: CallFault::Conflict,
        at_ms: 0,
        for_ms: Some(120_000),
    };
    let (reference, report) = with("one step", vec![taken]);
    assert_eq!(report.ends, reference.report.ends);
    let more = report.calls[&Stream::Work] - reference.report.calls[&Stream::Work];
    assert!(
        (4..40).contains(&more),
        "S30: {more} calls more in two minutes"
    );
}

#[test]
fn a_straggler_may_be_swept_in_the_moment_in_which_its_request_goes() {
    let mut seen = 0;
    for call in 0..16 {
        let troubles = vec![
            Trouble::Stall {
                replica: 0,
                at_ms: 50,
                for_ms: 700_000,
            },
            person(When::Call(call), Deed::Delete),
        ];
        let (_, report) = with("one step", troubles);
        seen += report.lifecycles;
    }
    assert!(seen > 0, "S16: none was deleted after it had failed");
}

#[test]
fn a_hand_that_takes_a_reference_away_as_its_executor_looks_breaks_nothing() {
    for field in ["kubernetesExecutionRefs", "workflowExecutionRef"] {
        for call in 0..14 {
            let taken = Deed::EditRemove(field.to_owned());
            with("one step", vec![person(When::Call(call), taken)]);
        }
        for after in [0, 1] {
            let when = When::Phase("Executing".to_owned(), after);
            with(
                "one step",
                vec![person(when, Deed::EditRemove(field.to_owned()))],
            );
        }
    }
}

#[test]
fn what_a_newer_build_wrote_outlives_the_end_of_an_older_definition() {
    let older = Trouble::OlderDefinition { until_ms: 1_200 };
    let newer = person(When::At(700), Deed::NewerStatus);
    let (_, report) = with("a plan", vec![older, newer]);
    assert!(report.reach.troubles.contains_key("Person NewerStatus"));
}

#[test]
fn a_workflow_that_goes_back_to_pending_does_not_start_again() {
    let mut plan = with_short_limits();
    plan.requests[0].script.executed_by_orchestrator = false;
    plan.requests[0].script.planning = Stage {
        quirks: vec![Quirk::Regresses],
        ..Stage::lasting(Duration::from_secs(45))
    };
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "S4");
    assert_eq!(report.ends["r0"].reason, "PhaseTimeout");
}

#[test]
fn what_waits_in_a_namespace_that_goes_may_time_out() {
    let late = Trouble::Garbage { late_ms: 90_000 };
    let mut plan = with_short_limits();
    plan.requests[0].script.processing = Stage::lasting(Duration::from_secs(3));
    plan.troubles = vec![late, Trouble::Namespace { at_ms: 2_000 }];
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "S11");
    assert_eq!(report.ends["r0"].reason, "PhaseTimeout");
}

#[test]
fn a_pause_in_which_the_clock_leaps_counts_as_long_as_it_says() {
    let leap = Trouble::Clock {
        replica: 0,
        at_ms: 4_000,
        by_ms: 90_000_000,
    };
    let pause = person(When::At(300), Deed::Suspend(20_000));
    let mut plan = life("one step").plan;
    plan.requests[0].script.processing = Stage::ignored();
    plan.troubles = vec![pause, leap];
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "S34, L2");
    assert_eq!(report.ends["r0"].phase, "Processing");
}

#[test]
fn an_execution_of_a_plan_that_has_changed_since_was_right() {
    let mut plan = life("one step").plan;
    let planning = &mut plan.requests[0].script.planning;
    planning.quirks = vec![Quirk::Replans];
    plan.troubles = vec![Trouble::Calls {
        verb: "create".to_owned(),
        plural: "kubernetesexecutions".to_owned(),
        fault: CallFault::Slow(4_000),
        at_ms: 0,
        for_ms: Some(60_000),
    }];
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "S26");
    assert_eq!(report.ends["r0"].reason, "InvalidPlan");
}
