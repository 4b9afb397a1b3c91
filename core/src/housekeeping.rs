//! What is put in order beside a remediation's way: owner references that were lost, and stragglers.
//!
//! A straggler is a child of this request that status does not name although its phase is over: a CREATE that
//! arrived late. By the child contract it started nothing, and it is deleted as it was seen.

use crate::action::{Action, EventSeverity, Precondition};
use crate::children::Child;
use crate::draft::Draft;
use crate::kind::ChildKind;
use crate::memory::Errand;
use crate::names;
use crate::phase::Phase;
use crate::request::Identity;
use crate::status::Status;
use crate::view::View;

/// What counts is what is recorded, not the draft: that may never be written.
pub(crate) fn push(view: &View<'_>, draft: &mut Draft<'_>, actions: &mut Vec<Action>) {
    for child in view.children.iter().filter(|child| !child.deleting) {
        let precondition = || Precondition {
            key: child.key.clone(),
            uid: child.uid.clone(),
            resource_version: child.resource_version.clone(),
        };
        if is_named(view.status(), child) {
            let errand = Errand::RestoreOwnership(child.key.clone());
            if lost_ownership(view.identity(), child) && draft.may_try(view, &errand) {
                actions.push(Action::RestoreOwnership(precondition()));
                actions.push(Action::Announce(crate::action::Event {
                    severity: EventSeverity::Warning,
                    reason: "OwnershipRestored",
                    note: format!("{} had lost its owner reference or labels", child.key),
                }));
            }
        } else if is_straggler(view, child)
            && draft.may_try(view, &Errand::DeleteChild(child.key.clone()))
        {
            actions.push(Action::DeleteChild(precondition()));
        }
    }
}

/// Whether status names this child. Its UID tells: no two objects ever have the same.
pub(crate) fn is_named(status: &Status, child: &Child) -> bool {
    let stage = match child.key.kind {
        ChildKind::RemediationProcessing => &status.remediation_processing_ref,
        ChildKind::AIAnalysis => &status.ai_analysis_ref,
        ChildKind::WorkflowExecution => &status.workflow_execution_ref,
        ChildKind::KubernetesExecution => {
            let refs = &status.kubernetes_execution_refs;
            return refs.iter().any(|r| r.uid == child.uid);
        }
        ChildKind::NotificationRequest => return false,
    };
    stage.as_ref().is_some_and(|r| r.uid == child.uid)
}

/// Whether a named child has no controller any more, or not our labels. One that somebody else controls is left
/// alone: it cannot have two.
pub(crate) fn lost_ownership(request: &Identity, child: &Child) -> bool {
    match &child.owner {
        None => true,
        Some(owner) if owner.uid != request.uid => false,
        Some(_) => {
            child.request_uid_label.as_deref() != Some(request.uid.as_str())
                || child.request_label.as_deref() != Some(names::label(&request.name).as_str())
        }
    }
}

fn is_straggler(view: &View<'_>, child: &Child) -> bool {
    let is_ours = view.ours(&child.key).is_some();
    if !is_ours || child.key.kind == ChildKind::NotificationRequest {
        return false;
    }
    if view.status().is_terminal() {
        return true;
    }
    // A terminal word without a completion time is a hand's, and says nothing of where the remediation is.
    let placed = view.status().known_phase();
    let Some(phase) = placed.filter(|phase| !phase.is_terminal()) else {
        return false;
    };
    match child.key.kind {
        ChildKind::RemediationProcessing => phase > Phase::Processing,
        ChildKind::AIAnalysis => phase > Phase::Analyzing,
        // They belong to the last phase before the end: whatever is not named there yet may be about to be.
        ChildKind::WorkflowExecution
        | ChildKind::KubernetesExecution
        | ChildKind::NotificationRequest => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::children::{ChildKey, ChildStatus, Owner};
    use crate::kind::REQUEST_KIND;

    fn unowned() -> Child {
        Child {
            key: ChildKey::new(ChildKind::AIAnalysis, "web-aianalysis"),
            uid: "u-9".into(),
            resource_version: "1".into(),
            deleting: false,
            owner: None,
            request_label: None,
            request_uid_label: None,
            status: ChildStatus::read(ChildKind::AIAnalysis, serde_json::Value::Null),
        }
    }

    #[test]
    fn a_child_that_somebody_else_controls_has_not_lost_its_owner() {
        let request = Identity {
            namespace: "default".into(),
            name: "web".into(),
            uid: "u-1".into(),
        };
        let controlled_by = |uid: &str| Child {
            owner: Some(Owner {
                kind: REQUEST_KIND.into(),
                name: "web".into(),
                uid: uid.into(),
            }),
            ..unowned()
        };
        assert!(!lost_ownership(&request, &controlled_by("u-2")));
        assert!(
            lost_ownership(&request, &controlled_by("u-1")),
            "its labels are gone"
        );
        assert!(lost_ownership(&request, &unowned()));
    }
}
