//! The anchor: a client that makes the writes of a remediation one after another, word for word as they were recorded,
//! without deciding anything, while it holds the watches that the operator and the child controllers hold.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::StreamExt;
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use kube::runtime::watcher;
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_adapters::simulation::api_server::RequestInfo;
use remediation_core::kind::ChildKind;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::figures::Usage;
use crate::harness::{ControlPlane, Failure, Result, User};
use crate::in_process::{NAMESPACE, REQUEST, Write};

/// Makes these writes for this many remediations and returns remediations a second.
pub(crate) async fn run(
    plane: &ControlPlane,
    writes: &[Write],
    count: usize,
    concurrency: usize,
) -> Result<f64> {
    let namespace = plane.namespace("bare").await?;
    let client = plane.client_named(User::Admin, "bare-loop").await?;
    let mut watches = JoinSet::new();
    for resource in watched() {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
        watches.spawn(watcher::watcher(api, watcher::Config::default()).for_each(|_| async {}));
    }
    let usage = Usage::begin(
        [("bare loop", std::process::id())]
            .into_iter()
            .chain(plane.processes()),
    );
    let begin = Instant::now();
    let lives = futures::stream::iter(0..count)
        .map(|number| one(&client, &namespace, format!("bare-{number:05}"), writes))
        .buffer_unordered(concurrency)
        .collect::<Vec<Result>>();
    for life in lives.await {
        life?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let (rate, each) = (count as f64 / seconds, writes.len() as f64);
    println!(
        "bare loop: {count} remediations of {each} writes in {seconds:.1} s: {rate:.1} remediations/s, {:.0} writes/s",
        rate * each
    );
    println!("CPU for one: {}", usage.each(count));
    Ok(rate)
}

/// One watch for each that the operator, the child controllers and the gateway hold.
fn watched() -> Vec<ApiResource> {
    let requests = [request_resource(), request_resource(), request_resource()];
    let both = ChildKind::ALL
        .into_iter()
        .flat_map(|kind| match kind {
            ChildKind::NotificationRequest => vec![kind],
            ChildKind::RemediationProcessing
            | ChildKind::AIAnalysis
            | ChildKind::WorkflowExecution
            | ChildKind::KubernetesExecution => vec![kind, kind],
        })
        .map(api_resource);
    requests.into_iter().chain(both).collect()
}

/// One remediation: what the API server chose for the recorded one is replaced by what it chose for this one.
async fn one(client: &kube::Client, namespace: &str, name: String, writes: &[Write]) -> Result {
    let recorded_uid = writes
        .iter()
        .find_map(|write| owner_uid(&write.request))
        .ok_or_else(|| Failure::new("no recorded write names its owner"))?;
    let mut uid = recorded_uid.clone();
    let mut versions: BTreeMap<String, Value> = BTreeMap::new();
    for Write { request, .. } in writes {
        let renew = |text: &str| {
            text.replace(REQUEST, &name)
                .replace(NAMESPACE, namespace)
                .replace(&recorded_uid, &uid)
        };
        let path = renew(&path(request));
        let mut body: Value =
            serde_json::from_str(&renew(&String::from_utf8_lossy(&request.body)))?;
        if let (Some(version), Some(known)) = (
            body.pointer_mut("/metadata/resourceVersion"),
            versions.get(object(&path)),
        ) {
            *version = known.clone();
        }
        let (method, content) = match request.verb.as_str() {
            "create" => ("POST", "application/json"),
            _ => ("PATCH", "application/merge-patch+json"),
        };
        let call = http::Request::builder()
            .method(method)
            .uri(&path)
            .header(http::header::CONTENT_TYPE, content)
            .body(body.to_string().into_bytes())
            .map_err(|error| Failure::new(error.to_string()))?;
        let answer: Value = client.request(call).await?;
        if answer["kind"] == "RemediationRequest"
            && let Some(given) = answer["metadata"]["uid"].as_str()
        {
            given.clone_into(&mut uid);
        }
        let made = answer["metadata"]["name"].as_str().unwrap_or_default();
        let key = if method == "POST" {
            format!("{path}/{made}")
        } else {
            object(&path).to_owned()
        };
        versions.insert(key, answer["metadata"]["resourceVersion"].clone());
    }
    Ok(())
}

/// The path without its subresource.
fn object(path: &str) -> &str {
    path.strip_suffix("/status").unwrap_or(path)
}

fn owner_uid(request: &RequestInfo) -> Option<String> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    let uid = body.pointer("/metadata/ownerReferences/0/uid")?.as_str()?;
    Some(uid.to_owned())
}

fn path(request: &RequestInfo) -> String {
    let RequestInfo {
        group,
        resource,
        subresource,
        name,
        ..
    } = request;
    let version = if group == "events.k8s.io" {
        "v1"
    } else {
        "v1alpha1"
    };
    let mut path = format!("/apis/{group}/{version}/namespaces/{NAMESPACE}/{resource}");
    for part in [name, subresource].into_iter().flatten() {
        path = format!("{path}/{part}");
    }
    path
}
