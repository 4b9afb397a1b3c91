//! Thousands of seeds: no promise is broken, and everything that can go wrong did, in every phase.

use std::sync::Mutex;

use remediation_adapters::simulation::run::{Options, Plan, Reach, run};

use super::committed::assert_committed;
use super::{asked, on_all_cores, reached, sorted};

/// More are run with `SIMULATION_SEEDS=100000 cargo test -p remediation-adapters --features simulation --test simulation seeds`.
const SEEDS: usize = 10_000;

/// Every edge of the machine that a history shows.
const TRANSITIONS: [&str; 11] = [
    "none → Processing",
    "Initializing → Processing",
    "Initializing → Failed",
    "Processing → Analyzing",
    "Processing → Failed",
    "Analyzing → WorkflowPlanning",
    "Analyzing → Failed",
    "WorkflowPlanning → Executing",
    "WorkflowPlanning → Failed",
    "Executing → Completed",
    "Executing → Failed",
];

/// Phases in which requests are worked on.
const PHASES: [&str; 4] = ["Processing", "Analyzing", "WorkflowPlanning", "Executing"];

/// Sorts of trouble that must have happened in each of these phases.
const EVERYWHERE: [&str; 56] = [
    "Work Conflict",
    "Work Invalid",
    "Work TooLarge",
    "Work Denied",
    "Work QuotaExceeded",
    "Work PolicyDenied",
    "Work Unauthorized",
    "Work TooMany",
    "Work ServerError",
    "Work Unavailable",
    "Work Refused",
    "Work Silent",
    "Work AppliedSilent",
    "Work Lost",
    "Work AppliedLate",
    "Work Twice",
    "Work Slow",
    "Crash in Work NotApplied",
    "Crash in Work Applied",
    "Crash in Work AppliedLate",
    "Crash at a time",
    "Stop",
    "Stall",
    "Clock back",
    "Clock forward",
    "Clock frozen",
    "Watches cut",
    "Watches cut and history forgotten",
    "Lag",
    "Lag and history forgotten",
    "Outage",
    "Restored etcd",
    "Person Delete",
    "Person DeleteChildren",
    "Person Suspend",
    "Person Strip",
    "Person EditPhase",
    "Namespace deleted",
    "Panic",
    "Person Annotate",
    "Person DeleteForeground",
    "Person EditPhaseStart",
    "Person EditRemove",
    "Person HoldChildren",
    "Person HostileMetadata",
    "Person HostileStatus",
    "Person NewerStatus",
    "Person OddStatus",
    "Person PutForeign",
    "Person Recreate",
    "Reconfigured",
    "Stream End",
    "Stream Repeat",
    "Stream Silence",
    "Stream Truncate",
    "Webhook",
];

/// Reasons for which requests must have failed.
const REASONS: [&str; 16] = [
    "AIAnalysisFailed",
    "AnalysisRejected",
    "ApprovalExpired",
    "ChildDeleted",
    "ChildNeverStarted",
    "Invalid",
    "InvalidPlan",
    "InvalidTargetingData",
    "KubernetesExecutionFailed",
    "NameConflict",
    "NoRecommendation",
    "OutOfMemory",
    "OverallTimeout",
    "PhaseTimeout",
    "RemediationProcessingFailed",
    "WorkflowExecutionFailed",
];

/// Sorts of trouble that must have happened at all.
const SOMEWHERE: [&str; 9] = [
    "Crash in List Applied",
    "Crash in Lease Applied",
    "List Expired",
    "List Silent",
    "Watch Expired",
    "Every patch Unavailable",
    "Kind not installed",
    "Garbage collector late",
    "Older definition",
];

/// How sorts of trouble begin that are so rare that they are only asked for with [`MANY`] seeds. Reads are refused for a time
/// in few lives, and each fault in fewer: any will do.
const RARE: [&str; 6] = [
    "Every create Denied",
    "Every create Conflict",
    "Lease Silent",
    "Event Lost",
    "Every delete ServerError",
    "Every get ",
];
/// With so many seeds everything must have happened in every phase, and for every reason.
const MANY: usize = 10_000;
/// With fewer than this it is not asked what was reached.
const ENOUGH: usize = 1_000;

#[test]
fn no_seed_breaks_a_promise_and_everything_is_reached() {
    let seeds = asked("SIMULATION_SEEDS", SEEDS);
    let (reach, broken) = (Mutex::new(Reach::default()), Mutex::new(Vec::new()));
    on_all_cores(seeds, |seed| {
        let report = run(&Plan::from_seed(seed as u64), &Options::default());
        reach.lock().unwrap().add(&report.reach);
        for violation in report.broken {
            broken.lock().unwrap().push((seed, violation.to_string()));
        }
    });
    let broken = sorted(broken);
    assert!(
        broken.is_empty(),
        "{broken:#?}\nmake the first one smaller with: remediation-orchestrator simulate --seed {}",
        broken[0].0
    );
    let reach = reach.into_inner().unwrap();
    let lagged = reach.troubles.contains_key("Lag");
    assert!(seeds < ENOUGH || lagged, "S20: no watch ever lagged");
    let missing = unreached(&reach, seeds >= MANY);
    assert!(
        seeds < ENOUGH || missing.is_empty(),
        "never reached in {seeds} seeds: {missing:#?}"
    );
    if seeds == SEEDS {
        let renews = "-p remediation-adapters --features simulation --test simulation seeds";
        let page = reached::page(&reach);
        reached::assert_nothing_lost(&page);
        assert_committed(reached::PAGE, &page, renews);
    }
}

fn unreached(reach: &Reach, in_every_phase: bool) -> Vec<String> {
    let mut missing = Vec::new();
    for transition in TRANSITIONS {
        if !reach.transitions.contains_key(transition) {
            missing.push(transition.to_owned());
        }
    }
    for sort in EVERYWHERE.iter().filter(|_| in_every_phase) {
        for phase in PHASES {
            let phases = reach.troubles.get(*sort);
            if phases.is_none_or(|phases| !phases.contains_key(phase)) {
                missing.push(format!("{sort} in {phase}"));
            }
        }
    }
    for sort in EVERYWHERE.iter().chain(&SOMEWHERE) {
        if !reach.troubles.contains_key(*sort) {
            missing.push((*sort).to_owned());
        }
    }
    for reason in REASONS.iter().filter(|_| in_every_phase) {
        if !reach.reasons.contains_key(*reason) {
            missing.push(format!("reason {reason}"));
        }
    }
    for beginning in RARE.iter().filter(|_| in_every_phase) {
        if !reach
            .troubles
            .keys()
            .any(|sort| sort.starts_with(beginning))
        {
            missing.push((*beginning).to_owned());
        }
    }
    for category in ["A", "B", "C", "D", "E", "F"] {
        if reach
            .categories
            .get(category)
            .is_none_or(|count| *count == 0)
        {
            missing.push(format!("category {category}"));
        }
    }
    missing
}

#[test]
fn what_was_never_reached_is_named() {
    let always = TRANSITIONS.len() + EVERYWHERE.len() + SOMEWHERE.len() + 6;
    assert_eq!(unreached(&Reach::default(), false).len(), always);
    let with_many = always + EVERYWHERE.len() * PHASES.len() + REASONS.len() + RARE.len();
    assert_eq!(unreached(&Reach::default(), true).len(), with_many);
}
