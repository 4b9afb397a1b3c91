//! The whole operator on the simulated API server, under paused time: real bytes, real watches, real calls.

mod determinism;
mod faults;
mod leadership;
mod lifecycle;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::request::{RequestSpec, Timeouts};
use remediation_core::status::Status;
use remediation_core::targeting::TargetingData;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::SteadyClock;
use crate::kubernetes::api::{self, RemediationRequest};
use crate::simulation::api_server::{
    ApiServer, Intercept, Interceptor, Options, Refusal, RequestInfo, TokioClock,
};
use crate::simulation::install_definitions;
use crate::telemetry::http::Probe;

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A cluster without controllers but the garbage collector, and what was started in it.
struct World {
    server: ApiServer,
    client: Client,
    clock: Arc<SteadyClock>,
}

struct Running {
    metrics: Metrics,
    health: Arc<Health>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl World {
    async fn new() -> Self {
        let server = ApiServer::new(Options::new(Arc::new(TokioClock::starting_at(start())), 7));
        let client = server.client();
        install_definitions(&client).await.unwrap();
        server.spawn_garbage_collector(Duration::from_secs(1));
        server.clear_requests();
        Self {
            server,
            client,
            clock: Arc::new(SteadyClock::starting_at(start())),
        }
    }

    fn operator(&self, settings: OperatorSettings) -> Running {
        let metrics = Metrics::new();
        let operator = Operator::new(
            self.client.clone(),
            self.clock.clone(),
            settings,
            metrics.clone(),
        );
        let health = operator.health();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(operator.run(async {
            stopped.await.ok();
        }));
        Running {
            metrics,
            health,
            stop: Some(stop),
            task,
        }
    }

    fn requests(&self) -> Api<RemediationRequest> {
        Api::default_namespaced_with(self.client.clone(), &api::request_resource())
    }

    fn raw_requests(&self) -> Api<DynamicObject> {
        Api::default_namespaced_with(self.client.clone(), &api::request_resource())
    }

    fn children(&self, kind: ChildKind) -> Api<DynamicObject> {
        Api::default_namespaced_with(self.client.clone(), &api::api_resource(kind))
    }

    async fn ask(&self, name: &str, spec: RequestSpec) {
        let request = RemediationRequest {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            ..RemediationRequest::new(name, &api::request_resource(), spec)
        };
        self.requests()
            .create(&PostParams::default(), &request)
            .await
            .unwrap();
    }

    async fn status(&self, name: &str) -> Status {
        let request = self.requests().get_opt(name).await.unwrap();
        request
            .and_then(|request| request.status)
            .unwrap_or_default()
    }

    /// Waits, at most an hour of virtual time, until a status fulfils this.
    async fn until(&self, name: &str, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        for _ in 0..36_000 {
            let status = self.status(name).await;
            if holds(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{name} never {what}: {:#?}", self.status(name).await);
    }

    async fn reaches(&self, name: &str, phase: Phase) -> Status {
        self.until(name, phase.name(), |status| {
            status.phase == Some(PhaseWord::Known(phase))
        })
        .await
    }

    async fn answer(&self, kind: ChildKind, name: &str, status: Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.children(kind)
            .patch_status(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Plays all children's controllers, successfully.
    async fn go_through(&self, name: &str) {
        self.reaches(name, Phase::Processing).await;
        let done = json!({ "phase": "Completed", "enrichedData": { "owner": "team-a" } });
        self.answer(
            ChildKind::RemediationProcessing,
            &format!("{name}-processing"),
            done,
        )
        .await;
        self.reaches(name, Phase::Analyzing).await;
        let ready = json!({ "phase": "Ready", "confidence": 0.9, "investigationResult": {
            "recommendations": [{ "action": "ScaleDeployment", "parameters": { "replicas": 3 } }] } });
        self.answer(ChildKind::AIAnalysis, &format!("{name}-aianalysis"), ready)
            .await;
        self.reaches(name, Phase::WorkflowPlanning).await;
        let plan = json!({ "phase": "Executing", "stepsTotal": 1, "plan": { "executedBy": "Orchestrator",
            "steps": [{ "name": "scale", "action": "ScaleDeployment" }] } });
        self.answer(
            ChildKind::WorkflowExecution,
            &format!("{name}-workflow"),
            plan,
        )
        .await;
        self.until(name, "named its step", |status| {
            !status.kubernetes_execution_refs.is_empty()
        })
        .await;
        let done = json!({ "phase": "Completed" });
        self.answer(
            ChildKind::KubernetesExecution,
            &format!("{name}-execution-scale"),
            done,
        )
        .await;
        let done = json!({ "phase": "Completed", "stepsCompleted": 1 });
        self.answer(
            ChildKind::WorkflowExecution,
            &format!("{name}-workflow"),
            done,
        )
        .await;
        self.reaches(name, Phase::Completed).await;
    }

    /// How many requests of this kind the server saw.
    fn count(&self, verb: &str, resource: &str) -> u64 {
        let key = (verb.to_owned(), resource.to_owned());
        self.server.request_counts().get(&key).copied().unwrap_or(0)
    }
}

impl Running {
    async fn synced(&self) {
        for _ in 0..600 {
            if self.health.is_synced() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never synced: {:?}", self.health.unready());
    }

    async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        self.task.await.unwrap();
    }
}

fn alert() -> RequestSpec {
    RequestSpec {
        targeting_data: Some(TargetingData {
            signal_fingerprint: "fp-1".into(),
            alert_name: "HighLoad".into(),
            environment: "production".into(),
            ..TargetingData::default()
        }),
        ..RequestSpec::default()
    }
}

/// Answers as it is told to.
type Rule = dyn Fn(&RequestInfo) -> Intercept + Send + Sync;
struct Faults(Box<Rule>);

impl Interceptor for Faults {
    fn before(&self, request: &RequestInfo) -> Intercept {
        (self.0)(request)
    }
}

impl World {
    fn faults(&self, rule: impl Fn(&RequestInfo) -> Intercept + Send + Sync + 'static) {
        self.server
            .set_interceptor(Some(Arc::new(Faults(Box::new(rule)))));
    }
}

fn refusal(code: u16, reason: &str) -> Intercept {
    Intercept::Refuse(Refusal {
        code,
        reason: reason.to_owned(),
        message: format!("{reason} (made for the test)"),
        retry_after: None,
    })
}
