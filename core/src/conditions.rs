//! The conditions of a request, as `kubectl wait` and kstatus read them.

use crate::status::{Condition, Status};
use crate::time::Time;

/// True once it completed, as on a Job.
pub const COMPLETE: &str = "Complete";
/// True once it failed, as on a Job.
pub const FAILED: &str = "Failed";
/// True while it is under way (kstatus); its reason names a trouble that people should know.
pub const RECONCILING: &str = "Reconciling";
/// True once it failed (kstatus): it will not go on by itself.
pub const STALLED: &str = "Stalled";
/// True while somebody has to approve the analysis.
pub const AWAITING_APPROVAL: &str = "AwaitingApproval";
/// True while the request is suspended.
pub const SUSPENDED: &str = "Suspended";
/// Whether the notification that is owed exists; False says why it could not be created.
pub const ESCALATED: &str = "Escalated";

/// Sets a condition; its transition time changes only with its status.
pub(crate) fn set(
    status: &mut Status,
    kind: &str,
    holds: bool,
    reason: &str,
    message: String,
    at: Time,
) {
    let value = if holds { "True" } else { "False" };
    let condition = Condition {
        kind: kind.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: at,
    };
    match status.conditions.iter_mut().find(|c| c.kind == kind) {
        Some(known) if known.status == value => {
            known.reason = condition.reason;
            known.message = condition.message;
        }
        Some(known) => *known = condition,
        None => status.conditions.push(condition),
    }
}

/// Removes a condition.
pub(crate) fn remove(status: &mut Status, kind: &str) {
    status.conditions.retain(|condition| condition.kind != kind);
}
