//! What the process remembers in a case: which calls were refused, and when status was last written.

use jiff::{SignedDuration, Timestamp};
use remediation_core::children::ChildKey;
use remediation_core::error::Cause;
use remediation_core::kind::ChildKind;
use remediation_core::memory::{Errand, Refusal as Refused};
use remediation_core::phase::Phase;

use super::build::{EARLIER_UID, Input, UID, known};
use super::objects::stage_name;
use super::{Case, Refusal, Written};

pub(super) fn refuse(input: &mut Input, errand: Errand, cause: Cause, ago: i64, now: Timestamp) {
    refuse_since(input, errand, cause, ago, ago, now);
}

/// A refusal that happened last so long ago, and first so long ago; it may be tried again 6 s after the last.
pub(super) fn refuse_since(
    input: &mut Input,
    errand: Errand,
    cause: Cause,
    last: i64,
    first: i64,
    now: Timestamp,
) {
    let before = |ago: i64| now - SignedDuration::from_millis(ago);
    let refusal = Refused {
        cause,
        message: "etcd leader changed".into(),
        tries: if first > 30_000 { 4 } else { 1 },
        first: before(first),
        interrupted: false,
        last: before(last),
        next_try: before(last) + SignedDuration::from_millis(6_000),
    };
    input.state.memory.refusals.insert(errand, refusal);
}

pub(super) fn put_memory(case: &Case, input: &mut Input) {
    let now = input.now;
    let seconds = |n| now - SignedDuration::from_secs(n);
    input.state.memory.last_record = match case.written {
        Written::Never => None,
        Written::Now => Some(now - SignedDuration::from_millis(300)),
        Written::LongAgo => Some(seconds(1)),
        Written::Ahead => Some(seconds(-3)),
    };
    if case.record_refused {
        refuse(input, Errand::Record, Cause::Unavailable, 1_000, now);
    }
    let (cause, ago) = match case.refusal {
        Refusal::None => return,
        Refusal::Waits => (Cause::Unavailable, 1_000),
        Refusal::MayTry => (Cause::Timeout, 8_000),
        Refusal::TakenWaits => (Cause::AlreadyExists, 1_000),
        Refusal::NamespaceGoing => (Cause::NamespaceTerminating, 1_000),
        Refusal::Invalid => (Cause::Invalid, 1_000),
        Refusal::NameConflict => (Cause::NameConflict, 1_000),
    };
    let next = match known(case.phase) {
        Some(Phase::Pending | Phase::Initializing) => ChildKind::RemediationProcessing,
        Some(Phase::Processing) => ChildKind::AIAnalysis,
        Some(
            Phase::Analyzing
            | Phase::WorkflowPlanning
            | Phase::Executing
            | Phase::Completed
            | Phase::Failed,
        )
        | None => ChildKind::WorkflowExecution,
    };
    let key = ChildKey::new(next, stage_name(next));
    let object = input.children.at(&key);
    // What a pass learns of the object under the name decides what it remembers of creating it.
    let (cause, ago) =
        match object.filter(|child| child.owner.as_ref().is_none_or(|owner| owner.uid != UID)) {
            None => (cause, ago),
            Some(child)
                if child
                    .owner
                    .as_ref()
                    .is_some_and(|owner| owner.uid == EARLIER_UID) =>
            {
                (Cause::AlreadyExists, ago)
            }
            Some(_) => (Cause::NameConflict, ago),
        };
    let errand = Errand::Create(key);
    refuse(input, errand, cause, ago, now);
    if case.refusal == Refusal::Waits {
        let read = Errand::Read(ChildKey::new(next, stage_name(next)));
        refuse(input, read, cause, ago, now);
    }
}

/// A pass begins by forgetting the refusals to create what is there.
pub(super) fn forget_what_succeeded(input: &mut Input) {
    let (status, children) = (&input.state.request.status, &input.children);
    let named = |uid: &str| {
        let stages = [
            &status.remediation_processing_ref,
            &status.ai_analysis_ref,
            &status.workflow_execution_ref,
        ];
        let steps = status.kubernetes_execution_refs.iter().map(|r| &r.uid);
        stages
            .into_iter()
            .flatten()
            .map(|r| &r.uid)
            .chain(steps)
            .any(|known| known == uid)
    };
    input
        .state
        .memory
        .refusals
        .retain(|errand, _| match errand {
            Errand::Create(key) => children.at(key).is_none_or(|child| {
                let owned = child.owner.as_ref().is_some_and(|owner| owner.uid == UID);
                !(owned || named(&child.uid))
            }),
            _ => true,
        });
}
