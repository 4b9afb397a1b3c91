//! A status write of the orchestrator's: what it found and what it left. It carries the resourceVersion that it was
//! decided from, so that what it found is what was decided from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::Timestamp;
use remediation_core::kind::{ChildKind, REQUEST_PLURAL};
use serde_json::Value;

use super::allowance::Allowance;
use super::read::{self, Status, list, size};
use super::state::{Child, Request};
use super::{Findings, Promise, failure, path, times};

/// The largest status, in bytes of JSON.
const LARGEST_STATUS: usize = 32 * 1024;
/// The largest of a remediation of one step, unless somebody else wrote long texts.
const LARGEST_OF_ONE_STEP: usize = 4 * 1024;

/// The conditions of ours.
const CONDITIONS: [&str; 7] = [
    "Complete",
    "Failed",
    "Reconciling",
    "Stalled",
    "AwaitingApproval",
    "Suspended",
    "Escalated",
];

/// The fields of status that the definition has.
static FIELDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let definitions = crate::kubernetes::crd::all().into_iter();
    let definitions = definitions.filter_map(|crd| serde_json::to_value(crd).ok());
    let requests = definitions
        .filter(|crd| crd["spec"]["names"]["plural"] == REQUEST_PLURAL)
        .flat_map(|mut crd| {
            let schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take();
            let fields = schema["properties"]["status"]["properties"].as_object();
            fields.cloned().unwrap_or_default()
        });
    requests.map(|(field, _)| field).collect()
});

pub(super) struct StatusWrite<'a> {
    pub(super) before: Status<'a>,
    pub(super) after: Status<'a>,
    pub(super) at: Timestamp,
    /// When it was asked for.
    pub(super) earliest: Timestamp,
    pub(super) was_deleting: bool,
    /// Suspended, and not ended.
    pub(super) was_suspended: bool,
    pub(super) resumed: Option<Timestamp>,
    pub(super) request: &'a Request,
    pub(super) children: &'a BTreeMap<String, Child>,
    pub(super) allowance: &'a Allowance,
    pub(super) last_fault: Option<Timestamp>,
    pub(super) namespace_ends: bool,
}

impl StatusWrite<'_> {
    pub(super) fn check(&self, found: &mut Findings<'_>) {
        path::check(self, found);
        self.check_newer(found);
        if self.was_deleting {
            found.breaks(
                Promise::S5,
                "status was written although the request is being deleted",
            );
        }
        self.check_names(found);
        if self.before.has_ended() {
            return;
        }
        times::check(self, found);
        failure::check(self, found);
        self.check_progress(found);
        self.check_outcome(found);
        let policy = self.before.0.get("effectivePolicy");
        if policy.is_some() && policy != self.after.0.get("effectivePolicy") {
            found.breaks(
                Promise::S27,
                "status.effectivePolicy changed while the remediation was under way",
            );
        }
        self.check_size(found);
    }

    /// What a newer version wrote, which this one does not know, stays as it is.
    fn check_newer(&self, found: &mut Findings<'_>) {
        let newer = self.before.0.as_object().into_iter().flatten();
        let lost = newer
            .filter(|(field, _)| !FIELDS.contains(*field))
            .find(|(field, value)| self.after.0.get(*field) != Some(*value));
        if let Some((field, _)) = lost {
            let story = format!("status.{field} is a newer version's, and was changed");
            found.breaks(Promise::S14, story);
        }
        let conditions = |status: Status<'_>| list(status.0, &["conditions"]).to_vec();
        let ours = |condition: &Value| CONDITIONS.iter().any(|kind| condition["type"] == **kind);
        let after = conditions(self.after);
        let lost = conditions(self.before)
            .into_iter()
            .find(|condition| !ours(condition) && !after.contains(condition));
        if let Some(condition) = lost {
            let story = format!("the condition {} is not ours", condition["type"]);
            found.breaks(Promise::S14, format!("{story}, and was changed"));
        }
    }

    fn check_names(&self, found: &mut Findings<'_>) {
        for (step, uid) in self.after.executions() {
            let shown = if step.is_empty() {
                "the workflow"
            } else {
                step
            };
            if let Some(known) = self.request.named.get(step).filter(|known| *known != uid) {
                found.breaks(
                    Promise::S1,
                    format!("{shown} was {known} and is {uid} now: it may have acted twice"),
                );
            }
        }
        for (step, uid) in self.before.executions() {
            let shown = if step.is_empty() {
                "the workflow"
            } else {
                step
            };
            if !self.after.executions().any(|(named, _)| named == step) {
                found.breaks(
                    Promise::S1,
                    format!("{shown} ({uid}) may have acted, and status forgets it"),
                );
            }
        }
        let stages = ["remediationProcessingRef", "aiAnalysisRef"];
        let stages = stages
            .iter()
            .filter_map(|field| self.after.reference(field));
        let executions = self.after.executions().map(|(_, uid)| uid);
        let children = stages
            .chain(executions)
            .filter(|uid| !self.before.names(uid));
        let known: Vec<&str> = self.before.notifications().collect();
        let notifications = self.after.notifications();
        for uid in children.chain(notifications.filter(|uid| !known.contains(uid))) {
            self.check_ours(uid, found);
        }
    }

    /// What is newly named belongs to this request.
    fn check_ours(&self, uid: &str, found: &mut Findings<'_>) {
        let request = read::uid(&self.request.image);
        match self.children.get(uid) {
            None if self.allowance.expectations.whole => found.breaks(
                Promise::S15,
                format!("status names {uid}, and there is no such object"),
            ),
            None => {}
            Some(child) => match child.request.as_deref() {
                Some(owner) if owner == request => {}
                Some(owner) => found.breaks(
                    Promise::S16,
                    format!(
                        "status names {}, which is of another request, {owner}",
                        child.object
                    ),
                ),
                None => found.breaks(
                    Promise::S15,
                    format!("status names {}, which is not ours", child.object),
                ),
            },
        }
    }

    fn check_progress(&self, found: &mut Findings<'_>) {
        let (before, after) = (self.before, self.after);
        for field in ["overallProgress", "stepsCompleted"] {
            if let (Some(old), new) = (before.number(field), after.number(field).unwrap_or(0))
                && new < old
            {
                found.breaks(
                    Promise::S23,
                    format!("status.{field} went from {old} to {new}"),
                );
            }
        }
        let full = |status: Status<'_>| status.number("overallProgress") == Some(100);
        let completed = after.phase() == "Completed";
        if full(after) != completed && full(before) == (before.phase() == "Completed") {
            found.breaks(
                Promise::S23,
                format!(
                    "the progress in {} is {:?} %",
                    after.phase(),
                    after.number("overallProgress")
                ),
            );
        }
        let (old, new) = (before.steps(), after.steps());
        for step in new {
            let was = old.iter().find(|known| known["uid"] == step["uid"]);
            let (was, is) = (
                was.is_some_and(|s| s["completed"] == true),
                step["completed"] == true,
            );
            if was && !is {
                found.breaks(
                    Promise::S23,
                    format!("step {} was completed and is not any more", step["step"]),
                );
            }
            let child = step["uid"].as_str().and_then(|uid| self.children.get(uid));
            if is && !was && child.is_some_and(|child| child.succeeded.is_none()) {
                found.breaks(
                    Promise::S24,
                    format!(
                        "step {} counts as completed and never said so",
                        step["step"]
                    ),
                );
            }
        }
    }

    fn check_outcome(&self, found: &mut Findings<'_>) {
        let (before, after) = (self.before, self.after);
        if after.phase() == "Completed" && before.phase() != "Completed" {
            if let Some(why) = unsuccessful(after, self.request, self.children) {
                found.breaks(Promise::S24, format!("it was completed, and {why}"));
            }
            if !self.request.escalations.is_empty() && !self.request.edited {
                found.breaks(
                    Promise::S12,
                    "it was completed after people were told that it failed",
                );
            }
        }
        if after.phase() == "Failed" && before.phase() != "Failed" && !self.request.edited {
            if !self.request.successes.is_empty() {
                found.breaks(
                    Promise::S13,
                    "it failed after people were told that it completed",
                );
            }
            let told = self.request.escalated_for.as_deref();
            if told.is_some_and(|reason| Some(reason) != after.text("reason")) {
                found.breaks(
                    Promise::S13,
                    format!(
                        "it failed for {:?}, and the escalation says {told:?}",
                        after.text("reason")
                    ),
                );
            }
        }
    }

    fn check_size(&self, found: &mut Findings<'_>) {
        let request = self.request;
        let mut children = request.children.iter();
        let wordy = request.wordy
            || children.any(|uid| self.children.get(uid).is_some_and(|child| child.wordy));
        let most = if self.after.steps().len() <= 1 && !wordy {
            LARGEST_OF_ONE_STEP
        } else {
            LARGEST_STATUS
        };
        let size = size(self.after.0);
        if size > most && size > self.found_size(most) {
            found.breaks(
                Promise::S29,
                format!("a status of {size} bytes, {most} are allowed"),
            );
        }
    }

    /// What a hand made too large is not ours to answer for.
    fn found_size(&self, most: usize) -> usize {
        let size = size(self.before.0);
        if size > most { size + most } else { 0 }
    }
}

/// Why a request cannot have succeeded: something that it ran did not say so. Where etcd was restored, what it said may have been
/// taken back; then a success that people were told of, and that was judged as it was created, stands for it.
pub(super) fn unsuccessful(
    status: Status<'_>,
    request: &Request,
    children: &BTreeMap<String, Child>,
) -> Option<String> {
    if request.restored.is_some() && !request.successes.is_empty() {
        return None;
    }
    // Where a hand took its name away, what completed may have been any of the request's.
    let completed = || {
        let mut all = request.children.iter().filter_map(|uid| children.get(uid));
        all.any(|child| child.kind == ChildKind::WorkflowExecution && child.succeeded.is_some())
    };
    let names_workflow = status.reference("workflowExecutionRef").is_some();
    if !names_workflow && (request.unnamed.is_empty() || !completed()) {
        return Some("status names no workflow that said Completed".to_owned());
    }
    let mut named = status.executions().filter_map(|(_, uid)| children.get(uid));
    let unsaid = named.find(|child| child.succeeded.is_none())?;
    Some(format!(
        "{} never said Completed: it says `{}`",
        unsaid.object,
        unsaid.phase()
    ))
}
