//! The audit log of a real API server, read into committed writes.

use remediation_adapters::simulation::promises::audit::{AuditError, read};
use remediation_adapters::simulation::promises::{Promise, Promises, Verb};
use serde_json::{Value, json};

use crate::broken::{CANARIES, Lives};
use crate::good::{alone, strict, two_steps};
use crate::recorded::record;

fn event(verb: &str, agent: &str, second: u32, response: &Value) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "stage": "ResponseComplete",
        "verb": verb, "requestURI": "/apis", "userAgent": agent, "user": { "username": "somebody" },
        "objectRef": { "apiGroup": "aianalysis.kubernaut.ai", "resource": "aianalyses", "namespace": "shop", "name": "web-aianalysis" },
        "responseStatus": { "code": 200 }, "responseObject": response,
        "requestReceivedTimestamp": format!("2026-03-01T12:00:{second:02}.400000Z"),
        "stageTimestamp": format!("2026-03-01T12:00:{second:02}.500000Z"),
    })
}

fn analysis(version: u32, phase: &str) -> Value {
    json!({ "kind": "AIAnalysis", "metadata": { "name": "web-aianalysis", "namespace": "shop", "uid": "a",
        "resourceVersion": version.to_string() }, "status": { "phase": phase } })
}

/// What the committed writes of this log did, in their order.
fn verbs(log: &str) -> Vec<Verb> {
    let commits = read(log).unwrap().commits;
    commits.iter().map(|commit| commit.verb).collect()
}

fn log(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

#[test]
fn writes_come_in_the_order_in_which_they_were_committed() {
    let gone = json!({ "kind": "Status", "status": "Success", "details": { "uid": "a" } });
    let text = log(&[
        event("create", "remediation-orchestrator/1", 1, &analysis(10, "")),
        // Answered before the write that was committed before it.
        event("patch", "curl", 3, &analysis(12, "Ready")),
        event("patch", "curl", 4, &analysis(11, "Investigating")),
        // It changed nothing.
        event("patch", "curl", 5, &analysis(12, "Ready")),
        event("delete", "kube-controller-manager/v1", 6, &gone),
    ]);
    let read = read(&text).unwrap().commits;
    let seen: Vec<(Verb, Option<&str>, Option<&str>)> = read
        .iter()
        .map(|commit| {
            let phase = |image: &'_ Option<std::sync::Arc<Value>>| -> Option<&'static str> {
                let word = image.as_ref()?["status"]["phase"].as_str()?;
                ["", "Investigating", "Ready"]
                    .into_iter()
                    .find(|known| *known == word)
            };
            (commit.verb, phase(&commit.before), phase(&commit.after))
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Verb::Create, None, Some("")),
            (Verb::Update, Some(""), Some("Investigating")),
            (Verb::Update, Some("Investigating"), Some("Ready")),
            (Verb::Delete, Some("Ready"), None),
        ]
    );
    assert!(read[0].actor.is_ours() && !read[1].actor.is_ours());
}

#[test]
fn a_deletion_comes_before_what_was_asked_for_after_it_and_answered_first() {
    let of = |name: &str, version: u32| {
        let mut object = analysis(version, "");
        object["metadata"]["name"] = json!(name);
        object["metadata"]["uid"] = json!(name);
        object
    };
    let gone = json!({ "kind": "Status", "status": "Success", "details": { "uid": "a" } });
    let mut deleted = event("delete", "curl", 5, &gone);
    deleted["requestReceivedTimestamp"] = json!("2026-03-01T12:00:02.000000Z");
    let text = log(&[
        event("create", "curl", 1, &analysis(10, "")),
        event("create", "curl", 3, &of("another", 11)),
        deleted,
    ]);
    assert_eq!(verbs(&text), [Verb::Create, Verb::Delete, Verb::Create]);
    // Its own object was written before it.
    let mut deleted = event("delete", "curl", 5, &gone);
    deleted["requestReceivedTimestamp"] = json!("2026-03-01T12:00:02.000000Z");
    let text = log(&[
        event("create", "curl", 1, &analysis(10, "")),
        event("patch", "curl", 3, &analysis(12, "Ready")),
        deleted,
    ]);
    assert_eq!(verbs(&text), [Verb::Create, Verb::Update, Verb::Delete]);
}

#[test]
fn a_change_of_a_version_that_was_never_seen_has_no_image_before() {
    let mut jump = event(
        "patch",
        "remediation-orchestrator/1",
        3,
        &analysis(13, "Ready"),
    );
    jump["requestObject"] = json!({ "metadata": { "resourceVersion": "12" } });
    let text = log(&[event("create", "curl", 1, &analysis(10, "")), jump]);
    let read = read(&text).unwrap().commits;
    assert_eq!(read.len(), 2);
    assert!(read[1].before.is_none() && read[1].after.is_some());
}

#[test]
fn a_patch_that_was_committed_although_its_client_had_gone_is_put_together() {
    let agent = "remediation-orchestrator/1";
    let lost_response = json!({ "kind": "Status", "code": 504 });
    let mut lost = event("patch", agent, 2, &lost_response);
    lost["responseStatus"] = json!({ "code": 504 });
    lost["requestObject"] = json!({ "metadata": { "resourceVersion": "10" }, "status": { "phase": "Ready", "reason": null } });
    let mut next = event("patch", agent, 4, &analysis(14, "Completed"));
    next["requestObject"] = json!({ "metadata": { "resourceVersion": "12" } });
    let first = event("create", agent, 1, &analysis(10, ""));
    let told = read(&log(&[first.clone(), lost.clone(), next])).unwrap();
    let phases: Vec<&Value> = told
        .commits
        .iter()
        .map(|commit| &commit.after.as_ref().unwrap()["status"]["phase"])
        .collect();
    assert_eq!(phases, ["", "Ready", "Completed"]);
    assert_eq!((told.refused.len(), told.unsure), (1, false));
    // Nothing builds on it: it was not committed.
    let mut other = event("patch", agent, 4, &analysis(14, "Completed"));
    other["requestObject"] = json!({ "metadata": { "resourceVersion": "10" } });
    let told = read(&log(&[first, lost, other])).unwrap();
    assert_eq!(told.commits.len(), 2);
}

#[test]
fn what_cannot_be_read_is_named_by_its_line() {
    let good = event("create", "curl", 1, &analysis(10, ""));
    let mut bare = good.clone();
    bare.as_object_mut().unwrap().remove("responseObject");
    for (bad, line) in [("nonsense".to_owned(), 2), ("{}".to_owned(), 2)] {
        let error = read(&format!("{good}\n{bad}\n")).unwrap_err();
        assert!(
            matches!(error, AuditError::Unreadable { line: at, .. } if at == line),
            "{error}"
        );
    }
    let error = read(&format!("{good}\n{bare}\n")).unwrap_err();
    assert!(error.to_string().contains("RequestResponse"), "{error}");
}

/// A recorded life, written as a real server would log it.
fn as_log(tale: &crate::tale::Tale) -> String {
    let plural = |image: &Value| match image["kind"].as_str().unwrap() {
        "AIAnalysis" => "aianalyses".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let events = (1_u32..).zip(&tale.commits).map(|(second, commit)| {
        let image = commit.after.as_ref().or(commit.before.as_ref()).unwrap();
        let gone = json!({ "kind": "Status", "details": { "uid": image["metadata"]["uid"] } });
        let (verb, response) = match commit.verb {
            Verb::Create => ("create", &**image),
            Verb::Update => ("patch", &**image),
            Verb::Delete => ("delete", &gone),
        };
        let agent = if commit.actor.is_ours() {
            "remediation-orchestrator/1"
        } else {
            "curl"
        };
        let mut event = event(verb, agent, 0, response);
        let mut response = response.clone();
        if commit.after.is_some() {
            // Tampered writes have their places too.
            response["metadata"]["resourceVersion"] = json!((1_000 + second).to_string());
        }
        event["responseObject"] = response;
        event["objectRef"]["apiGroup"] = image["apiVersion"]
            .as_str()
            .unwrap()
            .split('/')
            .next()
            .into();
        event["objectRef"]["resource"] = plural(image).into();
        event["requestReceivedTimestamp"] = json!(commit.earliest.to_string());
        event["stageTimestamp"] = json!(commit.at.to_string());
        event
    });
    log(&events.collect::<Vec<_>>())
}

#[test]
fn a_promise_broken_in_an_audit_log_is_found() {
    let good = record(two_steps(), alone);
    let judge = |text: &str| {
        let mut promises = Promises::new(strict());
        let commits = read(text).unwrap().commits;
        let found: Vec<_> = commits
            .iter()
            .flat_map(|commit| promises.commit(commit))
            .collect();
        (commits.len(), found)
    };
    let whole = crate::tale::Tale::of(&good);
    let (count, found) = judge(&as_log(&whole));
    assert_eq!((count, found.len()), (whole.commits.len(), 0), "{found:#?}");
    let lives = Lives {
        failed: good.clone(),
        timed_out: good.clone(),
        suspended: good.clone(),
        good,
    };
    let canary = CANARIES
        .iter()
        .find(|(name, _)| *name == "the_phase_goes_back");
    let (tale, _) = canary.unwrap().1(&lives);
    let (_, found) = judge(&as_log(&tale));
    let promises: Vec<Promise> = found.iter().map(|found| found.promise).collect();
    assert_eq!(promises, [Promise::S6], "{found:#?}");
}
