//! S24 of a failure: what it says went wrong has happened.

use remediation_core::kind::{ChildKind, REQUEST_KIND};

use super::read::{list, text};
use super::state::Child;
use super::status_write::StatusWrite;
use super::touch::has_name_of;
use super::{Findings, Promise};

/// The longest `namespace/name` of a request whose children's names begin with all of it.
const UNCUT: usize = 200;

/// Judges the write that first records a failure. A timeout is judged by the clock.
pub(super) fn check(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let after = write.after;
    let is_new = !write.before.has_failed() && after.has_failed();
    if !is_new || after.text("timeoutPhase").is_some() {
        return;
    }
    let reason = after.text("reason").unwrap_or_default();
    let any = |is_so: fn(&Child) -> bool| named(write).any(is_so);
    if named(write).any(|child| gave_reason(child, reason)) {
        return;
    }
    let (happened, otherwise) = match reason {
        "ChildDeleted" => (
            lost_execution(write),
            "no execution that status names is gone",
        ),
        "AnalysisRejected" => (
            any(|child| child.rejected),
            "no analysis that status names was rejected",
        ),
        "NoRecommendation" => (
            any(|child| child.recommended_nothing),
            "each analysis that status names recommends something",
        ),
        "InvalidPlan" => (
            // Where a hand took a workflow's name away, the plan that was begun may have been another workflow's.
            any(|child| child.planned_badly)
                || (any(|child| child.plan.is_some()) && !write.request.unnamed.is_empty()),
            "no workflow that status names published a plan that changed or cannot be run",
        ),
        "NameConflict" => (
            holds_our_name(write),
            "nobody else holds the name of a child",
        ),
        _ if after.text("failureCategory") != Some("F") => return,
        _ => (false, "no child that status names failed for it"),
    };
    if !happened {
        found.breaks(
            Promise::S24,
            format!("{reason} was recorded, and {otherwise}"),
        );
    }
}

/// The children that status names, before the write or after it.
fn named<'a>(write: &StatusWrite<'a>) -> impl Iterator<Item = &'a Child> {
    let (before, after) = (write.before, write.after);
    let named = move |uid: &str| before.names(uid) || after.names(uid);
    let children = write.children.iter();
    children
        .filter(move |(uid, _)| named(uid))
        .map(|(_, child)| child)
}

/// Whether it said that it failed, and why: by a word of its own, or by one that cannot be copied or is missing.
fn gave_reason(child: &Child, reason: &str) -> bool {
    let given = child.failed_for.iter().any(|given| given == reason);
    given || (!child.failed_for.is_empty() && reason == format!("{}Failed", child.kind))
}

/// Whether an execution that status names, and that has not counted as completed, is gone or about to go.
fn lost_execution(write: &StatusWrite<'_>) -> bool {
    let completed = |uid: &str| {
        let steps = write.after.steps().iter();
        let mut completed = steps.filter(|step| step["completed"] == true);
        completed.any(|step| step["uid"] == uid)
    };
    let mut executions = write.after.executions().filter(|(_, uid)| !completed(uid));
    // What a hand named and never was is gone.
    executions.any(|(_, uid)| {
        let child = write.children.get(uid);
        child.is_none_or(|child| child.gone.is_some() || child.deleting.is_some())
    })
}

/// Whether an object that no request of this name controls stands, or stood, where a child of the request would.
fn holds_our_name(write: &StatusWrite<'_>) -> bool {
    let request = write.request;
    let name = text(&request.image, &["metadata", "name"]).unwrap_or_default();
    let is_foreign = |child: &Child| {
        let owners = list(&child.image, &["metadata", "ownerReferences"]);
        !owners.iter().any(|owner| {
            owner["controller"] == true && owner["kind"] == REQUEST_KIND && owner["name"] == name
        })
    };
    let mut children = write.children.values();
    !write.allowance.expectations.whole
        || request.object.len() > UNCUT
        || children.any(|child| {
            child.kind != ChildKind::NotificationRequest
                && has_name_of(child, request)
                && is_foreign(child)
        })
}
