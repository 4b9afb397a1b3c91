//! Every fault at every point: for a few reference lives, each single fault at each call, and on demand each ordered
//! pair of them.

use std::collections::BTreeSet;
use std::time::Duration;

use remediation_core::request::{RequestSpec, Timeouts};
use remediation_core::time::GoDuration;

use super::hand::NAMESPACE;
use super::plan::{Asked, CallFault, InFlight, Plan, Stream, StreamFault, Trouble};
use super::swarm::{alert, scaling};
use super::{End, Options, Report, Trace, run, template};
use crate::simulation::children::{Approval, Decision, Outcome, Script, Stage, Step};
use crate::simulation::promises::{Promise, Violation};

/// A life without faults, to compare with.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What it is.
    pub name: &'static str,
    /// Its plan, without troubles.
    pub plan: Plan,
    /// What comes of it.
    pub report: Report,
}

/// A fault at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The fault.
    pub trouble: Trouble,
    /// Whether the run must end as the reference does: categories B, D and E, and crashes. A refusal for good
    /// (category C) may end otherwise.
    pub same_end: bool,
}

/// The reference lives: one step, a plan whose steps depend on one another, an approval, a failure, a timeout, and one
/// step with two replicas.
#[must_use]
pub fn references() -> Vec<Reference> {
    let step = |name: &str, depends_on: &[&str]| {
        let takes = Duration::from_millis(700);
        scaling(name, depends_on, Stage::lasting(takes))
    };
    let ours = |steps: Vec<Step>| Script {
        steps,
        executed_by_orchestrator: true,
        ..Script::default()
    };
    let second = Duration::from_secs(1);
    let one_step = || plan(ours(vec![step("one", &[])]));
    let steps = ours(vec![
        step("one", &[]),
        step("two", &[]),
        step("three", &["one", "two"]),
        step("four", &["three"]),
    ]);
    let approval = Script {
        approval: Some(Approval {
            // Longer than any single fault holds the asking up.
            after: GoDuration::from_secs(200),
            decision: Decision::Approved,
        }),
        ..ours(vec![step("one", &[])])
    };
    let failure = ours(vec![Step {
        stage: Stage::failing(second, "OutOfMemory", "it ran out of memory"),
        ..step("one", &[])
    }]);
    let mut timeout = plan(Script {
        analysis: Stage {
            outcome: Outcome::Stall,
            ..Stage::lasting(second)
        },
        ..Script::default()
    });
    if let Some(timeouts) = &mut timeout.requests[0].spec.timeouts {
        // So that all of it happens before everything heals.
        timeouts.analyzing = Some("200s".to_owned());
    }
    let two_replicas = Plan {
        replicas: 2,
        // Until after the cleaning up: the Lease makes each second dear.
        safety_ms: 150_000,
        ..one_step()
    };
    let lives = [
        ("one step", one_step()),
        ("a plan", plan(steps)),
        ("an approval", plan(approval)),
        ("a failure", plan(failure)),
        ("a timeout", timeout),
        ("two replicas", two_replicas),
    ];
    let reference = |(name, plan): (&'static str, Plan)| {
        let report = run(&plan, &Options::default());
        Reference { name, plan, report }
    };
    lives.into_iter().map(reference).collect()
}

/// Seconds. Longer than any two faults hold up what is owed after the end, so that nothing expires before it is done.
const TIME_TO_LIVE: i64 = 120;

/// Time enough for a watch that falls silent to be noticed.
fn plan(script: Script) -> Plan {
    let long = || Some("10m".to_owned());
    Plan {
        seed: 1,
        replicas: 1,
        concurrency: 16,
        page_size: 500,
        safety_ms: 400_000,
        requests: vec![Asked {
            name: "r0".to_owned(),
            at_ms: 100,
            spec: RequestSpec {
                targeting_data: Some(alert(0)),
                timeouts: Some(Timeouts {
                    processing: long(),
                    analyzing: long(),
                    approval: long(),
                    workflow_planning: long(),
                    executing: long(),
                    overall: Some("30m".to_owned()),
                }),
                ttl_seconds_after_finished: Some(TIME_TO_LIVE),
                ..RequestSpec::default()
            },
            script,
        }],
        troubles: Vec::new(),
    }
}

/// What is done to one call, and whether the end must be the same.
const CALL_FAULTS: [(CallFault, bool); 18] = [
    (CallFault::Conflict, true),
    (CallFault::Invalid, false),
    (CallFault::TooLarge, false),
    (CallFault::Denied, true),
    (CallFault::QuotaExceeded, true),
    (CallFault::PolicyDenied, true),
    (CallFault::Unauthorized, true),
    (CallFault::TooMany(None), true),
    (CallFault::TooMany(Some(3)), true),
    (CallFault::ServerError, true),
    (CallFault::Unavailable, true),
    (CallFault::Refused, true),
    (CallFault::Silent, true),
    (CallFault::AppliedSilent, true),
    (CallFault::Lost, true),
    (CallFault::AppliedLate(7_000), true),
    (CallFault::Twice, true),
    (CallFault::Slow(4_000), true),
];
const CRASHES: [InFlight; 3] = [
    InFlight::NotApplied,
    InFlight::Applied,
    InFlight::AppliedLate(7_000),
];
const STREAM_FAULTS: [StreamFault; 4] = [
    StreamFault::Silence,
    StreamFault::Truncate,
    StreamFault::Repeat,
    StreamFault::End,
];
impl Reference {
    /// Every fault at every point of this life until everything heals: every call, but of the Lease those until the request
    /// ended, since it is renewed the same way from then on; and every event of every watch.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for stream in Stream::ALL {
            let counted = match stream {
                Stream::Lease => &self.report.calls_to_first_end,
                Stream::Work | Stream::List | Stream::Watch | Stream::Event => &self.report.calls,
            };
            let calls = counted.get(&stream).copied().unwrap_or(0);
            for nth in 0..calls {
                for (fault, same_end) in CALL_FAULTS {
                    points.push(Point {
                        trouble: Trouble::Call { stream, nth, fault },
                        same_end: same_end || stream != Stream::Work,
                    });
                }
                for in_flight in CRASHES {
                    points.push(Point {
                        trouble: Trouble::Crash {
                            stream,
                            nth,
                            in_flight,
                            down_ms: 100,
                        },
                        same_end: true,
                    });
                }
            }
        }
        for (nth, events) in (0..).zip(&self.report.events) {
            for event in 0..*events {
                points.extend(STREAM_FAULTS.map(|fault| Point {
                    trouble: Trouble::Watch { nth, event, fault },
                    same_end: true,
                }));
            }
        }
        points
    }

    /// This life with these faults, as a trace. It tells nothing yet.
    #[must_use]
    pub fn with(&self, points: &[&Point]) -> Trace {
        let plan = Plan {
            troubles: points.iter().map(|point| point.trouble.clone()).collect(),
            ..self.plan.clone()
        };
        let mut trace = Trace::new(plan, Promise::S21.name(), "");
        trace.same_end = points.iter().all(|point| point.same_end);
        trace
    }

    /// Runs this life with these faults. Where it must end as it does without them and does not, that breaks S21.
    #[must_use]
    pub fn run(&self, points: &[&Point], options: &Options) -> Report {
        let trace = self.with(points);
        let report = run(&trace.plan, options);
        if trace.same_end {
            compared(&self.report, report)
        } else {
            report
        }
    }
}

/// Runs a plan that must end as it does without its troubles (S21).
pub(super) fn run_to_same_end(plan: &Plan, options: &Options) -> Report {
    let faultless = Plan {
        troubles: Vec::new(),
        ..plan.clone()
    };
    compared(&run(&faultless, &Options::default()), run(plan, options))
}

/// The report of a run that must end as the reference does.
fn compared(reference: &Report, mut report: Report) -> Report {
    let none = End::default();
    let names: BTreeSet<&String> = reference.ends.keys().chain(report.ends.keys()).collect();
    let mut broken = Vec::new();
    for name in names {
        let before = reference.ends.get(name).unwrap_or(&none);
        let after = report.ends.get(name).unwrap_or(&none);
        if before != after {
            broken.push(Violation {
                promise: Promise::S21,
                object: format!("{NAMESPACE}/{name}"),
                at: template::start()
                    .saturating_add(Duration::from_millis(report.lasted_ms))
                    .unwrap_or(jiff::Timestamp::MAX),
                story: difference(before, after),
            });
        }
    }
    for violation in broken {
        if !report.trace.is_empty() {
            report.trace += &format!("!! {violation}\n");
        }
        report.broken.push(violation);
    }
    report
}

/// What became otherwise.
fn difference(before: &End, after: &End) -> String {
    let mut words = Vec::new();
    if (&after.phase, &after.reason) != (&before.phase, &before.reason) {
        words.push(format!(
            "it ends as {} ({}), not as {} ({})",
            after.phase, after.reason, before.phase, before.reason
        ));
    }
    let counts = [
        ("created", &after.created, &before.created),
        ("deleted", &after.deleted, &before.deleted),
    ];
    for (what, now, then) in counts {
        if now != then {
            words.push(format!("{what} {now:?}, not {then:?}"));
        }
    }
    words.join("; ")
}
