//! The configurations: what may happen in each, and how often. Every one is explored to its end.

use std::sync::Arc;

use remediation_core::policy::Settings;
use remediation_core::request::{RequestSpec, Timeouts};
use remediation_core::targeting::TargetingData;
use remediation_core::time::GoDuration;

use super::mistakes::{Mistake, NONE};
use super::server::Refusal;
use super::state::Budget;
use super::words::{AIA, RP, STEP_A, STEP_B, UNKNOWN, WFE};

/// What a controller may write: in this slot, over that word, this one; and whether it is a lapse.
pub(crate) struct Says {
    pub(crate) slot: usize,
    pub(crate) from: &'static [u8],
    pub(crate) to: u8,
    pub(crate) lapse: bool,
}

/// What people may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hand {
    /// Delete the request, in the background.
    Delete,
    /// Delete it in the foreground: it stays until its children are gone.
    DeleteForeground,
    /// Create one of the same name.
    Recreate,
    /// Suspend it, or let it go on.
    Suspend,
    /// Delete a child.
    DeleteChild,
    /// Delete a child that a finalizer holds for a while.
    BeginDeleteChild,
    /// Take a child's owner reference and labels away.
    Strip,
    /// Put an object of their own under a name of ours.
    Foreign,
    /// Write another phase into status.
    EditPhase,
    /// Take the references to executions out of status.
    EditRefs,
    /// Take the completion time out of status.
    EditEnd,
}

impl Hand {
    pub(crate) const ALL: [Hand; 11] = [
        Hand::Delete,
        Hand::DeleteForeground,
        Hand::Recreate,
        Hand::Suspend,
        Hand::DeleteChild,
        Hand::BeginDeleteChild,
        Hand::Strip,
        Hand::Foreign,
        Hand::EditPhase,
        Hand::EditRefs,
        Hand::EditEnd,
    ];
}

/// One configuration.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) says: &'static [&'static [Says]],
    pub(crate) hands: &'static [Hand],
    pub(crate) refusals: &'static [Refusal],
    pub(crate) budget: Budget,
    /// Whether a second process runs from the beginning, with settings of its own.
    pub(crate) two_leaders: bool,
    /// Whether caches lag; otherwise they show everything at once, own writes included.
    pub(crate) lag: bool,
    /// Whether a process sees its own writes at once, as the operator's overlay gives it.
    pub(crate) own_writes: bool,
    /// Whether the clock may also stop a millisecond before a deadline.
    pub(crate) to_the_millisecond: bool,
    /// Whether the workflow's plan is the orchestrator's to run.
    pub(crate) planned: bool,
    pub(crate) spec: RequestSpec,
    pub(crate) settings: [Arc<Settings>; 2],
    pub(crate) mistake: &'static Mistake,
    /// Every how many-th state the fair schedules begin from.
    pub(crate) fair_every: u64,
}

const fn says(slot: usize, from: &'static [u8], to: u8) -> Says {
    Says {
        slot,
        from,
        to,
        lapse: false,
    }
}

const fn lapse(slot: usize, from: &'static [u8], to: u8) -> Says {
    Says {
        slot,
        from,
        to,
        lapse: true,
    }
}

/// Processing and analysis that succeed at once, and a workflow of its own.
const PLAIN: &[Says] = &[
    says(RP, &[0], 2),
    says(AIA, &[0], 3),
    says(WFE, &[0], 2),
    says(WFE, &[0, 2], 5),
];
/// The words on the way.
const SLOW: &[Says] = &[
    says(RP, &[0], 1),
    says(RP, &[1], 2),
    says(AIA, &[0], 1),
    says(AIA, &[1], 3),
    says(WFE, &[0], 1),
    says(WFE, &[1], 2),
];
/// Failures.
const FAILING: &[Says] = &[
    says(RP, &[0, 1], 3),
    says(AIA, &[0, 1], 7),
    says(AIA, &[0, 1], 8),
    says(WFE, &[0, 1, 2, 3], 7),
];
const FAILING_LATE: &[Says] = &[says(WFE, &[0, 2, 3], 7)];
const FAILING_STEPS: &[Says] = &[says(STEP_A, &[0, 1], 3), says(STEP_B, &[0, 1], 3)];
/// A plan that is ours to run.
const PLANNED: &[Says] = &[
    says(RP, &[0], 2),
    says(AIA, &[0], 3),
    says(WFE, &[0, 1], 3),
    says(WFE, &[3], 6),
    says(STEP_A, &[0, 1], 2),
    says(STEP_B, &[0, 1], 2),
];
const PLANS_GONE_WRONG: &[Says] = &[
    says(WFE, &[0, 1], 9),
    lapse(WFE, &[3], 8),
    lapse(WFE, &[3], 2),
];
const APPROVAL: &[Says] = &[
    says(RP, &[0], 2),
    says(AIA, &[0, 1], 2),
    says(AIA, &[2], 5),
    says(AIA, &[2], 6),
    says(WFE, &[0, 2], 5),
];
/// What no controller should do: go back after the end, change its mind, use other words.
const LAPSES: &[Says] = &[
    lapse(RP, &[2], 3),
    lapse(RP, &[2, 3], 1),
    lapse(RP, &[0, 1], UNKNOWN),
    lapse(AIA, &[3, 5], 7),
    lapse(AIA, &[3, 5], 1),
    lapse(WFE, &[5, 6], 7),
    lapse(WFE, &[5, 6, 7], 2),
    lapse(WFE, &[0, 1, 2], UNKNOWN),
    lapse(STEP_A, &[2], 3),
    lapse(STEP_A, &[3], 2),
    says(RP, &[UNKNOWN], 2),
    says(WFE, &[UNKNOWN], 5),
];

const NO_BUDGET: Budget = Budget {
    crashes: 0,
    faults: 0,
    late: 0,
    hands: 0,
    lapses: 0,
    clock: 0,
};

fn spec() -> RequestSpec {
    let fifty_seconds = || Some("50s".to_owned());
    RequestSpec {
        targeting_data: Some(TargetingData {
            signal_fingerprint: "fp-1".into(),
            alert_name: "HighMemoryUsage".into(),
            environment: "production".into(),
            ..TargetingData::default()
        }),
        // Before a child's silence is reported after a minute: fewer states, and the reports have tests of their own.
        timeouts: Some(Timeouts {
            processing: fifty_seconds(),
            analyzing: fifty_seconds(),
            approval: fifty_seconds(),
            workflow_planning: fifty_seconds(),
            executing: fifty_seconds(),
            overall: Some("170s".into()),
        }),
        ..RequestSpec::default()
    }
}

/// The settings of the other binary of a rollout.
fn other_settings() -> Settings {
    let mut settings = Settings::default();
    settings.retention.ttl_seconds_after_finished = 7;
    settings.timeouts.executing = GoDuration::from_secs(10);
    settings.notifications.escalation.priority = "urgent".into();
    settings
}

fn base(name: &'static str, about: &'static str) -> Config {
    Config {
        name,
        about,
        says: &[PLAIN],
        hands: &[],
        refusals: &[],
        budget: NO_BUDGET,
        two_leaders: false,
        lag: true,
        own_writes: true,
        to_the_millisecond: false,
        planned: false,
        spec: spec(),
        settings: [Arc::default(), Arc::default()],
        mistake: &NONE,
        fair_every: 1,
    }
}

/// All configurations.
pub(crate) fn all() -> Vec<Config> {
    use Hand::*;
    const PASSING: &[Refusal] = &[Refusal::Unavailable, Refusal::Timeout, Refusal::Conflict];
    vec![
        Config {
            says: &[PLAIN, SLOW, FAILING],
            refusals: &[
                Refusal::Unavailable,
                Refusal::Timeout,
                Refusal::Conflict,
                Refusal::TooMany,
                Refusal::Forbidden,
                Refusal::Invalid,
            ],
            budget: Budget {
                faults: 1,
                late: 1,
                clock: 1,
                ..NO_BUDGET
            },
            to_the_millisecond: true,
            fair_every: 17,
            ..base(
                "plain",
                "one request, a workflow of its own that succeeds or fails, fast or slowly; every refusal",
            )
        },
        Config {
            says: &[PLANNED, FAILING_STEPS, PLANS_GONE_WRONG],
            refusals: PASSING,
            budget: Budget {
                crashes: 1,
                faults: 1,
                late: 1,
                lapses: 1,
                ..NO_BUDGET
            },
            planned: true,
            ..base(
                "plan",
                "a plan of two steps that the orchestrator runs; steps fail, plans are invalid or change",
            )
        },
        Config {
            says: &[APPROVAL],
            refusals: &[Refusal::Unavailable, Refusal::Timeout, Refusal::Forbidden],
            hands: &[Suspend],
            budget: Budget {
                faults: 1,
                late: 1,
                hands: 1,
                clock: 1,
                ..NO_BUDGET
            },
            fair_every: 5,
            ..base(
                "approval",
                "somebody must agree, agrees, refuses or does not answer; suspended on the way",
            )
        },
        Config {
            says: &[PLAIN, FAILING_LATE],
            // For campaigns with faults.
            refusals: PASSING,
            budget: NO_BUDGET,
            two_leaders: true,
            settings: [Arc::default(), Arc::new(other_settings())],
            fair_every: 17,
            ..base(
                "leaders",
                "two processes that both believe they lead, with different settings",
            )
        },
        Config {
            says: &[PLAIN],
            budget: Budget {
                crashes: 1,
                ..NO_BUDGET
            },
            two_leaders: true,
            settings: [Arc::default(), Arc::new(other_settings())],
            fair_every: 101,
            ..base(
                "takeover",
                "two processes that both believe they lead, of which one dies",
            )
        },
        Config {
            says: &[PLAIN, LAPSES, FAILING_LATE],
            hands: &[
                Delete,
                DeleteForeground,
                Recreate,
                Suspend,
                DeleteChild,
                BeginDeleteChild,
                Strip,
                Foreign,
            ],
            budget: Budget {
                crashes: 1,
                hands: 1,
                lapses: 1,
                ..NO_BUDGET
            },
            fair_every: 17,
            ..base(
                "people",
                "people delete, recreate, suspend, strip and squat; controllers go back on their word",
            )
        },
        Config {
            hands: &[Delete, DeleteForeground, Recreate],
            budget: Budget {
                hands: 2,
                ..NO_BUDGET
            },
            fair_every: 17,
            ..base(
                "again",
                "the request is deleted, and one of the same name is created",
            )
        },
        Config {
            hands: &[EditPhase, EditRefs, EditEnd, DeleteChild, Suspend],
            budget: Budget {
                crashes: 1,
                hands: 1,
                clock: 1,
                ..NO_BUDGET
            },
            ..base("edits", "people write into status")
        },
        Config {
            says: &[PLANNED],
            refusals: &[Refusal::Timeout],
            budget: Budget {
                crashes: 3,
                faults: 1,
                late: 2,
                ..NO_BUDGET
            },
            planned: true,
            fair_every: 17,
            ..base(
                "crashes",
                "a plan of two steps, three crashes at any call, two calls that arrive late",
            )
        },
        Config {
            says: &[PLAIN],
            refusals: PASSING,
            hands: &[DeleteChild],
            budget: Budget {
                hands: 1,
                ..NO_BUDGET
            },
            own_writes: false,
            fair_every: 17,
            ..base("blind", "caches that do not show a process its own writes")
        },
        Config {
            spec: RequestSpec {
                targeting_data: None,
                ..spec()
            },
            refusals: &[
                Refusal::Unavailable,
                Refusal::Timeout,
                Refusal::Conflict,
                Refusal::TooMany,
                Refusal::Forbidden,
                Refusal::Invalid,
            ],
            hands: &[Suspend, DeleteForeground],
            budget: Budget {
                crashes: 1,
                faults: 1,
                late: 1,
                hands: 1,
                clock: 2,
                ..NO_BUDGET
            },
            ..base(
                "invalid",
                "a request that asks for what cannot be, with everything that can happen to its escalation",
            )
        },
    ]
}

/// The configuration of this name.
pub(crate) fn named(name: &str) -> Option<Config> {
    all().into_iter().find(|config| config.name == name)
}
