//! What is told of each call: the view of one's own writes, metrics, and log lines.

use jiff::Timestamp;
use remediation_core::action::{ChildSpec, Event, NewChild};
use remediation_core::error::{ApiFailure, Category, Cause, classify};
use remediation_core::names::Occasion;
use remediation_core::pass::{Call, Outcome, RecordCall};
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::request::Identity;
use remediation_core::time::Time;

use super::shared::Shared;
use crate::kubernetes::calls::verb_and_resource;
use crate::kubernetes::executor::Observer;
use crate::telemetry::Metrics;

impl Observer for Shared {
    fn answered(&self, request: &Identity, call: &Call, outcome: &Outcome, now: Timestamp) {
        self.store().overlay.learn(request, call, outcome, now);
        let (verb, resource) = verb_and_resource(call);
        self.metrics
            .api_request(verb, resource, code(call, outcome));
        match (outcome, call) {
            (Outcome::Failed(failure), _) => failed(&self.metrics, request, call, failure),
            (Outcome::Request(stored), Call::Record(record)) if stored.status == record.to => {
                recorded(&self.metrics, request, record, now);
            }
            (Outcome::Request(_), Call::Record(_)) => not_kept(&self.metrics, request),
            (Outcome::Child(_), Call::Create(child)) => created(&self.metrics, request, child),
            (Outcome::Child(_) | Outcome::Request(_) | Outcome::Deleted, _) => {}
        }
    }

    fn announce(&self, request: &Identity, event: Event) {
        self.announcer.publish(request, &event);
    }
}

fn code(call: &Call, outcome: &Outcome) -> u16 {
    match (outcome, call) {
        (Outcome::Failed(failure), _) => failure.code,
        (Outcome::Child(_), Call::Create(_)) => 201,
        (Outcome::Child(_) | Outcome::Request(_) | Outcome::Deleted, _) => 200,
    }
}

fn failed(metrics: &Metrics, request: &Identity, call: &Call, failure: &ApiFailure) {
    let cause = classify(failure);
    let expected = matches!(
        cause,
        Cause::NotFound | Cause::Conflict | Cause::AlreadyExists
    );
    // A creation that is refused for good is counted when the failure that follows from it is recorded.
    let counted_later = matches!(call, Call::Create(_)) && cause.category() == Category::C;
    if cause != Cause::AlreadyExists && !counted_later {
        metrics.error(cause.category());
    }
    match call {
        Call::Record(_) if cause == Cause::Conflict => metrics.status_update_conflict(),
        Call::Record(_) => metrics.status_update_failure(),
        Call::Create(_) if cause != Cause::AlreadyExists => metrics.child_creation_failure(),
        Call::Create(_)
        | Call::Read(_)
        | Call::ReadRequest
        | Call::RestoreOwnership(_)
        | Call::DeleteChild(_)
        | Call::DeleteRequest { .. } => {}
    }
    let (verb, resource) = verb_and_resource(call);
    let (namespace, rr, uid) = (&request.namespace, &request.name, &request.uid);
    let (code, error) = (failure.code, &failure.message);
    if expected {
        tracing::debug!(
            namespace,
            rr,
            uid,
            verb,
            resource,
            code,
            error,
            "not applied"
        );
    } else {
        tracing::warn!(
            namespace,
            rr,
            uid,
            verb,
            resource,
            code,
            category = cause.category().letter(),
            cause = cause.word(),
            error,
            next_step = cause.next_step(),
            "call failed"
        );
    }
}

fn created(metrics: &Metrics, request: &Identity, child: &NewChild) {
    if let ChildSpec::Notification(notification) = &child.spec
        && notification.occasion == Occasion::Escalation
    {
        let reason = notification.metadata.get("failure_reason");
        metrics.escalation(reason.map_or("", String::as_str));
    }
    tracing::debug!(
        namespace = request.namespace, rr = request.name, uid = request.uid, child = %child.key,
        "created"
    );
}

fn recorded(metrics: &Metrics, request: &Identity, record: &RecordCall, now: Timestamp) {
    metrics.status_update_success();
    let (from, to) = (&record.from, &record.to);
    let mut left = from.known_phase().unwrap_or(Phase::Pending);
    let mut since = from.phase_start_time;
    for &entered in &record.path {
        metrics.transition(left, entered);
        if let Some(since) = since {
            metrics.phase_duration(left, seconds(Time::at(now), since));
        }
        since = Some(Time::at(now));
        tracing::info!(
            namespace = request.namespace,
            rr = request.name,
            uid = request.uid,
            from = left.name(),
            phase = entered.name(),
            reason = to.reason,
            "transition"
        );
        left = entered;
    }
    if let (Some(category), false) = (to.failure_category, from.has_failed()) {
        metrics.error(category);
    }
    if to.timeout_phase.is_some() && from.timeout_phase.is_none() {
        metrics.phase_timeout();
        if let Some(deadline) = from.next_deadline {
            metrics.deadline_lag(seconds(Time::at(now), deadline));
        }
    }
    if let (Some(ended), None) = (to.completion_time, from.completion_time) {
        let outcome = match &to.phase {
            Some(PhaseWord::Known(Phase::Completed)) => Phase::Completed,
            Some(_) | None => Phase::Failed,
        };
        let lasted = to.start_time.map_or(0.0, |start| seconds(ended, start));
        metrics.remediation_duration(outcome, lasted);
        tracing::info!(
            namespace = request.namespace,
            rr = request.name,
            uid = request.uid,
            outcome = outcome.name(),
            reason = to.reason,
            message = to.message,
            seconds = lasted,
            attempt = to.attempt,
            progress = to.overall_progress,
            failure_phase = to.failure_phase.map(Phase::name),
            "remediation ended"
        );
    }
}

/// The API server took a status and stored another: nothing of it counts.
fn not_kept(metrics: &Metrics, request: &Identity) {
    metrics.status_update_failure();
    tracing::warn!(
        namespace = request.namespace,
        rr = request.name,
        uid = request.uid,
        next_step = "install the custom resource definitions of this version, and look for webhooks that change status",
        "the API server did not keep the status that was written"
    );
}

/// From `earlier` to `later`, in seconds; 0 if it is not later.
fn seconds(later: Time, earlier: Time) -> f64 {
    // Exact far beyond the ten years that a duration is held below.
    later.since(earlier).as_millis() as f64 / 1000.0
}
