//! S28: how many writes a request may cost.

use jiff::{SignedDuration, Timestamp};
use remediation_core::kind::ChildKind;
use serde_json::Value;

use super::read::{Status, at};
use super::state::{Child, Request};
use super::{Findings, Promise};

/// A fault-free remediation of one step: five creations and five status writes.
const FAULT_FREE: u32 = 10;
/// What each fault, and each thing that goes another way, may add.
const EACH: u32 = 3;
/// Where nobody begins with a child for so long, status says so.
const UNSTARTED: SignedDuration = SignedDuration::from_secs(60);

impl Request {
    /// The orchestrator wrote to the request or one of its children.
    pub(super) fn pay(&mut self, now: Timestamp, faults: u32, found: &mut Findings<'_>) {
        self.budget.writes += 1;
        let since = faults.saturating_sub(self.budget.faults_before);
        let waits = now.duration_since(self.created) > UNSTARTED;
        // A child of each of the four phases may be late: said, and taken back.
        let waiting = if waits { 2 * 4 } else { 0 };
        let most = FAULT_FREE + self.budget.extra + EACH * since + waiting;
        if self.budget.writes > most && !self.budget.reported {
            self.budget.reported = true;
            found.breaks(
                Promise::S28,
                format!(
                    "{} writes, {most} are allowed by what happened",
                    self.budget.writes
                ),
            );
        }
    }

    /// A further step: its creation, and the status write that names it.
    pub(super) fn pay_for_step(&mut self) {
        self.budget.extra += 2;
    }

    /// What a status write of ours tells of a longer way.
    pub(super) fn pay_for_way(&mut self, before: Status<'_>, after: Status<'_>) {
        if !before.has_failed() && after.has_failed() {
            self.budget.extra += EACH;
        }
        let asked = |status: Status<'_>| status.text("approvalRequestedTime").is_some();
        if asked(after) && !asked(before) {
            self.budget.extra += EACH;
        }
    }

    /// What a child's controller, or a hand, did to a child. Each change of progress may be shown, once.
    pub(super) fn pay_for_child(
        &mut self,
        child: &Child,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let Some((before, after)) = before.zip(after) else {
            self.budget.extra += EACH;
            return;
        };
        let changed = |path: &[&str]| at(before, path) != at(after, path);
        let word = at(after, &["status", "phase"])
            .and_then(Value::as_str)
            .unwrap_or_default();
        let known = [
            "",
            "Pending",
            "Processing",
            "Completed",
            "Investigating",
            "Approving",
            "Ready",
            "Planning",
            "Validating",
            "Executing",
            "Running",
            "Sending",
            "Sent",
        ];
        if changed(&["metadata", "ownerReferences"])
            || changed(&["metadata", "labels"])
            || changed(&["metadata", "deletionTimestamp"])
        {
            self.budget.extra += EACH;
        }
        if changed(&["status", "phase"]) && !known.contains(&word) {
            self.budget.extra += EACH;
        }
        let counts = changed(&["status", "stepsCompleted"]) || changed(&["status", "stepsTotal"]);
        let progresses = match child.kind {
            ChildKind::WorkflowExecution => counts || changed(&["status", "plan"]),
            ChildKind::KubernetesExecution => changed(&["status", "phase"]) && word == "Completed",
            ChildKind::RemediationProcessing
            | ChildKind::AIAnalysis
            | ChildKind::NotificationRequest => false,
        };
        if progresses {
            self.budget.extra += 1;
        }
    }
}
