//! What broke a promise once, as small as it became.

use std::time::Duration;

use remediation_adapters::simulation::children::{Quirk, Stage, Step};
use remediation_adapters::simulation::run::points::{Reference, references};
use remediation_adapters::simulation::run::{
    CallFault, Deed, InFlight, Options, Plan, Report, Stream, Trouble, When, run,
};
use remediation_core::request::Timeouts;

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

fn a_step(name: &str) -> Step {
    Step {
        name: name.to_owned(),
        ..life("one step").plan.requests[0].script.steps[0].clone()
    }
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
fn a_failure_whose_phase_a_hand_writes_over_needs_no_success_to_be_told() {
    let hand = |phase: &str, after, deed| person(When::Phase(phase.to_owned(), after), deed);
    let over = hand("Failed", 100, Deed::EditPhase("Executing".to_owned()));
    let taken = Deed::EditRemove("completionTime".to_owned());
    let (_, report) = with("a failure", vec![over, person(When::At(8_000), taken)]);
    assert_eq!(report.ends["r0"].phase, "Executing", "L2");
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

#[test]
fn a_hand_that_writes_completed_over_a_failure_decides_nothing() {
    let mut plan = life("a failure").plan;
    let over = |call| {
        let completed = Deed::EditPhase("Completed".to_owned());
        person(When::Call(call), completed)
    };
    let pause = person(When::Phase("Completed".to_owned(), 0), Deed::Suspend(1));
    for call in 0..12 {
        plan.troubles = vec![over(call), pause.clone()];
        let report = run(&plan, &Options::default());
        assert_eq!(report.broken, [], "S11, in call {call}");
    }
}

#[test]
fn a_time_that_is_set_again_may_lie_before_what_a_hand_set() {
    for (phase, field) in [
        ("WorkflowPlanning", "startTime"),
        ("Completed", "completionTime"),
    ] {
        let when = || When::Phase(phase.to_owned(), 0);
        let ahead = person(when(), Deed::EditPhaseStart(3));
        let taken = person(when(), Deed::EditRemove(field.to_owned()));
        let (reference, report) = with("one step", vec![ahead, taken]);
        assert_eq!(report.ends, reference.report.ends, "S8, {field}");
    }
}

#[test]
fn a_hand_that_takes_the_end_away_while_stragglers_are_swept_makes_none_of_them_wanted() {
    let crash = Trouble::Crash {
        stream: Stream::Work,
        nth: 8,
        in_flight: InFlight::Applied,
        down_ms: 40_000,
    };
    let mut plan = with_short_limits();
    plan.requests[0].script.steps = ["one", "two", "three", "four"].map(a_step).to_vec();
    for call in 8..20 {
        let taken = Deed::EditRemove("completionTime".to_owned());
        plan.troubles = vec![crash.clone(), person(When::Call(call), taken)];
        let report = run(&plan, &Options::default());
        assert_eq!(report.broken, [], "S14, before call {call}");
        assert_eq!(report.ends["r0"].reason, "PhaseTimeout");
    }
}

#[test]
fn an_escalation_that_is_under_way_while_a_hand_writes_completed_is_that_of_the_failure() {
    let refused = Trouble::Calls {
        verb: "create".to_owned(),
        plural: "notificationrequests".to_owned(),
        fault: CallFault::Conflict,
        at_ms: 0,
        for_ms: Some(32_000),
    };
    let unseen = Trouble::Lag {
        plural: "remediationrequests".to_owned(),
        at_ms: 10_000,
        for_ms: 50_000,
        compact: false,
    };
    let completed = Deed::EditPhase("Completed".to_owned());
    let hand = person(When::Phase("Failed".to_owned(), 1), completed);
    let mut plan = with_short_limits();
    plan.requests[0].script.processing = Stage::ignored();
    plan.troubles = vec![refused, unseen, hand];
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "S12");
    assert_eq!(report.ends["r0"].created["NotificationRequest"], 1);
}

#[test]
fn an_execution_goes_by_the_start_that_is_set_again_as_it_is_created() {
    let mut plan = with_short_limits();
    let [mut first, mut second] = ["one", "two"].map(a_step);
    first.stage = Stage::lasting(Duration::from_secs(20));
    second.depends_on = vec![first.name.clone()];
    plan.requests[0].script.steps = vec![first, second];
    plan.requests[0].spec.timeouts = Some(Timeouts {
        overall: Some("50s".to_owned()),
        ..Timeouts::default()
    });
    let clock = Trouble::Clock {
        replica: 0,
        at_ms: 15_000,
        by_ms: -3_600_000,
    };
    let stall = Trouble::Stall {
        replica: 0,
        at_ms: 5_000,
        for_ms: 40_000,
    };
    plan.troubles = vec![clock, stall];
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "S26");
    assert_eq!(report.ends["r0"].created["KubernetesExecution"], 2);
}

#[test]
fn a_success_that_was_under_way_when_the_failure_was_recorded_cannot_be_stopped() {
    let mut plan = life("one step").plan;
    plan.requests[0].script.steps[0].stage.quirks = vec![Quirk::Turns];
    let mut told_both = |nth: &u32| {
        let crash = Trouble::Crash {
            stream: Stream::Work,
            nth: *nth,
            in_flight: InFlight::AppliedLate(30_000),
            down_ms: 2_000,
        };
        plan.troubles = vec![crash];
        let report = run(&plan, &Options::default());
        assert_eq!(report.broken, [], "S12, in call {nth}");
        let end = &report.ends["r0"];
        end.phase == "Failed" && end.created["NotificationRequest"] == 2
    };
    assert_eq!((0..20).filter(|nth| told_both(nth)).count(), 1);
}

#[test]
fn a_request_that_comes_back_with_a_restored_etcd_is_looked_at_although_we_had_deleted_it() {
    let mut plan = life("one step").plan;
    plan.requests[0].spec.ttl_seconds_after_finished = Some(5);
    let unseen = Trouble::Lag {
        plural: "remediationrequests".to_owned(),
        at_ms: 5_000,
        for_ms: 30_000,
        compact: false,
    };
    let mut ended = 0;
    for at_ms in (7_000..20_000).step_by(500) {
        let restored = Trouble::Restore {
            saved_ms: 2_500,
            at_ms,
        };
        plan.troubles = vec![unseen.clone(), restored];
        let report = run(&plan, &Options::default());
        assert_eq!(report.broken, [], "L2, restored after {at_ms} ms");
        ended += report.lifecycles;
    }
    assert!(ended > 0);
    // To the very version that was seen last, and by a second loss within a minute, after which not everything is looked at.
    let cut = Trouble::Cut {
        at_ms: 4_500,
        compact: false,
    };
    for at_ms in (8_000..9_500).step_by(50) {
        let restored = Trouble::Restore {
            saved_ms: 5_500,
            at_ms,
        };
        plan.troubles = vec![cut.clone(), unseen.clone(), restored];
        let report = run(&plan, &Options::default());
        assert_eq!(report.broken, [], "L5, restored after {at_ms} ms");
    }
}

/// The restored workflow executes still, and the success that people are told of late is that of the history which was taken back.
#[test]
fn a_success_that_was_told_before_etcd_was_restored_counts_after_it() {
    let mut plan = life("one step").plan;
    if let Some(timeouts) = &mut plan.requests[0].spec.timeouts {
        timeouts.executing = Some("60s".to_owned());
    }
    let mut completed = |(nth, saved_ms)| {
        let crash = Trouble::Crash {
            stream: Stream::Work,
            nth,
            in_flight: InFlight::AppliedLate(30_000),
            down_ms: 100,
        };
        let at_ms = 12_000;
        plan.troubles = vec![crash, Trouble::Restore { saved_ms, at_ms }];
        let report = run(&plan, &Options::default());
        let when = format!("crash in call {nth}, saved after {saved_ms} ms");
        assert_eq!(report.broken, [], "S24, {when}");
        let end = &report.ends["r0"];
        let twice = end.created.get("NotificationRequest") == Some(&2);
        twice && end.phase == "Completed"
    };
    let points = (4..14).flat_map(|nth| (2_000..8_000).step_by(500).map(move |at| (nth, at)));
    assert!(points.filter(|point| completed(*point)).count() > 0);
}

#[test]
fn nobody_is_told_any_more_of_a_request_that_expired_and_cannot_be_deleted() {
    let mut plan = life("one step").plan;
    plan.requests[0].spec.ttl_seconds_after_finished = Some(1);
    let every = |verb: &str, plural: &str, fault, for_ms| Trouble::Calls {
        verb: verb.to_owned(),
        plural: plural.to_owned(),
        fault,
        at_ms: 0,
        for_ms,
    };
    let (refused, quota) = (CallFault::Refused, CallFault::QuotaExceeded);
    plan.troubles = vec![
        every("create", "notificationrequests", refused, Some(100_000)),
        every("delete", "remediationrequests", quota, None),
    ];
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "L2");
    let end = &report.ends["r0"];
    assert_eq!(end.phase, "Completed");
    assert_eq!(end.created.get("NotificationRequest"), None);
}

#[test]
fn a_straggler_of_a_suspended_request_stays_until_it_is_resumed() {
    let left = || {
        let moved = Deed::EditPhase("Executing".to_owned());
        vec![
            person(When::Call(3), Deed::Suspend(0)),
            person(When::At(5_000), moved),
        ]
    };
    let (_, report) = with("one step", left());
    assert_eq!(report.ends["r0"].deleted.get("AIAnalysis"), None, "L14");
}

#[test]
fn a_hand_that_leaves_out_initializing_does_not_leave_out_the_check_of_what_is_asked_for() {
    let mut plan = life("one step").plan;
    plan.requests[0].spec.targeting_data = None;
    let lists = [4, 5].map(|nth| Trouble::Call {
        stream: Stream::List,
        nth,
        fault: CallFault::AppliedSilent,
    });
    let phase = Deed::EditPhase("Processing".to_owned());
    plan.troubles = vec![person(When::At(500), phase)];
    plan.troubles.extend(lists);
    let report = run(&plan, &Options::default());
    assert_eq!(report.broken, [], "S26");
    assert_eq!(report.ends["r0"].phase, "Failed");
    assert_eq!(report.ends["r0"].reason, "InvalidTargetingData");
    let created = &report.ends["r0"].created;
    assert_eq!(
        created.keys().collect::<Vec<_>>(),
        ["NotificationRequest", "RemediationRequest"]
    );
}

#[test]
fn a_workflow_that_lands_late_has_the_deadline_that_stood_when_it_was_asked_for() {
    let mut plan = life("one step").plan;
    plan.requests[0].spec.ttl_seconds_after_finished = Some(6);
    let mut landed = |(call, nth)| {
        let crash = Trouble::Crash {
            stream: Stream::Work,
            nth,
            in_flight: InFlight::AppliedLate(40_000),
            down_ms: 100,
        };
        plan.troubles = vec![person(When::Call(call), Deed::Suspend(700)), crash];
        let report = run(&plan, &Options::default());
        assert_eq!(
            report.broken,
            [],
            "S26, suspended in call {call}, crashed in {nth}"
        );
        report.ends["r0"].created.get("WorkflowExecution") == Some(&2)
    };
    let points = (0..16).flat_map(|call| (0..10).map(move |nth| (call, nth)));
    assert!(points.filter(|point| landed(*point)).count() > 0);
}

/// What an older definition does not keep is written again with a backoff, also where that ends a moment before a deadline.
#[test]
fn a_timeout_may_be_recorded_late_after_a_status_that_was_not_kept() {
    let mut plan = life("a timeout").plan;
    plan.requests[0].spec.timeouts = Some(Timeouts {
        analyzing: Some("120s".to_owned()),
        ..Timeouts::default()
    });
    for until_ms in (95_000..125_000).step_by(5_000) {
        plan.troubles = vec![Trouble::OlderDefinition { until_ms }];
        let report = run(&plan, &Options::default());
        assert_eq!(report.broken, [], "L1, {until_ms}");
        assert_eq!(report.ends["r0"].reason, "PhaseTimeout");
    }
}
