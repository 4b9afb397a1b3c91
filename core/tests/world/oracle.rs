//! The promises of the reliability page, checked at every call and at the end of every pass. They are written from the
//! page and not from the code, and each is named by its number there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use remediation_core::action::ChildSpec;
use remediation_core::children::Child;
use remediation_core::kind::ChildKind;
use remediation_core::memory::Errand;
use remediation_core::names::Occasion;
use remediation_core::pass::{Call, RecordCall};
use remediation_core::phase::{Phase, TRANSITIONS};
use remediation_core::request::Request;
use remediation_core::status::Status;
use remediation_core::time::{GoDuration, Time};

use super::World;

/// What was seen over a whole life, and what of it does not hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) violations: Vec<String>,
    /// Whether somebody edited the status: what was edited is not ours to answer for.
    pub(crate) edited: bool,
    /// Whether a success was told, or a failure recorded, by a call that arrived late: the window that is known
    /// (docs/reliability/model.md), in which both may be told.
    pub(crate) window: bool,
    executions: BTreeMap<String, BTreeSet<String>>,
    notified: BTreeMap<Occasion, u32>,
}

impl Oracle {
    pub(super) fn violated(&mut self, what: String) {
        self.violations.push(what);
    }

    /// The deadlines that this status amounts to, from the page alone: start + limit + pause.
    pub(super) fn deadlines(status: &Status) -> Vec<Time> {
        let Some(policy) = &status.effective_policy else {
            return Vec::new();
        };
        let limits = &policy.timeouts;
        let paused = status.suspended_in_phase.unwrap_or(GoDuration::ZERO);
        let limit = match status.known_phase() {
            Some(Phase::Initializing | Phase::Processing) => Some(limits.processing),
            Some(Phase::Analyzing) => Some(limits.analyzing),
            Some(Phase::WorkflowPlanning) => Some(limits.workflow_planning),
            Some(Phase::Executing) => Some(limits.executing),
            Some(Phase::Pending | Phase::Completed | Phase::Failed) | None => None,
        };
        let waits = status.known_phase() == Some(Phase::Analyzing);
        let asked = status.approval_requested_time.filter(|_| waits);
        let of_phase = match (asked, limit, status.phase_start_time) {
            (Some(asked), ..) => Some(asked.plus(limits.approval).plus(paused)),
            (None, Some(limit), Some(start)) => Some(start.plus(limit).plus(paused)),
            _ => None,
        };
        let total = status.suspended_total.unwrap_or(GoDuration::ZERO);
        let overall = status
            .start_time
            .map(|start| start.plus(limits.overall).plus(total));
        of_phase.into_iter().chain(overall).collect()
    }
}

/// Whether status names this child as one of the four owned kinds.
pub(crate) fn names(status: &Status, child: &Child) -> bool {
    let stages = [
        &status.remediation_processing_ref,
        &status.ai_analysis_ref,
        &status.workflow_execution_ref,
    ];
    let steps = status.kubernetes_execution_refs.iter().map(|r| &r.uid);
    let mut uids = stages.into_iter().flatten().map(|r| &r.uid).chain(steps);
    uids.any(|uid| *uid == child.uid)
}

impl World {
    /// Checks a call before it is made.
    pub(crate) fn check(&mut self, call: &Call) {
        let found: Vec<String> = match call {
            Call::Create(new) => self.check_create(&new.spec, new.key.kind),
            Call::Record(record) => check_record(record, self.now, self.oracle.edited),
            Call::DeleteRequest { .. } => self.check_expired(),
            Call::DeleteChild(seen) => {
                let object = self
                    .objects
                    .get(&seen.key)
                    .filter(|o| o.child.uid == seen.uid);
                let named = object.is_some_and(|o| names(self.status(), &o.child));
                let ours = object.is_none_or(|o| o.child.owner == self.owner());
                [
                    named.then(|| format!("S14: deletes {}, which status names", seen.key)),
                    (!ours).then(|| format!("S14: deletes {}, which is not ours", seen.key)),
                ]
                .into_iter()
                .flatten()
                .collect()
            }
            Call::RestoreOwnership(seen) => {
                let object = self
                    .objects
                    .get(&seen.key)
                    .filter(|o| o.child.uid == seen.uid);
                let named = object.is_none_or(|o| names(self.status(), &o.child));
                (!named)
                    .then(|| format!("S14: changes {}, which is not named", seen.key))
                    .into_iter()
                    .collect()
            }
            Call::Read(_) | Call::ReadRequest => Vec::new(),
        };
        for what in found {
            self.oracle.violated(what);
        }
    }

    fn check_create(&self, spec: &ChildSpec, kind: ChildKind) -> Vec<String> {
        let mut found = Vec::new();
        let Some(request) = &self.request else {
            return vec!["S5: creates for a request that is gone".into()];
        };
        let owed = kind == ChildKind::NotificationRequest && {
            let escalated = request.status.condition("Escalated");
            escalated.is_some_and(|c| c.status == "False")
        };
        if request.deleting || (request.status.is_terminal() && !owed && !self.overtaken) {
            found.push(format!("S5: creates a {kind} although it is over"));
        }
        if request.spec.suspend && !request.status.is_terminal() {
            found.push(format!("S34: creates a {kind} while suspended"));
        }
        let says = |kind: ChildKind, words: &[&str]| {
            let mut of_kind = self.objects.values().filter(|o| o.child.key.kind == kind);
            of_kind.any(|o| words.contains(&o.child.status.phase()))
        };
        let led = match kind {
            ChildKind::RemediationProcessing | ChildKind::NotificationRequest => true,
            ChildKind::AIAnalysis => says(ChildKind::RemediationProcessing, &["Completed"]),
            ChildKind::WorkflowExecution => says(ChildKind::AIAnalysis, &["Ready", "Completed"]),
            ChildKind::KubernetesExecution => says(
                ChildKind::WorkflowExecution,
                &["Executing", "Running", "Completed"],
            ),
        };
        if !led {
            found.push(format!("S2: creates a {kind} before what leads to it"));
        }
        let fails = request.status.has_failed() && !self.overtaken;
        if kind != ChildKind::NotificationRequest && fails {
            found.push(format!("S4: creates a {kind} after it failed"));
        }
        if let ChildSpec::Notification(notification) = spec {
            let size = serde_json::to_string(notification).unwrap().len();
            if size >= 8 * 1024 || notification.body.len() > 4096 {
                found.push(format!("S29: a notification of {size} bytes"));
            }
            if notification.occasion == Occasion::Escalation {
                let reason = notification.metadata.get("failure_reason");
                if !request.status.has_failed() {
                    found.push("S12: escalates before the failure is recorded".into());
                } else if reason != request.status.reason.as_ref() && !self.oracle.edited {
                    found.push(format!(
                        "S13: escalates {reason:?}, recorded is another reason"
                    ));
                }
            }
        }
        found
    }

    fn check_expired(&self) -> Vec<String> {
        let status = self.status();
        let policy = status.effective_policy.as_ref();
        let expiry = status.completion_time.zip(policy).map(|(ended, policy)| {
            ended.plus(GoDuration::from_secs(policy.ttl_seconds_after_finished))
        });
        let expired = expiry.is_some_and(|expiry| expiry.moment() <= self.now);
        if expired || self.oracle.edited {
            Vec::new()
        } else {
            vec!["S25: deletes the request before completion + ttl".into()]
        }
    }

    /// Takes note of a call that was applied.
    pub(crate) fn note_applied(&mut self, call: &Call) {
        match call {
            Call::Record(record) => {
                let workflow = record.to.workflow_execution_ref.iter();
                let steps = record.to.kubernetes_execution_refs.iter();
                let named = workflow
                    .map(|r| ("workflow".to_owned(), r.uid.clone()))
                    .chain(steps.map(|r| (r.step.clone(), r.uid.clone())));
                for (what, uid) in named {
                    let uids = self.oracle.executions.entry(what.clone()).or_default();
                    uids.insert(uid);
                    if uids.len() > 1 && !self.oracle.edited {
                        self.oracle
                            .violated(format!("S1: two executions of {what} were named"));
                    }
                }
            }
            Call::Create(new) => {
                if let ChildSpec::Notification(notification) = &new.spec {
                    let count = self
                        .oracle
                        .notified
                        .entry(notification.occasion)
                        .or_default();
                    *count += 1;
                    if *count > 1 {
                        self.oracle
                            .violated(format!("S12: two {:?}s", notification.occasion));
                    }
                    let both = [Occasion::Success, Occasion::Escalation];
                    let all = both.iter().all(|o| self.oracle.notified.contains_key(o));
                    if all && !self.oracle.window && !self.oracle.edited {
                        self.oracle.violated("S12: success and escalation".into());
                    }
                }
            }
            Call::Read(_)
            | Call::ReadRequest
            | Call::RestoreOwnership(_)
            | Call::DeleteChild(_)
            | Call::DeleteRequest { .. } => {}
        }
    }

    /// Checks what holds once nothing is left to do: no deadline was missed, and the next one wakes us.
    pub(crate) fn check_rest(&mut self) {
        let Some(request) = self.request.clone() else {
            return;
        };
        if let Some(wake) = self.wake.filter(|wake| *wake <= self.now) {
            self.oracle
                .violated(format!("S10: a wake-up in the past, {wake}"));
        }
        if let Some(next) = next_deadline(&request) {
            let unwritable = !self.memory.refusals.is_empty();
            if next.reached(self.now) && !unwritable {
                self.oracle
                    .violated(format!("S9: at rest past the deadline {next}"));
            }
            // While status cannot be written no deadline can be recorded as passed: the next try is soon enough.
            let record = self.memory.refusal(&Errand::Record);
            let held = record.filter(|refusal| !refusal.is_over(self.now));
            let due = held.map_or(next.moment(), |refusal| refusal.next_try.max(next.moment()));
            let in_time = self.wake.is_some_and(|wake| wake <= due);
            if !next.reached(self.now) && !in_time {
                self.oracle
                    .violated(format!("S10: no wake-up at the deadline {next}"));
            }
        }
    }
}

/// The next deadline or expiry that the status amounts to.
fn next_deadline(request: &Request) -> Option<Time> {
    let status = &request.status;
    if request.deleting || (request.spec.suspend && !status.is_terminal()) {
        return None;
    }
    if let Some(ended) = status.completion_time {
        let ttl = status.effective_policy.as_ref()?.ttl_seconds_after_finished;
        return Some(ended.plus(GoDuration::from_secs(ttl)));
    }
    if status.has_failed() {
        return None;
    }
    Oracle::deadlines(status).into_iter().min()
}

fn check_record(record: &RecordCall, now: Timestamp, edited: bool) -> Vec<String> {
    let (from, to) = (&record.from, &record.to);
    let mut found = Vec::new();
    if from == to {
        found.push("S28: writes what is recorded already".into());
    }
    let is_kept = |status: &Status| {
        let written = serde_json::to_value(status).unwrap();
        serde_json::from_value(written).ok().as_ref() == Some(status)
    };
    if is_kept(from) && !is_kept(to) {
        found.push("L2: what is written cannot be read again as it was".into());
    }
    let mut before = from.known_phase();
    for entered in &record.path {
        let allowed = |from: Phase| {
            TRANSITIONS
                .iter()
                .any(|t| (t.from, t.to) == (from, *entered))
        };
        let misplaced = from.phase.is_some()
            && (before.is_none() || edited && before.is_some_and(Phase::is_terminal));
        if !misplaced && !before.is_some_and(allowed) {
            found.push(format!("S6: from {before:?} to {entered}"));
        }
        before = Some(*entered);
    }
    if record.path.is_empty() && from.phase.is_some() && from.phase != to.phase {
        found.push("S6: another phase without a path".into());
    }
    if from.is_terminal() && ends(from) != ends(to) {
        found.push("S7: an ending changed".into());
    }
    if from.has_failed()
        && (
            from.failure_phase,
            from.failure_category,
            from.timeout_phase,
        ) != (to.failure_phase, to.failure_category, to.timeout_phase)
    {
        found.push("S11: a recorded failure changed".into());
    }
    found.extend(check_times(record, now, edited));
    let entries = record
        .path
        .iter()
        .filter(|p| **p > Phase::Initializing)
        .count();
    let written = |s: &Status| s.history.len() as i128 + i128::from(s.history_dropped.unwrap_or(0));
    if written(to) - written(from) != entries as i128 {
        found.push("S35: not one entry in history for each transition".into());
    }
    if !edited && to.overall_progress < from.overall_progress {
        found.push("S23: progress went back".into());
    }
    let full = to.overall_progress == Some(100);
    if full != (to.known_phase() == Some(Phase::Completed)) && !edited {
        found.push("S23: 100 % is Completed, and nothing else is".into());
    }
    if let (None, Some(reason)) = (from.failure_phase, &to.reason)
        && to.timeout_phase.is_some()
        && !edited
    {
        let passed = Oracle::deadlines(from)
            .iter()
            .any(|deadline| deadline.moment() <= now);
        if !passed && from.suspended_since.is_none() {
            found.push(format!("S9: {reason} before any deadline"));
        }
    }
    let size = serde_json::to_string(to).unwrap().len();
    if size > 32 * 1024 && !edited {
        found.push(format!("S29: a status of {size} bytes"));
    }
    found
}

fn ends(status: &Status) -> (String, Option<&String>, Option<Time>) {
    let phase = status.phase.as_ref().map(ToString::to_string);
    (
        phase.unwrap_or_default(),
        status.reason.as_ref(),
        status.completion_time,
    )
}

fn check_times(record: &RecordCall, now: Timestamp, edited: bool) -> Vec<String> {
    let (from, to) = (&record.from, &record.to);
    let ahead = |time: Time| time > Time::at(now).plus(GoDuration::from_secs(5));
    let mut found = Vec::new();
    let once = [
        ("startTime", from.start_time, to.start_time),
        ("completionTime", from.completion_time, to.completion_time),
        ("failureTime", from.failure_time, to.failure_time),
        (
            "approvalRequestedTime",
            from.approval_requested_time,
            to.approval_requested_time,
        ),
    ];
    for (field, before, after) in once {
        if before.is_some_and(|time| !ahead(time)) && before != after {
            found.push(format!("S8: {field} was written twice"));
        }
    }
    let restarted = from.phase_start_time != to.phase_start_time;
    let skewed = from.phase_start_time.is_some_and(ahead);
    if restarted && record.path.is_empty() && !skewed && !edited {
        found.push("S8: phaseStartTime changed within a phase".into());
    }
    if restarted && to.phase_start_time < from.phase_start_time && !skewed {
        found.push("S8: phaseStartTime went back".into());
    }
    let last = from.history.last().map(|entry| entry.time);
    let new = to.history.last().map(|entry| entry.time);
    if new < last && !last.is_some_and(ahead) && !edited {
        found.push("S8: history goes back".into());
    }
    found
}
