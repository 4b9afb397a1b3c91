//! Analyzing: wait for the AIAnalysis, perhaps for somebody's approval, then create the WorkflowExecution.
//!
//! | the AIAnalysis | what follows |
//! |---|---|
//! | Failed | the remediation fails with the child's reason (category F) |
//! | Rejected, or its approval's decision is Rejected | the remediation fails: AnalysisRejected |
//! | Approving, or its approval is required and not given | approval is asked for once; from then on the approval deadline counts ([`crate::deadline`]) and its passing is ApprovalExpired |
//! | Ready or Completed, with a recommendation | the WorkflowExecution is created, then WorkflowPlanning |
//! | Ready or Completed, without one | the remediation fails: NoRecommendation |
//! | Pending, Investigating, no status yet, a word that is not known | wait, until the deadline of analyzing |
//! | gone, or its reference was taken away | created again (category A); the phase's clock keeps running |

use crate::action::{ChildSpec, EventSeverity, WorkflowSpec};
use crate::children::{AnalysisStatus, Child, ChildKey, ProcessingStatus};
use crate::conditions;
use crate::deadline;
use crate::draft::{Draft, Failure, Trouble, Verdict};
use crate::error::Category;
use crate::kind::ChildKind;
use crate::names::{self, Occasion};
use crate::notification;
use crate::phase::Phase;
use crate::phases::{executing, failing, processing};
use crate::rule::Rule;
use crate::status::ObjectRef;
use crate::text;
use crate::view::{Ensured, Named, View};

const KIND: ChildKind = ChildKind::AIAnalysis;

pub(crate) fn decide(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let Some(reference) = draft.status.ai_analysis_ref.clone() else {
        return create_again(view, draft);
    };
    let child = match view.named(KIND, &reference.name, &reference.uid) {
        Named::There(child) => child,
        Named::Gone => return create_again(view, draft),
        Named::Unconfirmed => return super::confirm_lost(view, draft, KIND, &reference.name),
    };
    draft.wait_for(child);
    let analysis = child.status.analysis();
    let decision = analysis.approval.decision.as_str();
    if analysis.phase == "Failed" {
        return Verdict::Fail(super::child_failed(child));
    }
    if analysis.phase == "Rejected" || decision == "Rejected" {
        return Verdict::Fail(rejected(child, analysis));
    }
    let undecided = decision != "Approved";
    if undecided && (analysis.phase == "Approving" || analysis.approval.required) {
        if child.deleting {
            // It is on its way out without a result: nobody is asked, and it is created again once it is gone.
            return Verdict::Wait;
        }
        return await_approval(view, draft, child, analysis);
    }
    if draft
        .status
        .condition(conditions::AWAITING_APPROVAL)
        .is_some()
    {
        conditions::remove(draft.status.to_mut(), conditions::AWAITING_APPROVAL);
    }
    match analysis.phase.as_str() {
        "Ready" | "Completed" => plan_workflow(view, draft, child, analysis),
        "" | "Pending" | "Investigating" | "Approving" => Verdict::Wait,
        unknown => {
            super::note_unknown_phase(draft, child, unknown);
            Verdict::Wait
        }
    }
}

/// Creates the WorkflowExecution from the recommendations, and enters WorkflowPlanning.
fn plan_workflow(
    view: &View<'_>,
    draft: &mut Draft<'_>,
    analysis: &Child,
    result: &AnalysisStatus,
) -> Verdict {
    let recommendations = &result.investigation_result.recommendations;
    if recommendations.is_empty() {
        return Verdict::Fail(Failure {
            rule: Rule::NoRecommendation,
            reason: "NoRecommendation".to_owned(),
            message: format!(
                "{} is ready but recommends nothing to execute",
                analysis.key
            ),
            category: Category::F,
            timeout_phase: None,
        });
    }
    draft.rule = Rule::ChildCompleted;
    if draft.status.workflow_execution_ref.is_some() {
        // A hand set the phase back. What status names may have acted: it is never created again.
        return match executing::named_workflow(view, draft) {
            Ok(child) => enter_planning(draft, child),
            Err(verdict) => verdict,
        };
    }
    let key = view.stage_key(ChildKind::WorkflowExecution);
    match view.ensure(&key) {
        Ensured::There(child) => enter_planning(draft, child),
        Ensured::Create => {
            let not_after = deadline::overall(&draft.status, &draft.policy)
                .map_or_else(|| draft.stamp(), |overall| overall.at);
            let spec = ChildSpec::Workflow(WorkflowSpec {
                targeting_data: view
                    .state
                    .request
                    .spec
                    .targeting_data
                    .clone()
                    .unwrap_or_default(),
                recommendations: recommendations.clone(),
                not_after,
            });
            Verdict::Create {
                beats_clock: view.creation_refused(&key).is_none(),
                children: vec![view.new_child(key, spec)],
            }
        }
        Ensured::Later => {
            super::note_delay(view, draft, &key);
            Verdict::Wait
        }
        Ensured::Refused(refusal) => Verdict::Fail(super::creation_refused(&key, refusal)),
    }
}

fn enter_planning(draft: &mut Draft<'_>, workflow: &Child) -> Verdict {
    draft.enter(
        Phase::WorkflowPlanning,
        "AnalysisReady",
        &format!("{} plans the recommended actions", workflow.key),
    );
    draft.status.to_mut().workflow_execution_ref = Some(ObjectRef {
        name: workflow.key.name.clone(),
        uid: workflow.uid.clone(),
    });
    draft.wait_for(workflow);
    Verdict::Record
}

/// Asks for approval once; from then on the approval deadline replaces that of the analysis.
fn await_approval(
    view: &View<'_>,
    draft: &mut Draft<'_>,
    analysis: &Child,
    result: &AnalysisStatus,
) -> Verdict {
    draft.rule = Rule::ApprovalPending;
    let key = ChildKey::new(
        ChildKind::NotificationRequest,
        names::notification(view.identity(), Occasion::Approval),
    );
    if draft.status.approval_notification_sent {
        return Verdict::Wait;
    }
    match view.ensure(&key) {
        Ensured::There(child) => {
            begin_waiting(draft, analysis);
            let status = draft.status.to_mut();
            status.approval_notification_sent = true;
            failing::name_notification(status, Occasion::Approval, child);
            conditions::remove(status, conditions::ESCALATED);
            draft.announce(
                EventSeverity::Normal,
                "ApprovalRequested",
                &format!("{} waits for approval", analysis.key),
            );
            Verdict::Record
        }
        Ensured::Create => Verdict::Create {
            children: vec![notification::approval(view, draft, key, analysis, result)],
            beats_clock: false,
        },
        Ensured::Later | Ensured::Refused(_) => {
            begin_waiting(draft, analysis);
            if let Some(refusal) = view.creation_refused(&key) {
                if refusal.cause.category() != Category::C {
                    draft.wake_at(refusal.next_try);
                }
                let at = draft.stamp();
                conditions::set(
                    draft.status.to_mut(),
                    conditions::ESCALATED,
                    false,
                    refusal.cause.word(),
                    format!(
                        "the request for approval could not be sent: {}",
                        refusal.message
                    ),
                    at,
                );
                draft.trouble = Some(Trouble {
                    reason: refusal.cause.word(),
                    message: format!("{key} cannot be created: {}", refusal.message),
                });
            }
            Verdict::Wait
        }
    }
}

fn begin_waiting(draft: &mut Draft<'_>, analysis: &Child) {
    if draft.status.approval_requested_time.is_some() {
        return;
    }
    let at = draft.stamp();
    let message = format!("{} waits for somebody to approve it", analysis.key);
    let status = draft.status.to_mut();
    status.approval_requested_time = Some(at);
    // The approval has a clock of its own, which did not stand still before it was started.
    status.suspended_in_phase = None;
    status.reason = Some("AwaitingApproval".to_owned());
    status.message = Some(message.clone());
    conditions::set(
        status,
        conditions::AWAITING_APPROVAL,
        true,
        "ApprovalRequired",
        message,
        at,
    );
}

fn create_again(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let key = view.stage_key(KIND);
    draft.rule = Rule::ChildLost;
    match view.ensure(&key) {
        Ensured::There(child) => {
            draft.status.to_mut().ai_analysis_ref = Some(ObjectRef {
                name: child.key.name.clone(),
                uid: child.uid.clone(),
            });
            draft.wait_for(child);
            Verdict::Record
        }
        Ensured::Create => match processed(view, draft) {
            Ok(result) => Verdict::Create {
                children: vec![view.new_child(key, processing::analysis_spec(view, draft, result))],
                beats_clock: false,
            },
            Err(verdict) => {
                draft.wait_for_key(&key);
                draft.trouble = Some(Trouble {
                    reason: "ChildLost",
                    message: format!(
                        "{key} is gone and cannot be created again: the RemediationProcessing whose result it needs is gone too"
                    ),
                });
                verdict
            }
        },
        Ensured::Later => {
            super::note_delay(view, draft, &key);
            Verdict::Wait
        }
        Ensured::Refused(refusal) => Verdict::Fail(super::creation_refused(&key, refusal)),
    }
}

/// The result of the processing that led here, or what to do where it is not to be seen.
fn processed<'a>(view: &View<'a>, draft: &mut Draft<'_>) -> Result<&'a ProcessingStatus, Verdict> {
    let kind = ChildKind::RemediationProcessing;
    let Some(reference) = draft.status.remediation_processing_ref.clone() else {
        return Err(Verdict::Wait);
    };
    match view.named(kind, &reference.name, &reference.uid) {
        Named::There(child) if child.status.phase() == "Completed" => Ok(child.status.processing()),
        Named::There(_) | Named::Gone => Err(Verdict::Wait),
        Named::Unconfirmed => Err(super::confirm(view, draft, kind, &reference.name)),
    }
}

fn rejected(child: &Child, analysis: &AnalysisStatus) -> Failure {
    let by = match analysis.approval.decided_by.as_str() {
        "" => String::new(),
        name => format!(" by {}", text::clean(name, 128)),
    };
    let why = match (analysis.reason.as_str(), analysis.message.as_str()) {
        ("", "") => String::new(),
        (reason, "") => format!(": {reason}"),
        ("", message) => format!(": {message}"),
        (reason, message) => format!(": {reason}: {message}"),
    };
    Failure {
        rule: Rule::AnalysisRejected,
        reason: "AnalysisRejected".to_owned(),
        message: format!("{} was rejected{by}{why}", child.key),
        category: Category::F,
        timeout_phase: None,
    }
}
