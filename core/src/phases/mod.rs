//! The rules of each phase, one file a phase, and below what the active phases have in common.
//!
//! Whatever a phase waits for, a deadline that has passed ends it (exactly at a deadline it has passed; how they are
//! computed: [`crate::deadline`]). Only what a child has brought about already goes before the clock: a failure,
//! the next phase, and the creation that leads there.

pub(crate) mod analyzing;
pub(crate) mod executing;
pub(crate) mod failing;
pub(crate) mod initializing;
pub(crate) mod processing;
pub(crate) mod suspended;
pub(crate) mod terminal;
pub(crate) mod unplaced;
pub(crate) mod workflow_planning;

use crate::action::NewChild;
use crate::children::{Child, ChildKey};
use crate::deadline::{self, Deadline, Limit};
use crate::draft::{Draft, Failure, Trouble, Verdict};
use crate::error::{Category, Cause};
use crate::housekeeping;
use crate::kind::ChildKind;
use crate::memory::{Errand, Refusal};
use crate::phase::Phase;
use crate::rule::Rule;
use crate::text;
use crate::view::{Named, View};

/// The rules of the phase that the request is in, then the clock's.
pub(crate) fn decide(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let phase = draft
        .status
        .known_phase()
        .filter(|phase| !phase.is_terminal());
    let verdict = match phase {
        Some(Phase::Pending | Phase::Initializing) => initializing::decide(view, draft),
        Some(Phase::Processing) => processing::decide(view, draft),
        Some(Phase::Analyzing) => analyzing::decide(view, draft),
        Some(Phase::WorkflowPlanning) => workflow_planning::decide(view, draft),
        Some(Phase::Executing) => executing::decide(view, draft),
        Some(Phase::Completed | Phase::Failed) | None => unplaced::decide(draft),
    };
    let verdict = match verdict {
        Verdict::Record
        | Verdict::Hold
        | Verdict::Fail(_)
        | Verdict::Read(_)
        | Verdict::Create {
            beats_clock: true, ..
        } => verdict,
        Verdict::Create {
            beats_clock: false, ..
        }
        | Verdict::Wait => or_time_out(view, draft, verdict),
    };
    let verdict = unless_it_asks_for_nothing(view, draft, verdict);
    match (phase, verdict) {
        (Some(Phase::WorkflowPlanning | Phase::Executing), Verdict::Fail(failure)) => {
            executing::fail_unless_completed(view, draft, failure)
        }
        (_, verdict) => verdict,
    }
}

/// A child is handed targeting data that was checked: where a hand wrote a later phase before [`initializing`] looked, what
/// would be created first fails the remediation instead.
fn unless_it_asks_for_nothing(view: &View<'_>, draft: &Draft<'_>, verdict: Verdict) -> Verdict {
    let Verdict::Create { children, .. } = &verdict else {
        return verdict;
    };
    if !children.iter().any(NewChild::is_owned) {
        return verdict;
    }
    match initializing::wrong_data(view) {
        Some(wrong) => {
            let mut failure = initializing::invalid(Some(wrong), None);
            failure
                .message
                .push_str(&executing::still_running(view, draft));
            Verdict::Fail(failure)
        }
        None => verdict,
    }
}

fn or_time_out(view: &View<'_>, draft: &mut Draft<'_>, verdict: Verdict) -> Verdict {
    let phase = draft
        .status
        .known_phase()
        .filter(|phase| !phase.is_terminal());
    match deadline::passed(&draft.status, &draft.policy, phase, view.now) {
        Some(deadline) => Verdict::Fail(timed_out(view, draft, phase, deadline)),
        None => verdict,
    }
}

fn timed_out(
    view: &View<'_>,
    draft: &Draft<'_>,
    phase: Option<Phase>,
    deadline: Deadline,
) -> Failure {
    let awaited = awaited_child(view, draft);
    let shown = phase.unwrap_or(Phase::Initializing);
    let word = draft.status.phase.as_ref().map(ToString::to_string);
    let word = word.map_or(shown.name().to_owned(), |word| text::clean(&word, 64));
    // One that status does not name and that is on its way out is waited for to be gone, and nobody is to begin with it.
    let going = |child: &Child| child.deleting && !housekeeping::is_named(&draft.status, child);
    let unstarted = awaited.is_some_and(|child| child.status.phase().is_empty() && !going(child));
    let (reason, mut message) = match deadline.limit {
        Limit::Overall => (
            "OverallTimeout",
            format!(
                "the remediation did not end within {}; its phase was `{word}`",
                deadline.allowed
            ),
        ),
        Limit::Approval => (
            "ApprovalExpired",
            format!("nobody approved the analysis within {}", deadline.allowed),
        ),
        Limit::Phase if unstarted => (
            "ChildNeverStarted",
            format!(
                "{shown} did not end within {}: nobody began with it",
                deadline.allowed
            ),
        ),
        Limit::Phase => (
            "PhaseTimeout",
            format!("{shown} did not end within {}", deadline.allowed),
        ),
    };
    if let Some(child) = awaited {
        let word = match child.status.phase() {
            _ if going(child) => "is still being deleted".to_owned(),
            "" => "has no status".to_owned(),
            word => format!("is {}", text::clean(word, 64)),
        };
        message.push_str(&format!("; {} {word}", child.key));
    }
    if let Some(trouble) = &draft.trouble {
        message.push_str(&format!(
            "; last trouble: {}: {}",
            trouble.reason, trouble.message
        ));
    }
    Failure {
        rule: Rule::DeadlinePassed,
        reason: reason.to_owned(),
        message,
        category: Category::F,
        timeout_phase: Some(shown),
    }
}

/// The child that holds the phase up: a step that is not completed, one that was started first; else the child that
/// status shows, if what holds its name is ours.
fn awaited_child<'a>(view: &View<'a>, draft: &Draft<'_>) -> Option<&'a Child> {
    let awaited = draft.status.waiting_for.as_deref()?;
    let steps = draft.status.kubernetes_execution_refs.iter();
    steps
        .filter(|step| !step.completed)
        .filter_map(|step| {
            match view.named(ChildKind::KubernetesExecution, &step.name, &step.uid) {
                Named::There(child) => Some(child),
                Named::Gone | Named::Unconfirmed => None,
            }
        })
        .min_by_key(|child| child.status.phase().is_empty())
        .or_else(|| {
            let shown = |child: &&Child| child.key.to_string() == awaited;
            view.ours(&view.children.iter().find(shown)?.key)
        })
}

/// The failure of a child, with the child's own reason and message (category F).
pub(crate) fn child_failed(child: &Child) -> Failure {
    let (reason, message) = child.status.why();
    let fallback = format!("{}Failed", child.key.kind);
    let said = match (reason, message) {
        ("", "") => "it gave no reason".to_owned(),
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    };
    Failure {
        rule: Rule::ChildFailed,
        reason: text::reason(reason, &fallback),
        message: format!("{} failed: {said}", child.key),
        category: Category::F,
        timeout_phase: None,
    }
}

/// The failure of creating a child that is refused for good (category C).
pub(crate) fn creation_refused(key: &ChildKey, refusal: &Refusal) -> Failure {
    Failure {
        rule: Rule::CreationRefused,
        reason: refusal.cause.word().to_owned(),
        message: format!(
            "{key} cannot be created: {}; {}",
            refusal.message,
            refusal.cause.next_step()
        ),
        category: Category::C,
        timeout_phase: None,
    }
}

/// Says that a child cannot be created yet, and why, if there is somebody to tell.
pub(crate) fn note_delay(view: &View<'_>, draft: &mut Draft<'_>, key: &ChildKey) {
    let Some(refusal) = view.creation_refused(key) else {
        return draft.wait_for_key(key);
    };
    draft.wake_at(refusal.next_try);
    let passing = !refusal.cause.server_said_no() && refusal.tries < 2;
    let first_child = key.kind == ChildKind::RemediationProcessing;
    if refusal.cause == Cause::NamespaceTerminating || (passing && !first_child) {
        return;
    }
    draft.wait_for_key(key);
    draft.trouble = Some(Trouble {
        reason: refusal.cause.word(),
        message: format!(
            "{key} cannot be created yet: {}; {}",
            refusal.message,
            refusal.cause.next_step()
        ),
    });
}

/// Reads a child that status names from the API server before it is created again. While it cannot be created yet nobody
/// looks: every event would ask anew.
pub(crate) fn confirm_lost(
    view: &View<'_>,
    draft: &mut Draft<'_>,
    kind: ChildKind,
    name: &str,
) -> Verdict {
    let to_create = view.stage_key(kind);
    let refusal = view.creation_refused(&to_create);
    let for_good = refusal.is_some_and(|refusal| refusal.cause.category() == Category::C);
    // What can never be created fails it, which is recorded.
    let follows = if for_good {
        Errand::Record
    } else {
        Errand::Create(to_create.clone())
    };
    if draft.may_try(view, &follows) {
        return confirm(view, draft, kind, name);
    }
    draft.wait_for_key(&to_create);
    if !for_good {
        note_delay(view, draft, &to_create);
    }
    Verdict::Wait
}

/// Reads a child that status names from the API server before anything is concluded from its absence.
pub(crate) fn confirm(
    view: &View<'_>,
    draft: &mut Draft<'_>,
    kind: ChildKind,
    name: &str,
) -> Verdict {
    let key = ChildKey::new(kind, name);
    draft.wait_for_key(&key);
    if draft.may_try(view, &Errand::Read(key.clone())) {
        Verdict::Read(key)
    } else {
        Verdict::Wait
    }
}

/// Reports a phase word that this version does not know: still in progress, never a guess.
pub(crate) fn note_unknown_phase(draft: &mut Draft<'_>, child: &Child, word: &str) {
    draft.rule = Rule::UnknownPhase;
    draft.trouble = Some(Trouble {
        reason: "UnknownPhase",
        message: format!(
            "{} reports the phase `{}`, which this version does not know; it counts as in progress",
            child.key,
            text::clean(word, 64)
        ),
    });
}
