//! What each call sends: every write carries what it was decided from, every deletion its preconditions (S14).

use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use remediation_core::action::{ChildSpec, ProcessingSpec};
use remediation_core::error::{Cause, classify};
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::Status;
use remediation_core::targeting::TargetingData;

use super::*;

/// What was sent: method, path with query, body.
type Sent = Arc<Mutex<Vec<(String, String, Value)>>>;

/// Calls that are answered with this object, and what they send.
fn calls(answer: Value) -> (KubeCalls, Sent) {
    let sent = Sent::default();
    let service = tower::service_fn({
        let sent = sent.clone();
        move |request: http::Request<Body>| {
            let (sent, answer) = (sent.clone(), answer.to_string());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let (method, path) = (head.method.to_string(), head.uri.to_string());
                sent.lock().unwrap().push((method, path, body));
                Ok::<_, std::io::Error>(http::Response::new(Body::from(answer.into_bytes())))
            }
        }
    });
    (KubeCalls::new(Client::new(service, "default")), sent)
}

fn web() -> Identity {
    Identity {
        namespace: "shop".into(),
        name: "web".into(),
        uid: "u-1".into(),
    }
}

fn seen(kind: ChildKind) -> Precondition {
    Precondition {
        key: ChildKey::new(kind, "web-x"),
        uid: "c-1".into(),
        resource_version: "7".into(),
    }
}

fn new_child(kind: ChildKind) -> Call {
    let spec = ChildSpec::Processing(ProcessingSpec {
        targeting_data: TargetingData::default(),
    });
    Call::Create(Box::new(NewChild {
        key: ChildKey::new(kind, "web-x"),
        labels: [(REQUEST_LABEL.to_owned(), "web".to_owned())].into(),
        spec,
    }))
}

async fn made(call: &Call, answer: Value) -> (Outcome, Vec<(String, String, Value)>) {
    let (calls, sent) = calls(answer);
    let outcome = calls.call(&web(), call).await;
    let sent = sent.lock().unwrap().clone();
    (outcome, sent)
}

#[tokio::test]
async fn a_child_is_created_owned_and_controlled_by_its_request_and_a_notification_is_not_owned() {
    let answer = json!({ "metadata": { "name": "web-x", "uid": "c-1", "resourceVersion": "7" } });
    let (outcome, sent) = made(&new_child(ChildKind::AIAnalysis), answer.clone()).await;
    assert!(matches!(outcome, Outcome::Child(child) if child.uid == "c-1"));
    let (method, path, body) = &sent[0];
    assert_eq!(method, "POST");
    assert_eq!(
        path,
        "/apis/aianalysis.kubernaut.ai/v1alpha1/namespaces/shop/aianalyses?&fieldManager=remediation-orchestrator"
    );
    assert_eq!(
        body["metadata"]["ownerReferences"],
        json!([{ "apiVersion": "remediation.kubernaut.ai/v1alpha1", "kind": "RemediationRequest",
            "name": "web", "uid": "u-1", "controller": true, "blockOwnerDeletion": true }])
    );
    assert_eq!(body["metadata"]["labels"], json!({ REQUEST_LABEL: "web" }));
    let (_, sent) = made(&new_child(ChildKind::NotificationRequest), answer).await;
    assert_eq!(sent[0].2["metadata"]["ownerReferences"], Value::Null);
}

#[tokio::test]
async fn a_status_write_carries_the_version_and_the_uid_that_it_was_decided_from() {
    let to = Status {
        phase: Some(PhaseWord::Known(Phase::Processing)),
        ..Status::default()
    };
    let call = Call::Record(Box::new(RecordCall {
        from: Status::default(),
        to,
        resource_version: "41".into(),
        path: vec![Phase::Processing],
    }));
    let answer =
        json!({ "metadata": { "name": "web", "namespace": "shop", "resourceVersion": "42" } });
    let (outcome, sent) = made(&call, answer).await;
    assert!(matches!(outcome, Outcome::Request(request) if request.resource_version == "42"));
    let (method, path, body) = &sent[0];
    assert_eq!(method, "PATCH");
    assert_eq!(
        path,
        "/apis/remediation.kubernaut.ai/v1alpha1/namespaces/shop/remediationrequests/web/status?&fieldManager=remediation-orchestrator"
    );
    let expected = json!({ "metadata": { "resourceVersion": "41", "uid": "u-1" },
        "status": { "phase": "Processing" } });
    assert_eq!(*body, expected);
}

#[tokio::test]
async fn a_deletion_carries_uid_and_version_and_leaves_the_rest_to_the_garbage_collector() {
    let request = Call::DeleteRequest {
        resource_version: "9".into(),
    };
    let child = Call::DeleteChild(seen(ChildKind::RemediationProcessing));
    for (call, uid, version) in [(request, "u-1", "9"), (child, "c-1", "7")] {
        let (outcome, sent) = made(&call, json!({})).await;
        assert_eq!(outcome, Outcome::Deleted);
        let (method, _, body) = &sent[0];
        assert_eq!(method, "DELETE");
        assert_eq!(
            body["preconditions"],
            json!({ "uid": uid, "resourceVersion": version })
        );
        assert_eq!(body["propagationPolicy"], "Background");
    }
}

#[tokio::test]
async fn ownership_is_given_back_beside_the_other_owners_and_only_as_it_was_seen() {
    let other = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "o-1" });
    let stale = json!({ "kind": "RemediationRequest", "name": "web", "uid": "u-1" });
    let object = |uid: &str, version: &str| {
        json!({ "metadata": { "name": "web-x", "uid": uid, "resourceVersion": version,
            "ownerReferences": [other, stale] } })
    };
    let call = Call::RestoreOwnership(seen(ChildKind::WorkflowExecution));
    let (outcome, sent) = made(&call, object("c-1", "7")).await;
    assert!(matches!(outcome, Outcome::Child(_)));
    let metadata = &sent[1].2["metadata"];
    assert_eq!(
        (&metadata["uid"], &metadata["resourceVersion"]),
        (&json!("c-1"), &json!("7"))
    );
    assert_eq!(
        metadata["ownerReferences"],
        json!([other, owner_reference(&web())])
    );
    assert_eq!(
        metadata["labels"],
        json!({ REQUEST_LABEL: "web", REQUEST_UID_LABEL: "u-1" })
    );
    for changed in [object("c-2", "7"), object("c-1", "8")] {
        let (outcome, sent) = made(&call, changed).await;
        let Outcome::Failed(failure) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(classify(&failure), Cause::Conflict);
        assert_eq!(failure.reason, "Conflict");
        assert!(failure.message.contains("web-x"), "{}", failure.message);
        assert_eq!(sent.len(), 1, "nothing is written");
    }
}

#[test]
fn each_call_is_told_in_the_words_of_a_role() {
    let child = seen(ChildKind::KubernetesExecution);
    for (call, words) in [
        (new_child(ChildKind::AIAnalysis), ("create", "aianalyses")),
        (
            Call::Read(child.key.clone()),
            ("get", "kubernetesexecutions"),
        ),
        (Call::ReadRequest, ("get", "remediationrequests")),
        (
            Call::RestoreOwnership(child.clone()),
            ("patch", "kubernetesexecutions"),
        ),
        (Call::DeleteChild(child), ("delete", "kubernetesexecutions")),
    ] {
        assert_eq!(verb_and_resource(&call), words);
    }
}
