//! The simulated child controllers on the simulated API server: they obey the child contract, and do what their
//! script says. The orchestrator's part is played by hand here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_adapters::simulation::api_server::{self, ApiServer, Clock, TokioClock};
use remediation_adapters::simulation::children::{
    Approval, Children, Decision, Options, Script, Scripts, Stage, Step,
};
use remediation_adapters::simulation::install_definitions;
use remediation_core::kind::ChildKind;
use remediation_core::time::GoDuration;
use serde_json::{Value, json};

const NAMESPACE: &str = "default";
const START: &str = "2026-03-01T12:00:00Z";

struct Cluster {
    client: Client,
    children: Children,
}

async fn cluster(script: Script) -> Cluster {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START.parse().unwrap()));
    let server = ApiServer::new(api_server::Options::new(Arc::clone(&clock), 1));
    let client = server.client();
    install_definitions(&client).await.unwrap();
    let children = Children::spawn(Options {
        client: client.clone(),
        namespace: None,
        clock,
        scripts: Scripts::all(script),
    });
    Cluster { client, children }
}

impl Cluster {
    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, resource)
    }

    async fn create(&self, resource: &ApiResource, value: Value) -> DynamicObject {
        let object = serde_json::from_value(value).unwrap();
        self.api(resource)
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    async fn request(&self) -> DynamicObject {
        let resource = request_resource();
        self.create(
            &resource,
            json!({
                "apiVersion": resource.api_version, "kind": resource.kind,
                "metadata": { "name": "web" },
                "spec": { "targetingData": targeting() },
            }),
        )
        .await
    }

    async fn child(
        &self,
        kind: ChildKind,
        name: &str,
        owner: &DynamicObject,
        spec: Value,
    ) -> DynamicObject {
        let resource = api_resource(kind);
        self.create(
            &resource,
            json!({
                "apiVersion": resource.api_version, "kind": resource.kind,
                "metadata": { "name": name, "ownerReferences": [{
                    "apiVersion": request_resource().api_version, "kind": "RemediationRequest",
                    "name": "web", "uid": owner.metadata.uid, "controller": true,
                }]},
                "spec": spec,
            }),
        )
        .await
    }

    /// Merges into the request's status (or into its spec).
    async fn patch_request(&self, patch: Value) {
        let api = self.api(&request_resource());
        let params = PatchParams::default();
        if patch.get("status").is_some() {
            api.patch_status("web", &params, &Patch::Merge(&patch))
                .await
                .unwrap();
        } else {
            api.patch("web", &params, &Patch::Merge(&patch))
                .await
                .unwrap();
        }
    }

    /// The phases that an object reports, in order, until this one.
    async fn phases_until(&self, kind: ChildKind, name: &str, last: &str) -> (Vec<String>, Value) {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = std::pin::pin!(watcher::watcher(self.api(&api_resource(kind)), config));
        let mut phases = Vec::new();
        loop {
            let event = tokio::time::timeout(Duration::from_secs(600), events.next());
            let event = event.await.expect("within ten minutes").unwrap().unwrap();
            let (watcher::Event::Apply(object) | watcher::Event::InitApply(object)) = event else {
                continue;
            };
            let Some(phase) = object.data["status"]["phase"].as_str() else {
                continue;
            };
            if phases.last().is_none_or(|last| last != phase) {
                phases.push(phase.to_owned());
            }
            if phase == last {
                return (phases, object.data["status"].clone());
            }
        }
    }

    async fn status(&self, kind: ChildKind, name: &str) -> Value {
        let object = self.api(&api_resource(kind)).get(name).await.unwrap();
        object.data.get("status").cloned().unwrap_or_default()
    }
}

fn targeting() -> Value {
    json!({ "signalFingerprint": "fp", "alertName": "HighMemoryUsage", "environment": "production" })
}

fn workflow_spec(not_after: &str) -> Value {
    json!({ "targetingData": targeting(), "recommendations": [{ "action": "RestartPod" }], "notAfter": not_after })
}

fn step_spec(step: &str) -> Value {
    json!({ "step": step, "action": "RestartPod", "notAfter": "2026-03-01T13:00:00Z" })
}

/// Long enough for anything that would happen to have happened; time is paused, so it costs nothing.
async fn let_time_pass() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn processing_completes_with_enriched_data_after_the_scripted_time() {
    let cluster = cluster(Script {
        processing: Stage {
            first_word: Some("Queued".into()),
            ..Stage::lasting(Duration::from_secs(4))
        },
        ..Script::default()
    })
    .await;
    let request = cluster.request().await;
    let began = tokio::time::Instant::now();
    cluster
        .child(
            ChildKind::RemediationProcessing,
            "web-processing",
            &request,
            json!({ "targetingData": targeting() }),
        )
        .await;
    let (phases, status) = cluster
        .phases_until(
            ChildKind::RemediationProcessing,
            "web-processing",
            "Completed",
        )
        .await;
    assert_eq!(phases.last().unwrap(), "Completed");
    assert_eq!(status["enrichedData"]["owner"], "team-platform");
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejected_approval_ends_the_analysis() {
    let cluster = cluster(Script {
        approval: Some(Approval {
            after: GoDuration::from_secs(5),
            decision: Decision::Rejected,
        }),
        ..Script::default()
    })
    .await;
    let request = cluster.request().await;
    let spec = json!({ "targetingData": targeting(), "enrichedData": {}, "attempt": 1 });
    cluster
        .child(ChildKind::AIAnalysis, "web-aianalysis", &request, spec)
        .await;
    let (phases, status) = cluster
        .phases_until(ChildKind::AIAnalysis, "web-aianalysis", "Rejected")
        .await;
    assert!(phases.contains(&"Approving".to_owned()), "{phases:?}");
    assert_eq!(status["approval"]["decision"], "Rejected");
    assert_eq!(status["approval"]["required"], true);
}

#[tokio::test(start_paused = true)]
async fn a_failure_tells_its_reason() {
    let cluster = cluster(Script {
        analysis: Stage::failing(Duration::from_secs(1), "ModelUnavailable", "no answer"),
        ..Script::default()
    })
    .await;
    let request = cluster.request().await;
    let spec = json!({ "targetingData": targeting(), "attempt": 1 });
    cluster
        .child(ChildKind::AIAnalysis, "web-aianalysis", &request, spec)
        .await;
    let (_, status) = cluster
        .phases_until(ChildKind::AIAnalysis, "web-aianalysis", "Failed")
        .await;
    assert_eq!(
        (&status["reason"], &status["message"]),
        (&json!("ModelUnavailable"), &json!("no answer"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_executor_waits_until_status_names_it_and_the_request_is_not_suspended() {
    let cluster = cluster(Script::default()).await;
    let request = cluster.request().await;
    let spec = workflow_spec("2026-03-01T13:00:00Z");
    let workflow = cluster
        .child(ChildKind::WorkflowExecution, "web-workflow", &request, spec)
        .await;
    let_time_pass().await;
    assert_eq!(
        cluster
            .status(ChildKind::WorkflowExecution, "web-workflow")
            .await,
        Value::Null
    );
    assert_eq!(cluster.children.started(), []);

    cluster
        .patch_request(json!({ "spec": { "suspend": true } }))
        .await;
    cluster
        .patch_request(json!({ "status": {
            "phase": "WorkflowPlanning",
            "workflowExecutionRef": { "name": "web-workflow", "uid": workflow.metadata.uid },
        }}))
        .await;
    let_time_pass().await;
    assert_eq!(cluster.children.started(), [], "suspended");

    cluster
        .patch_request(json!({ "spec": { "suspend": false } }))
        .await;
    cluster
        .phases_until(ChildKind::WorkflowExecution, "web-workflow", "Completed")
        .await;
    let started = cluster.children.started();
    assert_eq!(started.len(), 1);
    assert_eq!(Some(&started[0].uid), workflow.metadata.uid.as_ref());
}

#[tokio::test(start_paused = true)]
async fn an_executor_that_comes_too_late_never_starts() {
    let cluster = cluster(Script::default()).await;
    let request = cluster.request().await;
    let spec = workflow_spec("2026-03-01T11:59:59Z");
    let workflow = cluster
        .child(ChildKind::WorkflowExecution, "web-workflow", &request, spec)
        .await;
    cluster
        .patch_request(json!({ "status": {
            "phase": "WorkflowPlanning",
            "workflowExecutionRef": { "name": "web-workflow", "uid": workflow.metadata.uid },
        }}))
        .await;
    let_time_pass().await;
    assert_eq!(cluster.children.started(), []);
}

#[tokio::test(start_paused = true)]
async fn a_workflow_counts_the_steps_that_the_orchestrator_runs() {
    let cluster = cluster(Script {
        executed_by_orchestrator: true,
        steps: ["cordon", "drain"]
            .map(|name| Step {
                name: name.into(),
                action: "RestartPod".into(),
                stage: Stage::lasting(Duration::from_secs(1)),
                ..Step::default()
            })
            .to_vec(),
        ..Script::default()
    })
    .await;
    let request = cluster.request().await;
    let spec = workflow_spec("2026-03-01T13:00:00Z");
    let workflow = cluster
        .child(ChildKind::WorkflowExecution, "web-workflow", &request, spec)
        .await;
    let mut named = Vec::new();
    for step in ["cordon", "drain"] {
        let name = format!("web-execution-{step}");
        let child = cluster
            .child(
                ChildKind::KubernetesExecution,
                &name,
                &request,
                step_spec(step),
            )
            .await;
        named.push(json!({ "step": step, "name": name, "uid": child.metadata.uid }));
    }
    cluster
        .patch_request(json!({ "status": {
            "phase": "Executing",
            "workflowExecutionRef": { "name": "web-workflow", "uid": workflow.metadata.uid },
            "kubernetesExecutionRefs": named,
        }}))
        .await;
    let (_, status) = cluster
        .phases_until(ChildKind::WorkflowExecution, "web-workflow", "Completed")
        .await;
    assert_eq!(
        (&status["stepsTotal"], &status["stepsCompleted"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(status["plan"]["executedBy"], "Orchestrator");
    let step = cluster
        .status(ChildKind::KubernetesExecution, "web-execution-drain")
        .await;
    assert_eq!(step["phase"], "Completed");
    assert!(step["startTime"].as_str().unwrap() < step["completionTime"].as_str().unwrap());
    assert_eq!(cluster.children.started().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn notifications_are_delivered_to_each_channel() {
    let cluster = cluster(Script::default()).await;
    let resource = api_resource(ChildKind::NotificationRequest);
    cluster
        .create(
            &resource,
            json!({
                "apiVersion": resource.api_version, "kind": resource.kind, "metadata": { "name": "note" },
                "spec": { "type": "escalation", "priority": "high", "channels": ["slack", "email"],
                          "subject": "s", "body": "b", "metadata": {} },
            }),
        )
        .await;
    let (_, status) = cluster
        .phases_until(ChildKind::NotificationRequest, "note", "Sent")
        .await;
    let channels: Vec<&Value> = status["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| &delivery["channel"])
        .collect();
    assert_eq!(channels, ["slack", "email"]);
}
