//! From a seed to a plan: each seed picks its own few sorts of trouble, and how often they happen.

use remediation_core::kind::{ChildKind, REQUEST_PLURAL};
use remediation_core::request::{RequestSpec, Timeouts};
use remediation_core::targeting::TargetingData;
use remediation_core::time::GoDuration;

use super::hostile;
use super::plan::{Asked, CallFault, Deed, InFlight, Plan, Stream, StreamFault, Trouble, When};
use super::random::Random;
use super::unusual;
use crate::simulation::children::{Approval, Decision, Outcome, Quirk, Script, Stage, Step};

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let replicas = if random.percent(25) { 2 } else { 1 };
        let requests: Vec<Asked> = (0..random.within(1, 3))
            .map(|number| asked(&mut random, number))
            .collect();
        let mut plan = Self {
            seed,
            replicas,
            concurrency: *random.one_of(&[1, 2, 16]),
            page_size: *random.one_of(&[1, 2, 500, 500]),
            safety_ms: random.within(20, 90) * 1000,
            requests,
            troubles: Vec::new(),
        };
        // A few sorts each, so that no one drowns the others.
        let sorts = random.within(0, 4);
        for _ in 0..sorts {
            add(&mut plan, &mut random);
        }
        unusual::add(&mut plan, &mut random);
        for (index, asked) in (0..).zip(&mut plan.requests) {
            stay(asked, seed, index);
        }
        plan
    }
}

/// Lets one request in twenty outlast the run, so that its end can be judged. Drawn by itself, so that it changes nothing
/// else of a seed.
fn stay(asked: &mut Asked, seed: u64, index: u64) {
    let mut random = Random::new(seed.rotate_left(32) ^ (index + 1));
    if random.percent(5) {
        let hours = random.within(2, 5) as i64;
        asked.spec.ttl_seconds_after_finished = Some(hours * 3600);
    }
}

/// A request without troubles, whose children do their work.
pub(super) fn asked(random: &mut Random, number: u64) -> Asked {
    let timeouts = random.percent(30).then(|| Timeouts {
        overall: Some(format!("{}s", random.within(20, 120))),
        analyzing: random.percent(50).then(|| "8s".to_owned()),
        ..Timeouts::default()
    });
    Asked {
        name: format!("r{number}"),
        at_ms: random.within(0, 8000),
        spec: RequestSpec {
            targeting_data: match random.within(0, 99) {
                0..=2 => None,
                3..=5 => Some(hostile::alert(alert(number))),
                _ => Some(alert(number)),
            },
            timeouts,
            ttl_seconds_after_finished: random.percent(30).then(|| random.within(0, 30) as i64),
            suspend: random.percent(3),
        },
        script: script(random),
    }
}

pub(super) fn alert(number: u64) -> TargetingData {
    TargetingData {
        signal_fingerprint: format!("fp-{number}"),
        alert_name: "HighLoad".to_owned(),
        environment: "production".to_owned(),
        ..TargetingData::default()
    }
}

fn script(random: &mut Random) -> Script {
    let approval = random.percent(20).then(|| Approval {
        after: GoDuration::from_secs(random.within(0, 40) as i64),
        decision: *random.one_of(&[
            Decision::Approved,
            Decision::Approved,
            Decision::Rejected,
            Decision::Silent,
        ]),
    });
    let ours = random.percent(60);
    let steps = match random.within(0, 3) {
        0 => Vec::new(),
        1 => vec![step(random, "one", &[])],
        2 => vec![step(random, "one", &[]), step(random, "two", &["one"])],
        _ => vec![
            step(random, "one", &[]),
            step(random, "two", &[]),
            step(random, "three", &["one", "two"]),
        ],
    };
    Script {
        processing: stage(random),
        analysis: stage(random),
        approval,
        recommendations: if random.percent(3) {
            Vec::new()
        } else {
            vec!["RestartPod".to_owned()]
        },
        planning: stage(random),
        workflow: stage(random),
        executed_by_orchestrator: ours && !steps.is_empty(),
        steps,
    }
}

fn step(random: &mut Random, name: &str, depends_on: &[&str]) -> Step {
    scaling(name, depends_on, stage(random))
}

/// A step of a plan that scales a deployment.
pub(super) fn scaling(name: &str, depends_on: &[&str], stage: Stage) -> Step {
    Step {
        name: name.to_owned(),
        action: "ScaleDeployment".to_owned(),
        depends_on: depends_on.iter().map(ToString::to_string).collect(),
        stage,
    }
}

fn stage(random: &mut Random) -> Stage {
    let takes = match random.within(0, 9) {
        0 => 0,
        1 => random.within(20_000, 70_000),
        _ => random.within(1, 4_000),
    };
    let outcome = match random.within(0, 39) {
        0 => Outcome::NeverAct,
        1 => Outcome::Stall,
        2 => Outcome::Fail {
            reason: "OutOfMemory".to_owned(),
            message: "it ran out of memory".to_owned(),
        },
        3 => Outcome::Fail {
            reason: String::new(),
            message: String::new(),
        },
        _ => Outcome::Succeed,
    };
    Stage {
        takes: GoDuration::from_millis(takes as i64),
        outcome,
        first_word: random.percent(5).then(|| "Warming".to_owned()),
        quirks: if random.percent(6) {
            vec![*random.one_of(&Quirk::ALL)]
        } else {
            Vec::new()
        },
    }
}

/// Adds one sort of trouble, once or a few times.
fn add(plan: &mut Plan, random: &mut Random) {
    match random.within(0, 15) {
        0..=3 => calls(plan, random),
        4..=5 => crashes(plan, random),
        6 => many_calls(plan, random),
        7 => processes(plan, random),
        8 => clocks(plan, random),
        9..=10 => watches(plan, random),
        11 => cluster(plan, random),
        _ => people(plan, random),
    }
}

const FAULTS: [CallFault; 18] = [
    CallFault::Conflict,
    CallFault::Invalid,
    CallFault::TooLarge,
    CallFault::Denied,
    CallFault::QuotaExceeded,
    CallFault::PolicyDenied,
    CallFault::Unauthorized,
    CallFault::TooMany(None),
    CallFault::TooMany(Some(3)),
    CallFault::ServerError,
    CallFault::Unavailable,
    CallFault::Refused,
    CallFault::Silent,
    CallFault::AppliedSilent,
    CallFault::Lost,
    CallFault::AppliedLate(7_000),
    CallFault::Twice,
    CallFault::Slow(3_000),
];

fn calls(plan: &mut Plan, random: &mut Random) {
    let stream = *random.one_of(&[
        Stream::Work,
        Stream::Work,
        Stream::Work,
        Stream::Work,
        Stream::List,
        Stream::Watch,
        Stream::Lease,
        Stream::Event,
    ]);
    let few: Vec<CallFault> = (0..random.within(1, 3))
        .map(|_| *random.one_of(&FAULTS))
        .collect();
    let rate = *random.one_of(&[3, 10, 30]);
    for nth in 0..60 {
        if random.percent(rate) {
            let fault = match (*random.one_of(&few), stream) {
                (_, Stream::List | Stream::Watch) if random.percent(30) => CallFault::Expired,
                (CallFault::AppliedLate(_), _) => {
                    CallFault::AppliedLate(random.within(100, 60_000))
                }
                (CallFault::Slow(_), _) => CallFault::Slow(random.within(100, 15_000)),
                (fault, _) => fault,
            };
            plan.troubles.push(Trouble::Call { stream, nth, fault });
        }
    }
}

fn crashes(plan: &mut Plan, random: &mut Random) {
    for _ in 0..random.within(1, 4) {
        let stream = *random.one_of(&[
            Stream::Work,
            Stream::Work,
            Stream::Work,
            Stream::Work,
            Stream::List,
            Stream::Lease,
        ]);
        plan.troubles.push(Trouble::Crash {
            stream,
            nth: random.within(0, 40) as u32,
            in_flight: match random.within(0, 3) {
                0 => InFlight::NotApplied,
                1 => InFlight::AppliedLate(random.within(100, 60_000)),
                _ => InFlight::Applied,
            },
            down_ms: *random.one_of(&[0, 100, 2_000, 40_000]),
        });
    }
}

fn many_calls(plan: &mut Plan, random: &mut Random) {
    let kind = *random.one_of(&ChildKind::ALL);
    let (verb, plural) = match random.within(0, 5) {
        0 => ("patch", REQUEST_PLURAL),
        1 => ("delete", REQUEST_PLURAL),
        2 => ("get", kind.plural()),
        _ => ("create", kind.plural()),
    };
    plan.troubles.push(Trouble::Calls {
        verb: verb.to_owned(),
        plural: plural.to_owned(),
        fault: *random.one_of(&FAULTS[..12]),
        at_ms: random.within(0, 10_000),
        for_ms: (!random.percent(20)).then(|| random.within(1_000, 60_000)),
    });
}

fn processes(plan: &mut Plan, random: &mut Random) {
    let replica = usize::try_from(random.within(0, 1)).unwrap_or(0) % plan.replicas;
    let at_ms = random.within(0, 30_000);
    let down_ms = *random.one_of(&[0, 500, 5_000, 60_000]);
    plan.troubles.push(match random.within(0, 3) {
        0 => Trouble::CrashAt {
            replica,
            at_ms,
            down_ms,
        },
        1 => Trouble::Stop {
            replica,
            at_ms,
            down_ms,
        },
        2 => Trouble::Stall {
            replica,
            at_ms,
            for_ms: random.within(1_000, 110_000),
        },
        _ => Trouble::Panic {
            nth: random.within(0, 20) as u32,
        },
    });
}

fn clocks(plan: &mut Plan, random: &mut Random) {
    let replica = usize::try_from(random.within(0, 1)).unwrap_or(0) % plan.replicas;
    let at_ms = random.within(0, 30_000);
    plan.troubles.push(if random.percent(25) {
        Trouble::Freeze {
            replica,
            at_ms,
            for_ms: random.within(1_000, 60_000),
        }
    } else {
        Trouble::Clock {
            replica,
            at_ms,
            by_ms: *random.one_of(&[1_000, 3_600_000, 90_000_000, -1_000, -3_600_000, 4_000]),
        }
    });
}

fn watches(plan: &mut Plan, random: &mut Random) {
    for _ in 0..random.within(1, 3) {
        let at_ms = random.within(0, 40_000);
        let kind = *random.one_of(&ChildKind::OWNED);
        let plural = *random.one_of(&[REQUEST_PLURAL, kind.plural()]);
        plan.troubles.push(match random.within(0, 3) {
            0 => Trouble::Cut {
                at_ms,
                compact: random.percent(50),
            },
            1 => Trouble::Lag {
                plural: plural.to_owned(),
                at_ms,
                for_ms: random.within(500, 60_000),
                compact: random.percent(40),
            },
            _ => Trouble::Watch {
                nth: random.within(0, 12) as u32,
                event: random.within(0, 6) as u32,
                fault: *random.one_of(&[
                    StreamFault::Silence,
                    StreamFault::Truncate,
                    StreamFault::Repeat,
                    StreamFault::End,
                ]),
            },
        });
    }
}

fn cluster(plan: &mut Plan, random: &mut Random) {
    let at_ms = random.within(1_000, 30_000);
    plan.troubles.push(match random.within(0, 7) {
        5 => Trouble::OlderDefinition {
            until_ms: random.within(1_000, 60_000),
        },
        6 => Trouble::Webhook {
            at_ms: random.within(0, 10_000),
            for_ms: random.within(5_000, 60_000),
        },
        7 => Trouble::Reconfigure {
            replica: usize::try_from(random.within(0, 1)).unwrap_or(0) % plan.replicas,
            at_ms,
        },
        0 | 1 => Trouble::Outage {
            at_ms,
            for_ms: random.within(500, 60_000),
        },
        2 => Trouble::Restore {
            saved_ms: random.within(0, at_ms),
            at_ms,
        },
        3 => Trouble::Namespace { at_ms },
        _ if random.percent(50) => Trouble::Garbage {
            late_ms: random.within(5_000, 120_000),
        },
        _ => Trouble::Uninstalled {
            kind: *random.one_of(&ChildKind::ALL),
            until_ms: random.within(1_000, 60_000),
        },
    });
}

const PHASES: [&str; 7] = [
    "Initializing",
    "Processing",
    "Analyzing",
    "WorkflowPlanning",
    "Executing",
    "Completed",
    "Failed",
];

fn people(plan: &mut Plan, random: &mut Random) {
    let request = random.one_of(&plan.requests).name.clone();
    for _ in 0..random.within(1, 2) {
        let kind = *random.one_of(&ChildKind::ALL);
        let when = match random.within(0, 4) {
            0 => When::At(random.within(0, 40_000)),
            1 => When::Call(random.within(0, 30) as u32),
            _ => When::Phase(
                (*random.one_of(&PHASES)).to_owned(),
                *random.one_of(&[0, 0, 1, 500, 5_000]),
            ),
        };
        let deed = match random.within(0, 18) {
            16 => Deed::HostileStatus(kind),
            17 => Deed::HostileMetadata,
            18 => Deed::NewerStatus,
            0 | 1 => Deed::Delete,
            2 => Deed::DeleteForeground,
            3 => Deed::Recreate,
            4 => Deed::Annotate,
            5 | 6 => Deed::Suspend(*random.one_of(&[0, 1, 700, 20_000, 60_000])),
            7 | 8 => Deed::DeleteChildren(kind),
            9 => Deed::HoldChildren(kind, random.within(500, 60_000)),
            10 => Deed::Strip(kind),
            11 => Deed::PutForeign(kind),
            12 => Deed::EditPhase(
                (*random.one_of(&[
                    "Processing",
                    "Completed",
                    "Executing",
                    "Hibernating",
                    "Pending",
                ]))
                .to_owned(),
            ),
            13 => Deed::EditRemove(
                (*random.one_of(&[
                    "completionTime",
                    "workflowExecutionRef",
                    "phase",
                    "startTime",
                    "history",
                    "effectivePolicy",
                    "failurePhase",
                    "kubernetesExecutionRefs",
                ]))
                .to_owned(),
            ),
            14 => Deed::EditPhaseStart(*random.one_of(&[-3600, -5, 3, 600])),
            _ => Deed::OddStatus(kind),
        };
        plan.troubles.push(Trouble::Person {
            request: request.clone(),
            when,
            deed,
        });
    }
}
