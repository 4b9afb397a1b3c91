//! Analyzing: approval, rejection, and the way to the workflow.

use remediation_core::action::{ChildSpec, EventSeverity, WorkflowSpec};
use remediation_core::children::{AnalysisStatus, Child};
use remediation_core::kind::ChildKind;
use remediation_core::memory::Errand;
use remediation_core::names::Occasion;
use remediation_core::phase::Phase;
use remediation_core::status::NotificationRef;

use super::active::{Had, Verdict};
use super::facts::{Leave, Seen};
use super::{Failure, Oracle};

impl<'a> Oracle<'a> {
    pub(crate) fn analyzing(&mut self) -> Verdict {
        let analysis = match self.analysis_again() {
            Had::There(child) => child,
            Had::Found(child) => return self.name_again(child),
            Had::Not(verdict) => return verdict,
        };
        self.waiting_for = Some(analysis.key.to_string());
        if analysis.status.phase().is_empty() {
            self.never_started(&analysis.key.to_string());
        }
        let says = analysis.status.analysis();
        let decision = says.approval.decision.as_str();
        if says.phase == "Failed" {
            return Verdict::Fail(self.child_failed(analysis));
        }
        if says.phase == "Rejected" || decision == "Rejected" {
            return Verdict::Fail(Failure::of_child("AnalysisRejected", ""));
        }
        let decided = decision == "Approved";
        let ready = matches!(says.phase.as_str(), "Ready" | "Completed");
        if ready && (decided || !says.approval.required) {
            return self.ready(analysis, says);
        }
        let approving = says.phase == "Approving" || says.approval.required;
        if approving && !decided {
            return self.ask(analysis);
        }
        self.no_condition("AwaitingApproval");
        self.waits_for(
            analysis,
            &says.phase,
            &["Pending", "Investigating", "Approving"],
        )
    }

    /// The analysis, or what it takes to create it again: it needs what the processing that status names found out.
    fn analysis_again(&mut self) -> Had<'a> {
        self.have(ChildKind::AIAnalysis, |oracle| {
            let key = oracle.stage(ChildKind::RemediationProcessing);
            let named = oracle
                .reference(ChildKind::RemediationProcessing)
                .map(|r| r.uid.clone());
            let verdict = match (named, oracle.look(&key)) {
                (None, _) => Verdict::Wait,
                (Some(uid), Seen::Ours(child)) if child.uid == uid => {
                    let says = child.status.processing();
                    if says.phase == "Completed" {
                        return Ok(oracle.analysis_spec(&says.enriched_data));
                    }
                    Verdict::Wait
                }
                (Some(_), _) if oracle.children.live.contains(&key.to_string()) => Verdict::Wait,
                (Some(_), _) => oracle.read(key),
            };
            let lost = oracle.stage(ChildKind::AIAnalysis).to_string();
            oracle.trouble = Some(("ChildLost", lost.clone()));
            oracle.waiting_for = Some(lost);
            Err(verdict)
        })
    }

    fn ready(&mut self, analysis: &Child, says: &AnalysisStatus) -> Verdict {
        self.no_condition("AwaitingApproval");
        if says.investigation_result.recommendations.is_empty() {
            return Verdict::Fail(Failure::of_child(
                "NoRecommendation",
                analysis.key.to_string(),
            ));
        }
        let overall = self.deadlines().overall.unwrap_or(self.stamp);
        let spec = ChildSpec::Workflow(WorkflowSpec {
            targeting_data: self
                .state
                .request
                .spec
                .targeting_data
                .clone()
                .unwrap_or_default(),
            recommendations: says.investigation_result.recommendations.clone(),
            not_after: overall,
        });
        match self.have_workflow(Some(spec)) {
            Had::There(workflow) | Had::Found(workflow) => {
                self.enter_with(workflow, Phase::WorkflowPlanning, "AnalysisReady")
            }
            Had::Not(verdict) => verdict,
        }
    }

    /// Somebody has to approve: they are asked once, and the approval's clock begins.
    fn ask(&mut self, analysis: &Child) -> Verdict {
        if analysis.deleting || self.status.approval_notification_sent {
            return Verdict::Wait;
        }
        let key = self.notification_key(Occasion::Approval);
        match (self.look(&key), self.leave(&Errand::Create(key))) {
            (Seen::Ours(child), _) => {
                self.begin_waiting_for_approval(analysis);
                self.name_notification(Occasion::Approval, child);
                self.status.approval_notification_sent = true;
                self.no_condition("Escalated");
                self.events.push(Self::announce(
                    EventSeverity::Normal,
                    "ApprovalRequested",
                    "",
                ));
                return Verdict::Entered;
            }
            (_, Leave::Now) if self.passed().is_some() => return Verdict::Wait,
            (_, Leave::Now) => {
                let new = self.notification(Occasion::Approval, "Analyzing");
                self.creates.push(new);
                return Verdict::Act;
            }
            (_, Leave::Later(refusal) | Leave::Never(refusal)) => {
                self.begin_waiting_for_approval(analysis);
                if !Self::is_for_good(refusal) {
                    self.wake(refusal.next_try);
                }
                let (reason, says) = (refusal.cause.word(), refusal.message.clone());
                self.condition("Escalated", false, reason, &says);
                self.trouble = Some((reason, says));
            }
        }
        Verdict::Wait
    }

    /// From here on the approval's deadline counts.
    fn begin_waiting_for_approval(&mut self, analysis: &Child) {
        if self.status.approval_requested_time.is_none() {
            self.status.approval_requested_time = Some(self.stamp);
            self.status.suspended_in_phase = None;
            self.condition("AwaitingApproval", true, "ApprovalRequired", "");
            self.status.reason = Some("AwaitingApproval".into());
            self.status.message = Some(analysis.key.to_string());
        }
    }

    pub(crate) fn name_notification(&mut self, occasion: Occasion, child: &Child) {
        self.status
            .notification_refs
            .retain(|r| r.occasion != occasion);
        let (name, uid) = (child.key.name.clone(), child.uid.clone());
        self.status.notification_refs.push(NotificationRef {
            occasion,
            name,
            uid,
        });
    }
}
