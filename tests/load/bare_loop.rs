//! The anchor: a client that makes the writes of a remediation one after another, without deciding anything, while
//! it holds the watches that the operator and the child controllers hold.

use std::time::Instant;

use futures::StreamExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::runtime::watcher;
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_core::kind::ChildKind;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{ControlPlane, Result, User};

/// Writes of one remediation with one step: the request, four children and their results, five statuses of the
/// request, the success notification.
const WRITES: usize = 16;

/// Makes the writes of this many remediations and returns remediations a second.
pub(crate) async fn run(plane: &ControlPlane, count: usize, concurrency: usize) -> Result<f64> {
    let namespace = plane.namespace("bare").await?;
    let client = plane.client_named(User::Admin, "bare-loop").await?;
    let mut watches = JoinSet::new();
    let kinds = ChildKind::ALL.map(api_resource);
    for resource in kinds.iter().chain([&request_resource()]) {
        // The operator and the child controllers each hold one of every kind.
        for _ in 0..2 {
            let api: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), &namespace, resource);
            watches.spawn(watcher(api, watcher::Config::default()).for_each(|_| async {}));
        }
    }
    let begin = Instant::now();
    let lives = futures::stream::iter(0..count)
        .map(|number| one(&client, &namespace, format!("bare-{number}")))
        .buffer_unordered(concurrency)
        .collect::<Vec<Result>>();
    for life in lives.await {
        life?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let rate = count as f64 / seconds;
    println!(
        "bare loop: {count} remediations of {WRITES} writes in {seconds:.1} s: {rate:.1} remediations/s, {:.0} writes/s",
        rate * 16.0
    );
    Ok(rate)
}

async fn one(client: &kube::Client, namespace: &str, name: String) -> Result {
    let data = json!({ "signalFingerprint": name, "alertName": "HighMemoryUsage", "environment": "production" });
    let (request, [processing, analysis, workflow, execution, notification]) =
        (request_resource(), ChildKind::ALL.map(api_resource));
    let later = "2099-01-01T00:00:00.000Z";
    let write = async |resource: &ApiResource, spec: Value| -> Result {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
        let object = DynamicObject::new(&name, resource).data(json!({ "spec": spec }));
        api.create(&PostParams::default(), &object).await?;
        Ok(())
    };
    let status = async |resource: &ApiResource, status: Value| -> Result {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
        let patch = Patch::Merge(json!({ "status": status }));
        api.patch_status(&name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    };
    write(&request, json!({ "targetingData": data })).await?;
    write(&processing, json!({ "targetingData": data })).await?;
    status(
        &request,
        json!({ "phase": "Processing", "message": "m".repeat(600) }),
    )
    .await?;
    status(&processing, json!({ "phase": "Completed" })).await?;
    write(&analysis, json!({ "targetingData": data, "attempt": 1 })).await?;
    status(&request, json!({ "phase": "Analyzing" })).await?;
    status(&analysis, json!({ "phase": "Ready" })).await?;
    write(
        &workflow,
        json!({ "targetingData": data, "recommendations": [], "notAfter": later }),
    )
    .await?;
    status(&request, json!({ "phase": "WorkflowPlanning" })).await?;
    status(&workflow, json!({ "phase": "Executing" })).await?;
    write(
        &execution,
        json!({ "step": "a", "action": "Scale", "notAfter": later }),
    )
    .await?;
    status(&request, json!({ "phase": "Executing" })).await?;
    status(&execution, json!({ "phase": "Completed" })).await?;
    status(&workflow, json!({ "phase": "Completed" })).await?;
    write(
        &notification,
        json!({ "type": "success", "priority": "low", "channels": ["slack"], "subject": "s", "body": "b", "metadata": {} }),
    )
    .await?;
    status(&request, json!({ "phase": "Completed" })).await
}
