//! The table of all metrics: their names, types and labels, and what each tells.

/// One metric: what it is called, its type, its labels, and what it tells.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The full name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

const fn row(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Description {
    Description {
        name,
        kind,
        labels,
        help,
    }
}

macro_rules! names {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(super) const $constant: &str = concat!("remediationorchestrator_", $name);)*
    };
}

names! {
    STATUS_SUCCESS = "status_update_success_total";
    STATUS_CONFLICTS = "status_update_conflicts_total";
    STATUS_FAILURE = "status_update_failure_total";
    RECONCILE_DURATION = "reconcile_duration_seconds";
    CHILD_CREATION_FAILURES = "child_creation_failures_total";
    PHASE_TIMEOUT = "phase_timeout_total";
    PHASE_TRANSITIONS = "phase_transitions_total";
    PHASE_DURATION = "phase_duration_seconds";
    REMEDIATION_DURATION = "remediation_duration_seconds";
    ACTIVE = "active";
    WATCH_RECONNECTIONS = "watch_reconnections_total";
    API_REQUESTS = "api_requests_total";
    ERRORS = "errors_total";
    ESCALATIONS = "escalations_total";
    DEADLINE_LAG = "deadline_lag_seconds";
    LEADER = "leader";
    EVENTS_DROPPED = "events_dropped_total";
}

/// All metrics; the reference page is written from it.
pub const METRICS: &[Description] = &[
    row(
        STATUS_SUCCESS,
        "counter",
        &[],
        "Status updates that were applied.",
    ),
    row(
        STATUS_CONFLICTS,
        "counter",
        &[],
        "Status updates that met a newer version; read afresh and decided again.",
    ),
    row(
        STATUS_FAILURE,
        "counter",
        &[],
        "Status updates that failed otherwise, or that the API server did not keep; retried with backoff.",
    ),
    row(
        RECONCILE_DURATION,
        "histogram",
        &[],
        "Duration of one pass over one remediation, API calls included.",
    ),
    row(
        CHILD_CREATION_FAILURES,
        "counter",
        &[],
        "Creations of children that were refused or not answered.",
    ),
    row(
        PHASE_TIMEOUT,
        "counter",
        &[],
        "Remediations that failed because a deadline passed.",
    ),
    row(
        PHASE_TRANSITIONS,
        "counter",
        &["from", "to"],
        "Transitions between phases that were recorded.",
    ),
    row(
        PHASE_DURATION,
        "histogram",
        &["phase"],
        "How long a phase lasted.",
    ),
    row(
        REMEDIATION_DURATION,
        "histogram",
        &["outcome"],
        "How long a remediation lasted.",
    ),
    row(
        ACTIVE,
        "gauge",
        &["phase"],
        "Remediations in each phase, finished ones that still exist included.",
    ),
    row(
        WATCH_RECONNECTIONS,
        "counter",
        &["kind"],
        "Watches that were lost and reconnected (category D). The ordinary end of a watch is not counted.",
    ),
    row(
        API_REQUESTS,
        "counter",
        &["verb", "resource", "code"],
        "Calls to the API server by their answer; code 0 is no answer.",
    ),
    row(
        ERRORS,
        "counter",
        &["category"],
        "Errors by category A to F; Panic is a bug that was survived.",
    ),
    row(
        ESCALATIONS,
        "counter",
        &["reason"],
        "Escalations that were sent; reasons that children chose are Other.",
    ),
    row(
        DEADLINE_LAG,
        "histogram",
        &[],
        "How late a passed deadline was acted on.",
    ),
    row(
        LEADER,
        "gauge",
        &[],
        "1 while this replica acts, 0 while it stands by.",
    ),
    row(
        EVENTS_DROPPED,
        "counter",
        &[],
        "Events that were not written: too many for one request, a full queue, or refused.",
    ),
];
