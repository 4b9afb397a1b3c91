//! Creations: S2 to S5 (when), S12, S13, S24 (notifications), S26 (what of), S29 (how large).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use remediation_core::kind::ChildKind;
use remediation_core::time::Time;
use serde_json::Value;

use super::allowance::Allowance;
use super::read::{self, Status, at, list, size, text};
use super::state::{Child, Request};
use super::status_write::unsuccessful;
use super::{Findings, Promise};

/// The largest notification spec, in bytes of JSON; its body.
const LARGEST_NOTIFICATION: usize = 8 * 1024;
const LONGEST_BODY: usize = 4096;
/// A stored time that lies further ahead than this is rewritten.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);
/// How long a process waits for an answer.
const CALL: SignedDuration = SignedDuration::from_secs(10);

pub(super) struct Creation<'a> {
    pub(super) object: &'a Value,
    pub(super) kind: ChildKind,
    pub(super) at: Timestamp,
    /// From when on it can have been committed, had nothing held it up.
    pub(super) earliest: Timestamp,
    pub(super) request: &'a Request,
    pub(super) children: &'a BTreeMap<String, Child>,
    pub(super) allowance: &'a Allowance,
}

impl Creation<'_> {
    pub(super) fn check(&self, found: &mut Findings<'_>) {
        if let Some((promise, why)) = self.untimely() {
            found.breaks(promise, format!("{} was created although {why}", self.kind));
        }
        match self.kind {
            ChildKind::NotificationRequest => self.check_notification(found),
            ChildKind::RemediationProcessing
            | ChildKind::AIAnalysis
            | ChildKind::WorkflowExecution
            | ChildKind::KubernetesExecution => {
                if let Some(wrong) = self.wrong_spec() {
                    found.breaks(Promise::S26, wrong);
                }
            }
        }
    }

    /// Whether something had held for so long when it was asked for that it must have been known.
    fn long(&self, since: Option<Timestamp>) -> bool {
        since.is_some_and(|since| self.allowance.is_known(since, self.earliest))
    }

    fn untimely(&self) -> Option<(Promise, String)> {
        let request = self.request;
        let status = request.status();
        let notifies = self.kind == ChildKind::NotificationRequest;
        let owed = notifies && status.owes_notification();
        let over = [
            (self.long(request.gone), "its request is gone"),
            (self.long(request.deleting), "its request is being deleted"),
            (self.long(request.ended) && !owed, "its request has ended"),
            (
                self.long(request.suspended) && request.ended.is_none(),
                "its request is suspended",
            ),
        ];
        if let Some((_, why)) = over.iter().find(|(holds, _)| *holds) {
            return Some((Promise::S5, (*why).to_owned()));
        }
        if notifies {
            return None;
        }
        if self.long(request.failed) {
            return Some((Promise::S4, "the failure was recorded before".to_owned()));
        }
        let latest = text(self.object, &["spec", "notAfter"]).and_then(read::time);
        let late =
            |latest: &Time| self.long(Some(latest.moment() + self.allowance.expectations.skew));
        if self.kind == ChildKind::KubernetesExecution
            && let Some(latest) = latest.filter(late)
        {
            return Some((Promise::S4, format!("its phase was over at {latest}")));
        }
        if let Some(missing) = self.unled() {
            return Some((Promise::S2, missing));
        }
        self.out_of_place().map(|why| (Promise::S3, why))
    }

    fn of_kind(&self, kind: ChildKind) -> impl Iterator<Item = &Child> {
        let children = self.request.children.iter();
        children
            .filter_map(|uid| self.children.get(uid))
            .filter(move |child| child.kind == kind)
    }

    /// S2: what did not say what would lead to this child.
    fn unled(&self) -> Option<String> {
        let before = match self.kind {
            ChildKind::RemediationProcessing | ChildKind::NotificationRequest => return None,
            ChildKind::AIAnalysis => ChildKind::RemediationProcessing,
            ChildKind::WorkflowExecution => ChildKind::AIAnalysis,
            ChildKind::KubernetesExecution => ChildKind::WorkflowExecution,
        };
        if !self.of_kind(before).any(|child| child.led.is_some()) {
            return Some(format!(
                "no {before} of its request has said that it may be"
            ));
        }
        let step = text(self.object, &["spec", "step"])?;
        // A plan that changed since may have been followed rightly.
        let missing: Option<Vec<&str>> = self
            .planned(step)
            .map(|planned| self.missing(planned))
            .collect();
        let missing = *missing?.first()?;
        Some(format!(
            "step {step} needs step {missing}, which is not completed"
        ))
    }

    /// The first step that this one waits for and that is not completed.
    fn missing<'b>(&self, planned: &'b Value) -> Option<&'b str> {
        list(planned, &["dependsOn"])
            .iter()
            .filter_map(Value::as_str)
            .find(|needed| {
                let done = |child: &Child| {
                    text(&child.image, &["spec", "step"]) == Some(needed)
                        && child.succeeded.is_some()
                };
                let recorded = |step: &Value| step["step"] == *needed && step["completed"] == true;
                !self.of_kind(ChildKind::KubernetesExecution).any(done)
                    && !self.request.status().steps().iter().any(recorded)
            })
    }

    fn planned(&self, step: &str) -> impl Iterator<Item = &Value> {
        self.of_kind(ChildKind::WorkflowExecution)
            .flat_map(move |workflow| workflow.planned_steps(step))
    }

    /// S3: the phase that this child is of was left long ago.
    fn out_of_place(&self) -> Option<String> {
        let last = match self.kind {
            ChildKind::RemediationProcessing => read::PROCESSING,
            ChildKind::AIAnalysis => read::ANALYZING,
            ChildKind::WorkflowExecution => read::PLANNING,
            ChildKind::KubernetesExecution => read::EXECUTING,
            ChildKind::NotificationRequest => return None,
        };
        let left = self.request.left[last].filter(|_| self.long(self.request.left[last]))?;
        Some(format!("{} was left at {left}", read::PLACES[last]))
    }

    fn check_notification(&self, found: &mut Findings<'_>) {
        let spec = self.object.get("spec").unwrap_or(&Value::Null);
        let size = size(spec);
        let body = text(spec, &["body"]).map_or(0, str::len);
        if size >= LARGEST_NOTIFICATION || body > LONGEST_BODY {
            found.breaks(
                Promise::S29,
                format!("a notification of {size} bytes, its body of {body}"),
            );
        }
        let status = self.request.status();
        match text(spec, &["type"]) {
            Some("escalation") => self.check_escalation(spec, status, found),
            Some("success") => {
                if !self.request.successes.is_empty() {
                    found.breaks(Promise::S12, "a second success notification was created");
                }
                if !self.request.escalations.is_empty() && !self.was_under_way() {
                    found.breaks(Promise::S12, "success is told after an escalation");
                }
                if let Some(why) = unsuccessful(status, self.request, self.children) {
                    found.breaks(Promise::S24, format!("success is told, and {why}"));
                }
            }
            _ => {}
        }
    }

    /// Whether a process that waits for it no longer had asked for it before the failure was recorded: nothing can stop it any more, and
    /// it is to be disarmed where it is read ("When a success may be told" in docs/child-contract.md).
    fn was_under_way(&self) -> bool {
        let given_up = self.at.duration_since(self.earliest) >= CALL;
        let failed = self.request.failed;
        given_up && failed.is_some_and(|failed| self.earliest < failed)
    }

    fn check_escalation(&self, spec: &Value, status: Status<'_>, found: &mut Findings<'_>) {
        if let Some(first) = self.request.escalations.first() {
            found.breaks(
                Promise::S12,
                format!("a second escalation was created beside {first}"),
            );
        }
        let end = self.request.end.as_ref();
        if end.is_some_and(|end| end.phase == "Completed") {
            found.breaks(Promise::S12, "a completed remediation was escalated");
        }
        if self.request.edited {
            return;
        }
        if !status.has_failed() {
            return found.breaks(
                Promise::S13,
                "an escalation tells of a failure that status does not hold",
            );
        }
        let told = [
            ("failure_reason", "reason"),
            ("failure_category", "failureCategory"),
            ("phase", "failurePhase"),
        ];
        for (field, recorded) in told {
            let (says, is) = (text(spec, &["metadata", field]), status.text(recorded));
            if says != is {
                found.breaks(
                    Promise::S13,
                    format!("the escalation says {field} {says:?}, status.{recorded} is {is:?}"),
                );
            }
        }
    }

    /// S26: how the spec differs from what it is to be made of.
    fn wrong_spec(&self) -> Option<String> {
        let spec = self.object.get("spec")?;
        let asked = at(&self.request.image, &["spec", "targetingData"]);
        let takes_data = self.kind != ChildKind::KubernetesExecution;
        if takes_data && spec.get("targetingData") != asked {
            return Some("spec.targetingData is not that of the request".to_owned());
        }
        match self.kind {
            ChildKind::RemediationProcessing | ChildKind::NotificationRequest => None,
            ChildKind::AIAnalysis => {
                let given = spec.get("enrichedData");
                let known = |image: &Value| same_map(given, at(image, &["status", "enrichedData"]));
                (!self.any_result(ChildKind::RemediationProcessing, known))
                    .then(|| "spec.enrichedData is no RemediationProcessing's result".to_owned())
            }
            ChildKind::WorkflowExecution => {
                let given = list(spec, &["recommendations"]);
                let path = ["status", "investigationResult", "recommendations"];
                let known = |image: &Value| same_recommendations(given, list(image, &path));
                if !self.any_result(ChildKind::AIAnalysis, known) {
                    return Some("spec.recommendations are no AIAnalysis's result".to_owned());
                }
                self.wrong_not_after(spec)
            }
            ChildKind::KubernetesExecution => self.wrong_step(spec),
        }
    }

    /// A workflow's latest moment is the overall deadline, with the pause that is ending as it is created.
    fn wrong_not_after(&self, spec: &Value) -> Option<String> {
        let recorded = self.request.status().overall_deadline()?;
        let Some(not_after) = text(spec, &["notAfter"]).and_then(read::time) else {
            return Some("spec.notAfter is no time".to_owned());
        };
        let right = self.statuses().any(|status| {
            let Some(deadline) = status.overall_deadline() else {
                return false;
            };
            let ending = status
                .time("suspendedSince")
                .map_or(SignedDuration::ZERO, |since| {
                    (self.at + self.allowance.expectations.skew).duration_since(since.moment())
                });
            let fits = |earliest: Timestamp, latest: Timestamp| {
                (earliest..=latest + ending).contains(&not_after.moment())
            };
            fits(deadline.moment(), deadline.moment())
                || self
                    .rewritten_start(status)
                    .is_some_and(|(earliest, latest)| fits(earliest, latest))
        });
        (!right)
            .then(|| format!("spec.notAfter is {not_after}, the overall deadline is {recorded}"))
    }

    /// The status, and what it was since the view that the creation may have been decided from.
    fn statuses(&self) -> impl Iterator<Item = Status<'_>> {
        let view = self.allowance.earliest_view(self.earliest);
        let former = self.request.former_deadlines.iter();
        let former = former.filter(move |(until, _)| *until >= view);
        former
            .map(|(_, image)| image)
            .chain([&self.request.image])
            .map(|image| Status::of(image))
    }

    /// A start that lies ahead is set to now, and what is created in the same pass goes by it before it is recorded: the
    /// overall deadline, at its earliest and latest.
    fn rewritten_start(&self, status: Status<'_>) -> Option<(Timestamp, Timestamp)> {
        let skew = self.allowance.expectations.skew;
        let earliest = self.allowance.earliest_view(self.earliest) - skew;
        let start = status.time("startTime")?;
        if skew.is_zero() && !self.request.set_by_hand.contains(&start) {
            return None;
        }
        let ahead = start.moment().duration_since(earliest) > AHEAD;
        let length = status.overall_deadline()?.since(start);
        let end = |now: Timestamp| Time::at(now).plus(length).moment();
        ahead.then(|| (end(earliest), end(self.at + skew)))
    }

    fn any_result(&self, kind: ChildKind, fits: impl Fn(&Value) -> bool) -> bool {
        let mut results = self
            .of_kind(kind)
            .flat_map(|child| &child.results)
            .peekable();
        results.peek().is_none() || results.any(|image| fits(image))
    }

    fn wrong_step(&self, spec: &Value) -> Option<String> {
        let step = text(spec, &["step"])?;
        let mut wrong = self.planned(step).map(|planned| unlike(spec, planned));
        let Some(newest) = wrong.next() else {
            let any = self
                .of_kind(ChildKind::WorkflowExecution)
                .any(|w| !w.results.is_empty());
            return any.then(|| format!("no plan has a step {step}"));
        };
        if newest.is_some() && wrong.all(|earlier| earlier.is_some()) {
            return newest;
        }
        let not_after = text(spec, &["notAfter"]).and_then(read::time)?;
        let recorded = self.request.status().overall_deadline()?;
        let right = self.statuses().any(|status| {
            let latest = status.overall_deadline();
            let by_rewritten = self.rewritten_start(status);
            latest.is_some_and(|latest| not_after <= latest)
                || status.text("suspendedSince").is_some()
                || by_rewritten.is_some_and(|(_, latest)| not_after.moment() <= latest)
        });
        (!right)
            .then(|| format!("spec.notAfter is {not_after}, after the overall deadline {recorded}"))
    }
}

/// In what an execution does something else than its step of a plan.
fn unlike(spec: &Value, planned: &Value) -> Option<String> {
    let step = text(spec, &["step"])?;
    let (given, wanted) = (text(spec, &["action"]), text(planned, &["action"]));
    if given.unwrap_or_default() != wanted.unwrap_or_default() {
        return Some(format!(
            "step {step} is to do {wanted:?}, its execution does {given:?}"
        ));
    }
    let same = same_map(spec.get("parameters"), planned.get("parameters"));
    (!same).then(|| format!("step {step} has other parameters than the plan"))
}

/// Whether two maps of texts are the same; what is no text is not copied, and an absent map is an empty one.
fn same_map(given: Option<&Value>, from: Option<&Value>) -> bool {
    let empty = serde_json::Map::new();
    let map = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    if given == from {
        return true;
    }
    let (given, from) = (
        map(given).unwrap_or_default(),
        map(from).unwrap_or_else(|| empty.clone()),
    );
    // One value that is no text makes the whole map unreadable, and it counts as empty.
    if from.values().any(|value| !value.is_string()) {
        return given.is_empty();
    }
    given == from
}

fn same_recommendations(given: &[Value], from: &[Value]) -> bool {
    given.len() == from.len()
        && given.iter().zip(from).all(|(given, from)| {
            ["action", "description"].iter().all(|field| {
                let part = |value| text(value, &[field]).unwrap_or_default();
                part(given) == part(from)
            }) && given.get("parameters").filter(|p| !p.is_null())
                == from.get("parameters").filter(|p| !p.is_null())
        })
}
