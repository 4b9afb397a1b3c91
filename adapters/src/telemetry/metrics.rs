//! The metrics, by name and with bounded labels: never a name, a fingerprint or a message.
//!
//! They are kept in a recorder of their own instead of the process-wide one, so that two operators in one
//! process (a simulation) do not count together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use remediation_core::error::Category;
use remediation_core::phase::Phase;

use super::descriptions::{
    ACTIVE, API_REQUESTS, CHILD_CREATION_FAILURES, DEADLINE_LAG, ERRORS, ESCALATIONS,
    EVENTS_DROPPED, LEADER, PHASE_DURATION, PHASE_TIMEOUT, PHASE_TRANSITIONS, RECONCILE_DURATION,
    REMEDIATION_DURATION, STATUS_CONFLICTS, STATUS_FAILURE, STATUS_SUCCESS, WATCH_RECONNECTIONS,
};
pub use super::descriptions::{Description, METRICS};

/// Seconds, for passes.
const RECONCILE_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Seconds, for phases and remediations: from what machines take to what people take.
const LONG_BUCKETS: &[f64] = &[
    1.0, 5.0, 15.0, 60.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 5400.0, 10800.0,
];
/// Seconds, for lateness.
const LAG_BUCKETS: &[f64] = &[0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

/// The reasons of failures that this system itself gives; a child's own reason is free text and counts as Other.
const KNOWN_REASONS: &[&str] = &[
    "AIAnalysisFailed",
    "AnalysisRejected",
    "ApprovalExpired",
    "ChildDeleted",
    "ChildNeverStarted",
    "Invalid",
    "InvalidPlan",
    "InvalidSpec",
    "InvalidTargetingData",
    "KubernetesExecutionFailed",
    "NameConflict",
    "NoRecommendation",
    "OverallTimeout",
    "PhaseTimeout",
    "RemediationProcessingFailed",
    "WorkflowExecutionFailed",
];

/// The metrics of one operator. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// How many remediations are in each phase, in the order of [`Phase::ALL`].
    active: [Gauge; Phase::ALL.len()],
    /// Something was observed that waits for the next upkeep.
    observed: AtomicBool,
}

const METADATA: Metadata<'static> = Metadata::new("remediation", Level::INFO, None);

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that count from zero.
    #[must_use]
    pub fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in [
            (RECONCILE_DURATION, RECONCILE_BUCKETS),
            (PHASE_DURATION, LONG_BUCKETS),
            (REMEDIATION_DURATION, LONG_BUCKETS),
            (DEADLINE_LAG, LAG_BUCKETS),
        ] {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
                .expect("the buckets above are not empty");
        }
        let recorder = builder.build_recorder();
        let active = Phase::ALL.map(|phase| {
            let key = Key::from_parts(ACTIVE, vec![Label::new("phase", phase.name())]);
            recorder.register_gauge(&key, &METADATA)
        });
        let metrics = Self(Arc::new(Inner {
            active,
            handle: recorder.handle(),
            recorder,
            observed: AtomicBool::new(false),
        }));
        metrics.describe();
        metrics
    }

    /// The metrics in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.handle.render()
    }

    /// Folds what was observed since the last time, so that nothing grows where nobody scrapes. To be called
    /// every few seconds.
    pub fn upkeep(&self) {
        if self.0.observed.swap(false, Ordering::Relaxed) {
            self.0.handle.run_upkeep();
        }
    }

    /// A call to the API server was answered; code 0 is no answer.
    pub fn api_request(&self, verb: &'static str, resource: &'static str, code: u16) {
        let labels = vec![
            Label::new("verb", verb),
            Label::new("resource", resource),
            Label::new("code", code.to_string()),
        ];
        self.counter(API_REQUESTS, labels).increment(1);
    }

    /// An error of this category was met.
    pub fn error(&self, category: Category) {
        self.one(ERRORS, "category", category.letter());
    }

    /// A pass panicked, and was survived.
    pub fn panic(&self) {
        self.one(ERRORS, "category", "Panic");
    }

    /// A status update was applied.
    pub fn status_update_success(&self) {
        self.plain(STATUS_SUCCESS);
    }

    /// A status update met a newer version.
    pub fn status_update_conflict(&self) {
        self.plain(STATUS_CONFLICTS);
    }

    /// A status update failed otherwise.
    pub fn status_update_failure(&self) {
        self.plain(STATUS_FAILURE);
    }

    /// A child could not be created.
    pub fn child_creation_failure(&self) {
        self.plain(CHILD_CREATION_FAILURES);
    }

    /// A deadline failed a remediation.
    pub fn phase_timeout(&self) {
        self.plain(PHASE_TIMEOUT);
    }

    /// A transition was recorded.
    pub fn transition(&self, from: Phase, to: Phase) {
        let labels = vec![Label::new("from", from.name()), Label::new("to", to.name())];
        self.counter(PHASE_TRANSITIONS, labels).increment(1);
    }

    /// A phase was left after so many seconds.
    pub fn phase_duration(&self, phase: Phase, seconds: f64) {
        self.histogram(PHASE_DURATION, vec![Label::new("phase", phase.name())])
            .record(seconds);
    }

    /// A remediation ended after so many seconds.
    pub fn remediation_duration(&self, outcome: Phase, seconds: f64) {
        self.histogram(
            REMEDIATION_DURATION,
            vec![Label::new("outcome", outcome.name())],
        )
        .record(seconds);
    }

    /// How many remediations are in each phase now.
    pub fn active(&self, counts: &BTreeMap<Phase, usize>) {
        for (phase, gauge) in Phase::ALL.iter().zip(&self.0.active) {
            let count = counts.get(phase).copied().unwrap_or(0);
            // Exact far beyond any number of objects that an API server holds.
            gauge.set(count as f64);
        }
    }

    /// A watch was lost.
    pub fn watch_lost(&self, kind: &'static str) {
        self.one(WATCH_RECONNECTIONS, "kind", kind);
    }

    /// An escalation was sent for this reason.
    pub fn escalation(&self, reason: &str) {
        self.one(ESCALATIONS, "reason", bounded_reason(reason));
    }

    /// A deadline was acted on so many seconds after it passed.
    pub fn deadline_lag(&self, seconds: f64) {
        self.histogram(DEADLINE_LAG, Vec::new()).record(seconds);
    }

    /// A pass took so many seconds.
    pub fn reconciled(&self, seconds: f64) {
        self.histogram(RECONCILE_DURATION, Vec::new())
            .record(seconds);
    }

    /// Whether this replica acts.
    pub fn leader(&self, leading: bool) {
        self.gauge(LEADER, Vec::new())
            .set(if leading { 1.0 } else { 0.0 });
    }

    /// An Event was not written.
    pub fn event_dropped(&self) {
        self.plain(EVENTS_DROPPED);
    }

    /// Describes every metric, and lets each counter begin at zero, so that its first increase is seen.
    fn describe(&self) {
        for metric in METRICS {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                "counter" => self.0.recorder.describe_counter(name, None, help),
                "gauge" => self.0.recorder.describe_gauge(name, None, help),
                _ => self.0.recorder.describe_histogram(name, None, help),
            }
            if metric.kind == "counter" && metric.labels.is_empty() {
                self.counter(metric.name, Vec::new()).increment(0);
            }
        }
        for category in Category::ALL {
            self.counter(ERRORS, vec![Label::new("category", category.letter())])
                .increment(0);
        }
        self.active(&BTreeMap::new());
        self.leader(false);
    }

    fn plain(&self, name: &'static str) {
        self.counter(name, Vec::new()).increment(1);
    }

    fn one(&self, name: &'static str, label: &'static str, value: &'static str) {
        self.counter(name, vec![Label::new(label, value)])
            .increment(1);
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        self.0
            .recorder
            .register_counter(&Key::from_parts(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str, labels: Vec<Label>) -> Gauge {
        self.0
            .recorder
            .register_gauge(&Key::from_parts(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: Vec<Label>) -> Histogram {
        self.0.observed.store(true, Ordering::Relaxed);
        self.0
            .recorder
            .register_histogram(&Key::from_parts(name, labels), &METADATA)
    }
}

/// A reason of ours, or `Other`.
fn bounded_reason(reason: &str) -> &'static str {
    KNOWN_REASONS
        .iter()
        .find(|known| **known == reason)
        .copied()
        .unwrap_or("Other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_rendered_with_its_help_and_its_buckets() {
        let metrics = Metrics::new();
        metrics.reconciled(0.3);
        metrics.phase_duration(Phase::Processing, 4.0);
        metrics.remediation_duration(Phase::Completed, 4.0);
        metrics.deadline_lag(0.0);
        metrics.transition(Phase::Pending, Phase::Initializing);
        metrics.watch_lost("AIAnalysis");
        metrics.api_request("create", "aianalyses", 201);
        metrics.escalation("PhaseTimeout");
        metrics.error(Category::B);
        let text = metrics.render();
        for metric in METRICS {
            assert!(
                text.contains(&format!("# HELP {} ", metric.name)),
                "{} in {text}",
                metric.name
            );
            assert!(
                text.contains(&format!("# TYPE {} {}", metric.name, metric.kind)),
                "{text}"
            );
        }
        assert!(
            text.contains(
                "remediationorchestrator_reconcile_duration_seconds_bucket{le=\"0.5\"} 1"
            )
        );
        assert!(text.contains("remediationorchestrator_errors_total{category=\"B\"} 1"));
        assert!(text.contains("remediationorchestrator_status_update_failure_total 0"));
        assert!(text.contains("remediationorchestrator_leader 0"));
    }

    #[test]
    fn a_reason_that_a_child_chose_is_no_label() {
        let metrics = Metrics::new();
        metrics.escalation("PhaseTimeout");
        metrics.escalation("fingerprint-123");
        let text = metrics.render();
        assert!(
            text.contains("escalations_total{reason=\"PhaseTimeout\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("escalations_total{reason=\"Other\"} 1"),
            "{text}"
        );
        assert!(!text.contains("fingerprint"));
    }

    #[test]
    fn a_transition_is_counted_from_where_it_came_to_where_it_went() {
        let metrics = Metrics::new();
        metrics.transition(Phase::Processing, Phase::Analyzing);
        let text = metrics.render();
        let line = "phase_transitions_total{from=\"Processing\",to=\"Analyzing\"} 1";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_phase_that_nothing_is_in_any_more_counts_none() {
        let metrics = Metrics::new();
        metrics.active(&BTreeMap::from([(Phase::Analyzing, 2)]));
        assert!(metrics.render().contains("active{phase=\"Analyzing\"} 2"));
        metrics.active(&BTreeMap::new());
        assert!(metrics.render().contains("active{phase=\"Analyzing\"} 0"));
    }

    #[test]
    fn two_operators_do_not_count_together() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.status_update_success();
        assert!(one.render().contains("status_update_success_total 1"));
        assert!(other.render().contains("status_update_success_total 0"));
    }
}
