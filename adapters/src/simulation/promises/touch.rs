//! Changes and deletions of what is there already: S14 to S16 (whose it is, and what of it), S25 (when), S4 (when an
//! executor starts).

use std::collections::BTreeMap;

use jiff::Timestamp;
use remediation_core::kind::{ChildKind, REQUEST_LABEL, REQUEST_UID_LABEL};
use serde_json::{Map, Value};

use super::allowance::Allowance;
use super::read::{self, Status, text};
use super::state::{Child, Request};
use super::{Findings, Promise};

/// The orchestrator changed a child, from what it was to what it is where that is known, or deleted it.
pub(super) fn check_child(
    child: &Child,
    change: Option<(&Value, &Value)>,
    deletes: bool,
    at: Timestamp,
    requests: &BTreeMap<String, Request>,
    allowance: &Allowance,
    found: &mut Findings<'_>,
) {
    let doing = if deletes { "deleted" } else { "changed" };
    let uid = read::uid(&child.image);
    let Some(request) = child
        .request
        .as_deref()
        .and_then(|owner| requests.get(owner))
    else {
        let promise = if has_our_name(child, requests) {
            Promise::S15
        } else {
            Promise::S14
        };
        return found.breaks(
            promise,
            format!("{doing} {}, which is not ours", child.kind),
        );
    };
    // A call that was under way when the request went did what was right a moment before.
    if request
        .gone
        .is_some_and(|gone| allowance.is_known(gone, at))
    {
        return found.breaks(
            Promise::S16,
            format!("{doing} {}, which is of an earlier request", child.kind),
        );
    }
    let status = request.status();
    let named = status.names(uid);
    // The sweep may have been decided before a hand took the end away.
    let had_ended = request
        .reopened
        .is_some_and(|reopened| child.created <= reopened && !allowance.is_known(reopened, at));
    if deletes && named {
        found.breaks(
            Promise::S14,
            format!("deleted {}, which status names", child.kind),
        );
    } else if deletes && !is_straggler(child, status) && !had_ended {
        found.breaks(
            Promise::S14,
            format!(
                "deleted {}, whose phase is not over: it is {}",
                child.kind,
                status.phase()
            ),
        );
    } else if !deletes && !named {
        found.breaks(
            Promise::S14,
            format!("changed {}, which status does not name", child.kind),
        );
    } else if !deletes
        && let Some((before, after)) = change
        && !gives_back(request, before, after)
    {
        found.breaks(
            Promise::S14,
            format!("changed more of {} than whose it is", child.kind),
        );
    }
}

/// What the API server keeps of each write.
const KEPT_BY_SERVER: [&str; 3] = ["resourceVersion", "managedFields", "generation"];

/// Whether a change of a child gives its owner reference and our labels back to this request, and changes nothing else.
fn gives_back(request: &Request, before: &Value, after: &Value) -> bool {
    let uid = read::uid(&request.image);
    let rest = |child: &Value| {
        let mut child = child.clone();
        let mut owners = Vec::new();
        let mut labels = Map::new();
        if let Some(metadata) = child.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|field, _| !KEPT_BY_SERVER.contains(&field.as_str()));
            if let Some(Value::Array(all)) = metadata.remove("ownerReferences") {
                owners = all;
            }
            if let Some(Value::Object(all)) = metadata.remove("labels") {
                labels = all;
            }
        }
        owners.retain(|owner| owner["uid"] != uid);
        labels.retain(|label, _| label != REQUEST_LABEL && label != REQUEST_UID_LABEL);
        (child, owners, labels)
    };
    read::owner(after) == Some(uid)
        && read::label(after) == Some(uid)
        && rest(before) == rest(after)
}

/// Whether a child is too late: its phase is over, or the whole remediation.
pub(super) fn is_straggler(child: &Child, status: Status<'_>) -> bool {
    let Some(last) = last_place(child.kind) else {
        return false;
    };
    // The word Completed alone is a hand's, and says nothing of where the remediation is.
    let past = |place: usize| place > last && place < read::COMPLETED;
    status.has_ended() || status.place().is_some_and(past)
}

/// The last place in which a child of this kind is wanted.
pub(super) fn last_place(kind: ChildKind) -> Option<usize> {
    match kind {
        ChildKind::RemediationProcessing => Some(read::PROCESSING),
        ChildKind::AIAnalysis => Some(read::ANALYZING),
        ChildKind::WorkflowExecution | ChildKind::KubernetesExecution => Some(read::EXECUTING),
        ChildKind::NotificationRequest => None,
    }
}

fn has_our_name(child: &Child, requests: &BTreeMap<String, Request>) -> bool {
    requests.values().any(|request| has_name_of(child, request))
}

/// Whether it stands where a child of this request would: the request's name, a dash, and what follows.
pub(super) fn has_name_of(child: &Child, request: &Request) -> bool {
    let infix = match child.kind {
        ChildKind::RemediationProcessing => "-processing",
        ChildKind::AIAnalysis => "-aianalysis",
        ChildKind::WorkflowExecution => "-workflow",
        ChildKind::KubernetesExecution => "-execution-",
        ChildKind::NotificationRequest => "-",
    };
    child
        .object
        .strip_prefix(request.object.as_str())
        .is_some_and(|rest| rest.starts_with(infix))
}

/// The orchestrator deleted a request.
pub(super) fn check_request(
    request: &Request,
    at: Timestamp,
    allowance: &Allowance,
    found: &mut Findings<'_>,
) {
    let status = request.status();
    let Some(ended) = status.time("completionTime") else {
        return found.breaks(
            Promise::S25,
            format!(
                "the request was deleted in {}, before it ended",
                status.phase()
            ),
        );
    };
    let Some(ttl) = status.ttl() else { return };
    let expiry = ended.plus(ttl);
    if at + allowance.expectations.skew < expiry.moment() {
        found.breaks(
            Promise::S25,
            format!("the request was deleted before it expired at {expiry}"),
        );
    }
}

/// S4: an executor that obeys the contract started.
pub(super) fn check_start(
    child: &Child,
    after: &Value,
    at: Timestamp,
    request: &Request,
    allowance: &Allowance,
    found: &mut Findings<'_>,
) {
    let status = request.status();
    let long = |since: Option<Timestamp>| since.is_some_and(|since| allowance.is_known(since, at));
    let uid = read::uid(after);
    // Where a hand takes the name away at the moment at which the executor looks, nobody could have known.
    let named = request.named.values().any(|named| named == uid)
        || (request.unnamed.get(uid)).is_some_and(|at_once| !long(Some(*at_once)));
    let why = if !named {
        "status never named it".to_owned()
    } else if long(request.ended) || long(request.left[read::EXECUTING]) {
        "its phase was over".to_owned()
    } else if long(request.suspended) {
        "the request is suspended".to_owned()
    } else {
        let not_after = text(after, &["spec", "notAfter"]).and_then(read::time);
        let Some(latest) = not_after.max(status.time("nextDeadline")) else {
            return;
        };
        if !allowance.is_known(latest.moment() + allowance.expectations.skew, at) {
            return;
        }
        format!("the latest moment was {latest}")
    };
    found.breaks(
        Promise::S4,
        format!("{} started although {why}", child.kind),
    );
}
