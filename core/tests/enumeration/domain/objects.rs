//! The objects of a case: children, steps and notifications, and what status says of them.

use std::sync::LazyLock;

use remediation_core::children::{Child, ChildKey, ChildStatus, Owner};
use remediation_core::error::Cause;
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::memory::Errand;
use remediation_core::names::Occasion;
use remediation_core::status::{ExecutionRef, NotificationRef, ObjectRef};

use super::build::{EARLIER_UID, Input, NAME, UID};
use super::memory::{refuse, refuse_since};
use super::words::{self, STEPS};
use super::{Case, HashIn, Kid, Named, Note, Place, PlanIn, StepIn};

/// The name of the object that a stage is.
pub(crate) fn stage_name(kind: ChildKind) -> &'static str {
    match kind {
        ChildKind::RemediationProcessing => "web-processing",
        ChildKind::AIAnalysis => "web-aianalysis",
        _ => "web-workflow",
    }
}

pub(super) fn put_children(case: &Case, input: &mut Input) {
    let stages = [
        (
            ChildKind::RemediationProcessing,
            case.rp,
            words::processing(case.rp_says),
        ),
        (
            ChildKind::AIAnalysis,
            case.aia,
            words::analysis(case.aia_word, case.required, case.decision, case.recommends),
        ),
        (
            ChildKind::WorkflowExecution,
            case.wfe,
            words::workflow(case.wfe_word, case.plan, case.counts),
        ),
    ];
    for (kind, Kid { place, named }, says) in stages {
        let name = stage_name(kind);
        put_object(input, ChildKey::new(kind, name), place, says);
        let reference = match named {
            Named::No => continue,
            Named::This => ObjectRef {
                name: name.into(),
                uid: uid_of(name),
            },
            Named::OtherUid => ObjectRef {
                name: name.into(),
                uid: "uid-another".into(),
            },
        };
        let status = &mut input.state.request.status;
        match kind {
            ChildKind::RemediationProcessing => status.remediation_processing_ref = Some(reference),
            ChildKind::AIAnalysis => status.ai_analysis_ref = Some(reference),
            _ => status.workflow_execution_ref = Some(reference),
        }
    }
    if case.straggler {
        put_object(
            input,
            ChildKey::new(ChildKind::KubernetesExecution, "web-stray"),
            Place::Ours,
            words::execution("Running"),
        );
    }
}

fn uid_of(name: &str) -> String {
    ["uid-", name].concat()
}

fn owner(uid: &str) -> Owner {
    Owner {
        kind: REQUEST_KIND.into(),
        name: NAME.into(),
        uid: uid.into(),
    }
}

fn put_object(input: &mut Input, key: ChildKey, place: Place, status: &ChildStatus) {
    if input.keeps_children {
        return;
    }
    match place {
        Place::Gone => return,
        Place::GoneLive => return input.children.learn_absent(&key),
        _ => {}
    }
    let mut child = Child {
        uid: uid_of(&key.name),
        resource_version: "5".into(),
        deleting: matches!(place, Place::Terminating | Place::EarlierTerminating),
        owner: Some(owner(UID)),
        request_label: Some(NAME.into()),
        request_uid_label: Some(UID.into()),
        status: status.clone(),
        key,
    };
    match place {
        Place::Gone | Place::GoneLive | Place::Ours | Place::Terminating => {}
        Place::OursLive => return input.children.learn(child),
        Place::Ownerless => {
            child.owner = None;
            child.request_label = None;
        }
        Place::Unlabelled => child.request_uid_label = None,
        Place::Foreign | Place::ForeignCached => {
            child.owner = Some(Owner {
                kind: "Job".into(),
                name: "j".into(),
                uid: "j-1".into(),
            });
            child.request_label = None;
            child.request_uid_label = None;
        }
        Place::Earlier | Place::EarlierTerminating => {
            child.owner = Some(owner(EARLIER_UID));
            child.request_uid_label = Some(EARLIER_UID.into());
        }
    }
    if matches!(
        place,
        Place::Foreign | Place::Earlier | Place::EarlierTerminating
    ) {
        input.children.learn(child);
    } else {
        input.children.cached(child);
    }
}

pub(super) fn put_steps(case: &Case, input: &mut Input) {
    let status = &mut input.state.request.status;
    status.plan_hash = match case.hash {
        HashIn::None => None,
        HashIn::Same => plan_hash(case.plan),
        HashIn::Changed => {
            let plan = words::plan_of(case.plan).filter(|plan| plan.executed_by == "Orchestrator");
            let steps = plan.map_or(2, |plan| plan.steps.len());
            Some(format!("{steps}:0000000000000000"))
        }
        HashIn::Garbage => Some("garbage".into()),
    };
    for (name, step) in STEPS.iter().zip(case.steps) {
        put_step(case, input, name, step);
    }
}

/// The hash of a plan: taken from the vocabulary of plans, since it is a format and no rule.
pub(crate) fn plan_hash(plan: PlanIn) -> Option<String> {
    static TABLE: LazyLock<Vec<Option<String>>> = LazyLock::new(|| {
        let hash = |plan: &PlanIn| {
            words::plan_of(*plan).map(|plan| remediation_core::plan::fingerprint(&plan))
        };
        PlanIn::ALL.iter().map(hash).collect()
    });
    TABLE[plan as usize].clone()
}

fn put_step(case: &Case, input: &mut Input, step: &str, state: StepIn) {
    if state == StepIn::Absent {
        return;
    }
    let attempt = case.attempt.unwrap_or(1).max(1);
    let name = remediation_core::names::step(&input.state.request.identity, step, attempt);
    let key = ChildKey::new(ChildKind::KubernetesExecution, name.clone());
    let (place, word) = match state {
        StepIn::Absent
        | StepIn::Hidden
        | StepIn::DoneHidden
        | StepIn::Waits
        | StepIn::MayTry
        | StepIn::Refused => (Place::Gone, ""),
        StepIn::AbsentLive | StepIn::Lost => (Place::GoneLive, ""),
        StepIn::Unnamed | StepIn::Started => (Place::Ours, ""),
        StepIn::Running | StepIn::Replaced => (Place::Ours, "Running"),
        StepIn::UnnamedCompleted | StepIn::Completed => (Place::Ours, "Completed"),
        StepIn::Failed | StepIn::DoneFailed => (Place::Ours, "Failed"),
        StepIn::Unknown => (Place::Ours, "Perhaps"),
        StepIn::Terminating | StepIn::UnnamedTerminating => (Place::Terminating, "Running"),
        StepIn::TerminatingCompleted => (Place::Terminating, "Completed"),
        StepIn::Foreign => (Place::Foreign, "Completed"),
        StepIn::Earlier => (Place::Earlier, "Completed"),
        StepIn::Ownerless => (Place::Ownerless, "Running"),
    };
    put_object(input, key.clone(), place, words::execution(word));
    let named = match state {
        StepIn::Absent
        | StepIn::AbsentLive
        | StepIn::Unnamed
        | StepIn::UnnamedCompleted
        | StepIn::UnnamedTerminating
        | StepIn::Foreign
        | StepIn::Earlier
        | StepIn::Waits
        | StepIn::MayTry
        | StepIn::Refused => None,
        StepIn::Replaced => Some("uid-another".to_owned()),
        StepIn::Hidden
        | StepIn::Lost
        | StepIn::Started
        | StepIn::Running
        | StepIn::Completed
        | StepIn::Failed
        | StepIn::Unknown
        | StepIn::Terminating
        | StepIn::TerminatingCompleted
        | StepIn::DoneHidden
        | StepIn::DoneFailed
        | StepIn::Ownerless => Some(uid_of(&name)),
    };
    if let Some(uid) = named {
        let completed = matches!(state, StepIn::DoneHidden | StepIn::DoneFailed);
        let reference = ExecutionRef {
            step: step.into(),
            name,
            uid,
            completed,
        };
        input
            .state
            .request
            .status
            .kubernetes_execution_refs
            .push(reference);
    }
    let now = input.now;
    match state {
        StepIn::Waits => refuse(input, Errand::Create(key), Cause::Unavailable, 1_000, now),
        StepIn::MayTry => refuse(input, Errand::Create(key), Cause::Unavailable, 60_000, now),
        StepIn::Refused => refuse(input, Errand::Create(key), Cause::Invalid, 1_000, now),
        StepIn::Foreign => refuse(input, Errand::Create(key), Cause::NameConflict, 0, now),
        StepIn::Earlier => refuse(input, Errand::Create(key), Cause::AlreadyExists, 0, now),
        _ => {}
    }
}

/// The name of the notification of this occasion.
pub(crate) fn notification_name(occasion: Occasion) -> String {
    [NAME, "-", occasion.word(), "-0a1b2c3d"].concat()
}

pub(super) fn put_notifications(case: &Case, input: &mut Input) {
    let all = [
        (Occasion::Escalation, case.escalation),
        (Occasion::Success, case.success),
        (Occasion::Approval, case.approval),
    ];
    for (occasion, note) in all {
        if note == Note::Unknown {
            continue;
        }
        let name = notification_name(occasion);
        let key = ChildKey::new(ChildKind::NotificationRequest, name.clone());
        let uid = uid_of(&name);
        let errand = Errand::Create(key.clone());
        let now = input.now;
        match note {
            Note::Unknown => {}
            Note::Absent => {
                put_object(input, key, Place::GoneLive, &ChildStatus::Notification);
            }
            Note::There => put_object(input, key, Place::OursLive, &ChildStatus::Notification),
            Note::Foreign => {
                put_object(input, key, Place::Foreign, &ChildStatus::Notification);
                refuse(input, errand, Cause::NameConflict, 0, now);
            }
            Note::Recorded => {
                let reference = NotificationRef {
                    occasion,
                    name,
                    uid,
                };
                input.state.request.status.notification_refs.push(reference);
            }
            Note::Waits => refuse(input, errand, Cause::Unavailable, 1_000, now),
            Note::MayTry => refuse(input, errand, Cause::Timeout, 8_000, now),
            Note::Long => refuse_since(input, errand, Cause::Unavailable, 1_000, 60_000, now),
            Note::LongMayTry => {
                refuse_since(input, errand, Cause::Unavailable, 31_000, 60_000, now);
            }
            Note::Denied => refuse(input, errand, Cause::RBACDenied, 1_000, now),
            Note::Refused => refuse(input, errand, Cause::Invalid, 1_000, now),
        }
    }
}
