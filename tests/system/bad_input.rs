//! Bad input from outside: the message says what, where, and what to do next, and nothing panics or spins.

use std::time::Duration;

use serde_json::json;

use crate::harness::{ControlPlane, DEADLINE, Failure, Operator, Result, User, apply_crd, until};
use crate::stage::{Stage, alert, on_both_backends};

on_both_backends!(what_the_schema_can_refuse_is_refused_with_the_field);

async fn what_the_schema_can_refuse_is_refused_with_the_field(stage: &mut Stage) -> Result {
    let with = |field: &str, value: serde_json::Value| {
        let mut data = alert();
        data[field] = value;
        json!({ "targetingData": data })
    };
    for (spec, field) in [
        (
            with("signalFingerprint", json!("f".repeat(129))),
            "signalFingerprint",
        ),
        (with("environment", json!("e".repeat(64))), "environment"),
        (with("severity", json!("terrible")), "severity"),
        (with("priority", json!("P9")), "priority"),
        (with("labels", json!({ "a": "l".repeat(4097) })), "labels.a"),
        (
            with("context", json!({ "a": "c".repeat(4097) })),
            "context.a",
        ),
        (
            json!({ "targetingData": alert(), "timeouts": { "analyzing": "soon" } }),
            "analyzing",
        ),
        (
            json!({ "targetingData": alert(), "timeouts": { "overall": "-5m" } }),
            "overall",
        ),
        (
            json!({ "targetingData": alert(), "timeouts": { "overall": "0s" } }),
            "overall",
        ),
        (
            json!({ "targetingData": alert(), "ttlSecondsAfterFinished": -1 }),
            "ttlSecondsAfterFinished",
        ),
    ] {
        match stage.request_with("bad", spec.clone()).await {
            Err(refused) if format!("{refused:?}").contains(field) => {}
            other => return Err(Failure::new(format!("{spec}: {other:?}"))),
        }
    }
    assert!(
        stage
            .requests()
            .list(&Default::default())
            .await?
            .items
            .is_empty()
    );
    Ok(())
}

/// Waits until the operator's log holds all of these words.
async fn says(operator: &mut Operator, words: &[&str]) -> Result {
    let told = until(DEADLINE, async || {
        let log = operator.log().ok()?;
        words.iter().all(|word| log.contains(word)).then_some(())
    });
    told.await.ok_or_else(|| {
        Failure::new(format!(
            "does not say {words:?}:\n{}",
            operator.log().unwrap_or_default()
        ))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_kinds_it_says_what_to_install_and_goes_on_when_they_are() -> Result {
    let plane = ControlPlane::start(&[]).await?;
    let mut operator = Operator::start_unready(&plane.kubeconfig(User::Admin), &[])?;
    says(&mut operator, &["remediationrequests", "kubectl apply"]).await?;
    assert_eq!(operator.get("/readyz").await?.0, 503);
    let client = plane.client(User::Admin).await?;
    for crd in remediation_adapters::kubernetes::crd::all() {
        apply_crd(&client, &crd).await?;
    }
    operator.ready(DEADLINE).await?;
    operator.kill9();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_verb_it_names_the_verb_and_the_resource() -> Result {
    let plane = ControlPlane::shared().await?;
    // Nothing is bound to this user: it may do nothing.
    let mut operator = Operator::start_unready(&plane.kubeconfig(User::Operator), &[])?;
    says(&mut operator, &["watch", "remediationrequests"]).await?;
    let words = ["RemediationRequest (", "cannot list resource", "grant"];
    let ready = until(DEADLINE, async || {
        let (code, told) = operator.get("/readyz").await.ok()?;
        (code == 503 && words.iter().all(|word| told.contains(word))).then_some(())
    });
    if ready.await.is_none() {
        let told = operator.get("/readyz").await?;
        return Err(Failure::new(format!(
            "/readyz does not say {words:?}: {told:?}"
        )));
    }
    operator.check_running()?;
    operator.kill9();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_cluster_it_names_the_address() -> Result {
    let plane = ControlPlane::shared().await?;
    let folder = plane.folder().join("nowhere");
    std::fs::create_dir_all(&folder)?;
    let kubeconfig = folder.join("kubeconfig");
    let text = json!({ "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": "http://127.0.0.1:1" } }],
        "users": [{ "name": "u", "user": {} }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }] });
    std::fs::write(&kubeconfig, text.to_string())?;
    let mut operator = Operator::start_unready(&kubeconfig, &[])?;
    says(&mut operator, &["127.0.0.1:1"]).await?;
    operator.check_running()?;
    operator.kill9();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_cannot_be_read_is_named_and_delays_nobody() -> Result {
    let stage = Stage::private("unreadable").await?;
    let outcome = async {
        // Somebody else's definition of the same kind, which lets any status through.
        let crds: kube::Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> =
            kube::Api::all(stage.client.clone());
        let name = "remediationrequests.remediation.kubernaut.ai";
        let loose = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": { "phase": { "type": "string" } } });
        let patch = json!([{ "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/status", "value": loose }]);
        let patch: kube::api::Patch<()> = kube::api::Patch::Json(serde_json::from_value(patch)?);
        crds.patch(name, &Default::default(), &patch).await?;
        stage.request_in("poisoned", "Processing").await?;
        let poison = async || stage.edit_status("poisoned", json!({ "startTime": { "not": "a time" } })).await.ok();
        until(DEADLINE, poison).await.ok_or_else(|| Failure::new("the status cannot be poisoned"))?;
        stage.request_in("healthy", "Completed").await?;
        let events: kube::Api<k8s_openapi::api::events::v1::Event> =
            kube::Api::namespaced(stage.client.clone(), &stage.namespace);
        let told = until(DEADLINE, async || {
            let all = events.list(&Default::default()).await.ok()?;
            all.items.iter().any(|event| {
                event.type_.as_deref() == Some("Warning")
                    && event.regarding.as_ref().is_some_and(|about| about.name.as_deref() == Some("poisoned"))
            }).then_some(())
        });
        told.await.ok_or_else(|| Failure::new("no Event about the status that cannot be read"))
    }
    .await;
    stage.close(outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_ends_at_once_with_every_error() -> Result {
    let plane = ControlPlane::shared().await?;
    let folder = plane.folder().join("wrong-configuration");
    std::fs::create_dir_all(&folder)?;
    let config = folder.join("config.yaml");
    std::fs::write(
        &config,
        "timeouts:\n  analyzing: soon\n  executing: -5m\nnotafield: 1\n",
    )?;
    let path = config.display().to_string();
    let mut operator =
        Operator::start_unready(&plane.kubeconfig(User::Admin), &["--config", &path])?;
    let end = operator.wait_for_end(Duration::from_secs(20)).await?;
    assert_eq!(end.code(), Some(2));
    says(
        &mut operator,
        &["timeouts.analyzing", "timeouts.executing", "notafield"],
    )
    .await
}
