//! More canaries: status claims what is not so.

use remediation_adapters::simulation::promises::Promise;
use serde_json::{Value, json};

use crate::broken::{Broken, Lives, NOW, at_once, in_phase, phase, renamed};
use crate::more::{Another, remove};
use crate::recorded::Recorded;
use crate::tale::{AIA, KEXEC, NOTIF, REQUEST, Tale, made};

/// In this phase a failure is recorded for this reason.
fn fails_for(life: &Recorded, phase: &'static str, reason: &str) -> Tale {
    in_phase(life, phase).we_write(NOW, |status| fail(status, phase, reason))
}

fn fail(status: &mut Value, phase: &str, reason: &str) {
    let category = if reason == "NameConflict" { "C" } else { "F" };
    for (field, value) in [
        ("failurePhase", phase),
        ("failureCategory", category),
        ("reason", reason),
    ] {
        status[field] = json!(value);
    }
    remove(status, "nextDeadline");
}

/// A history in which a request ends and names, as its escalation, one with this label.
fn names_notification(lives: &Lives, request: Option<&str>) -> Broken {
    let tale = Tale::of(&lives.failed);
    let end = tale.ours(REQUEST, phase("Failed"));
    let mut theirs = renamed(tale.image(tale.creation(NOTIF)), "theirs");
    theirs["metadata"]["labels"] = match request {
        Some(uid) => json!({ "kubernaut.ai/remediation-request-uid": uid }),
        None => json!({}),
    };
    let status = tale.image(end)["status"].clone();
    let tale = tale.cut_before(end).user_creates(NOTIF, theirs);
    at_once(tale.we_write(NOW, |ours| {
        *ours = status;
        ours["notificationRefs"][0]["uid"] = json!(made(1));
    }))
}

pub(crate) const CLAIMS: &[Another] = &[
    (Promise::S15, "something that never was is named", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        let last = tale.commits.len() - 1;
        at_once(tale.tamper(last, |request| {
            request["status"]["remediationProcessingRef"]["uid"] = json!("never");
        }))
    }),
    (
        Promise::S15,
        "a notification of somebody else is named",
        |lives| names_notification(lives, None),
    ),
    (
        Promise::S16,
        "a notification of an earlier request is named",
        |lives| names_notification(lives, Some("an-earlier-request")),
    ),
    (Promise::S24, "a step counts that said nothing", |lives| {
        at_once(in_phase(&lives.good, "Executing").we_write(NOW, |status| {
            status["kubernetesExecutionRefs"][0]["completed"] = json!(true);
        }))
    }),
    (
        Promise::S24,
        "success is told before there is a workflow",
        |lives| {
            let tale = Tale::of(&lives.good);
            let success = tale.image(tale.creation(NOTIF));
            at_once(in_phase(&lives.good, "Analyzing").we_create(NOW, NOTIF, success))
        },
    ),
    (
        Promise::S24,
        "success is told by a workflow that never completed and whose name a hand took away",
        |lives| {
            let tale = Tale::of(&lives.good);
            let success = tale.image(tale.creation(NOTIF));
            let tale = in_phase(&lives.good, "WorkflowPlanning").user_changes(|request| {
                remove(&mut request["status"], "workflowExecutionRef");
            });
            at_once(tale.we_create(NOW, NOTIF, success))
        },
    ),
    (
        Promise::S24,
        "an execution that is there counts as deleted",
        |lives| at_once(fails_for(&lives.good, "Executing", "ChildDeleted")),
    ),
    (
        Promise::S24,
        "a child fails the remediation and never failed",
        |lives| at_once(fails_for(&lives.good, "Processing", "Broken")),
    ),
    (
        Promise::S24,
        "a failed child is given a reason that it never gave",
        |lives| {
            let tale = Tale::of(&lives.failed);
            let failing = tale.ours(REQUEST, |o| o["status"]["failurePhase"].is_string());
            at_once(tale.cut_after(failing).tamper(failing, |request| {
                request["status"]["reason"] = json!("Otherwise");
            }))
        },
    ),
    (
        Promise::S24,
        "a step that was completed counts as deleted",
        |lives| {
            let tale = Tale::of(&lives.good);
            let done = |o: &Value| o["status"]["kubernetesExecutionRefs"][0]["completed"] == true;
            let at = tale.ours(REQUEST, done);
            let step = tale.image(tale.creation(KEXEC));
            let tale = tale.cut_after(at).deleted(false, KEXEC, step);
            at_once(tale.we_write(NOW, |status| fail(status, "Executing", "ChildDeleted")))
        },
    ),
    (Promise::S24, "nobody rejected the analysis", |lives| {
        at_once(fails_for(&lives.good, "Analyzing", "AnalysisRejected"))
    }),
    (
        Promise::S24,
        "an analysis that recommends something counts as one that does not",
        |lives| {
            let tale = Tale::of(&lives.good);
            let ready = tale.says(AIA, "Ready");
            let tale = tale.cut_after(ready);
            at_once(tale.we_write(NOW, |status| fail(status, "Analyzing", "NoRecommendation")))
        },
    ),
    (
        Promise::S24,
        "a plan that was never published is invalid",
        |lives| at_once(fails_for(&lives.good, "WorkflowPlanning", "InvalidPlan")),
    ),
    (Promise::S24, "a plan that can be run is invalid", |lives| {
        at_once(fails_for(&lives.good, "Executing", "InvalidPlan"))
    }),
    (
        Promise::S24,
        "nobody else holds the name that is in conflict",
        |lives| at_once(fails_for(&lives.good, "Processing", "NameConflict")),
    ),
];
