//! The whole operator on the simulated API server, under paused time: real bytes, real watches, real calls.

use std::sync::Mutex;

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
use crate::kubernetes::crd;
use crate::simulation::api_server::{
    ApiServer, Intercept, Interceptor, Options, Refusal, RequestInfo, TokioClock,
};
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
        let crds = Api::all(client.clone());
        for definition in crd::all() {
            crds.create(&PostParams::default(), &definition)
                .await
                .unwrap();
        }
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
        self.reaches(name, Phase::Executing).await;
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

#[tokio::test(start_paused = true)]
async fn a_request_goes_through_all_its_phases_within_the_write_budget() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.go_through("web").await;
    let analysis = world
        .children(ChildKind::AIAnalysis)
        .get("web-aianalysis")
        .await
        .unwrap();
    assert_eq!(analysis.data["spec"]["enrichedData"]["owner"], "team-a");
    let owner = &analysis.metadata.owner_references.unwrap()[0];
    assert_eq!(
        (owner.controller, owner.block_owner_deletion),
        (Some(true), Some(true))
    );
    assert_eq!(owner.name, "web");
    let workflow = world
        .children(ChildKind::WorkflowExecution)
        .get("web-workflow")
        .await
        .unwrap();
    assert_eq!(
        workflow.data["spec"]["recommendations"][0]["parameters"]["replicas"],
        3
    );
    let told = world
        .children(ChildKind::NotificationRequest)
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(told.items.len(), 1);
    assert!(told.items[0].metadata.owner_references.is_none());
    let statuses = world.count("patch", "remediationrequests/status");
    assert!(statuses <= 5, "{statuses} status writes");
    for kind in ChildKind::ALL {
        assert_eq!(world.count("create", kind.plural()), 1, "{kind}");
    }
    let shown = operator.metrics.render();
    let transition = "phase_transitions_total{from=\"Executing\",to=\"Completed\"} 1";
    assert!(shown.contains(transition), "{shown}");
    assert!(shown.contains("status_update_conflicts_total 0"), "{shown}");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_live_while_nothing_fails() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.go_through("web").await;
    let shown = operator.metrics.render();
    let reads: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("verb=\"get\""))
        .collect();
    assert!(reads.is_empty(), "{reads:?}");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_acted_on_at_the_millisecond() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    let timeouts = Timeouts {
        processing: Some("90s".into()),
        ..Timeouts::default()
    };
    let spec = RequestSpec {
        timeouts: Some(timeouts),
        ..alert()
    };
    world.ask("slow", spec).await;
    let begun = world.reaches("slow", Phase::Processing).await;
    let failed = world.until("slow", "failed", Status::has_failed).await;
    let deadline = begun.phase_start_time.unwrap().moment() + SignedDuration::from_secs(90);
    assert_eq!(
        failed.failure_time.map(|time| time.moment()),
        Some(deadline)
    );
    world.reaches("slow", Phase::Failed).await;
    let shown = operator.metrics.render();
    assert!(shown.contains("phase_timeout_total 1"), "{shown}");
    assert!(
        shown.contains("deadline_lag_seconds_bucket{le=\"0.01\"} 1"),
        "{shown}"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_last_process_stopped() {
    let world = World::new().await;
    let first = world.operator(OperatorSettings::default());
    first.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    first.stop().await;
    let done = json!({ "phase": "Completed" });
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    let second = world.operator(OperatorSettings::default());
    world.reaches("web", Phase::Analyzing).await;
    assert_eq!(world.count("create", "remediationprocessings"), 1);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_read_is_skipped_and_said_and_the_others_go_on() {
    let world = World::new().await;
    world.ask("web", alert()).await;
    world.ask("odd", alert()).await;
    // As a newer version might write it: the schema lets any history through that this one cannot read.
    let odd = json!({ "status": { "startTime": "2026-03-01T12:00:00Z", "suspendedTotal": "99999999999h" } });
    world
        .raw_requests()
        .patch_status("odd", &PatchParams::default(), &Patch::Merge(odd))
        .await
        .unwrap();
    let operator = world.operator(OperatorSettings::default());
    world.reaches("web", Phase::Processing).await;
    let odd = world.raw_requests().get("odd").await.unwrap();
    assert_eq!(odd.data["status"]["phase"], Value::Null);
    assert!(
        operator
            .metrics
            .render()
            .contains("errors_total{category=\"C\"} 1")
    );
    for _ in 0..50 {
        if world.count("create", "events") == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.count("create", "events"), 1);
    operator.stop().await;
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

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_creation_creates_nothing_twice() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    let lost = Mutex::new(std::collections::BTreeSet::new());
    world.faults(move |request| {
        let first = request.verb == "create"
            && request.resource != "remediationrequests"
            && lost.lock().unwrap().insert(request.resource.clone());
        if first {
            Intercept::ApplyThenLose
        } else {
            Intercept::Pass
        }
    });
    world.ask("web", alert()).await;
    world.go_through("web").await;
    for kind in ChildKind::ALL {
        let all = world
            .children(kind)
            .list(&ListParams::default())
            .await
            .unwrap();
        assert_eq!(all.items.len(), 1, "{kind}");
    }
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_all_backoffs_when_the_watches_come_back() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    world.faults(|request| {
        // The controllers of the children still get through.
        let ours = request.verb != "patch" || request.resource == "remediationrequests";
        if ours {
            refusal(503, "ServiceUnavailable")
        } else {
            Intercept::Pass
        }
    });
    let done = json!({ "phase": "Completed" });
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.server.disconnect_watches();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.server.set_interceptor(None);
    let back = world.clock.now();
    world.reaches("web", Phase::Analyzing).await;
    let late = world.clock.now().duration_since(back);
    assert!(late <= SignedDuration::from_secs(10), "{late}");
    let shown = operator.metrics.render();
    assert!(
        shown.contains("watch_reconnections_total{kind=\"AIAnalysis\"} 1"),
        "{shown}"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_ordinary_end_of_a_watch_is_not_counted_and_loses_nothing() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    tokio::time::sleep(Duration::from_secs(700)).await;
    let done = json!({ "phase": "Completed" });
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    world.reaches("web", Phase::Analyzing).await;
    let shown = operator.metrics.render();
    assert!(!shown.contains("watch_reconnections_total{"), "{shown}");
    assert_eq!(world.count("list", "aianalyses"), 1);
    assert!(world.count("watch", "aianalyses") >= 3);
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_leads_to_a_new_list() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    let done = json!({ "phase": "Completed" });
    world.faults(|request| match request.verb.as_str() {
        "watch" => Intercept::Drop,
        _ => Intercept::Pass,
    });
    world.server.disconnect_watches();
    tokio::time::sleep(Duration::from_secs(3)).await;
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    world.server.compact();
    world.server.set_interceptor(None);
    world.reaches("web", Phase::Analyzing).await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_installed_does_not_hold_up_the_others() {
    let world = World::new().await;
    let crds: Api<DynamicObject> = Api::all_with(
        world.client.clone(),
        &kube::core::ApiResource::erase::<
            k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
        >(&()),
    );
    let name = "kubernetesexecutions.kubernetesexecution.kubernaut.ai";
    crds.delete(name, &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    operator.stop().await;
}

fn elected(identity: &str) -> OperatorSettings {
    OperatorSettings {
        lease: Some(LeaseSettings {
            namespace: "kube-system".into(),
            name: "remediation-orchestrator".into(),
            identity: identity.into(),
            timing: remediation_core::lease::LeaseTiming::default(),
        }),
        ..OperatorSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_at_once_from_a_leader_that_stops() {
    let world = World::new().await;
    let first = world.operator(elected("a"));
    first.synced().await;
    let second = world.operator(elected("b"));
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    assert!(!second.health.is_leading());
    assert!(
        second.health.unready().is_none(),
        "standing by is being ready"
    );
    first.stop().await;
    let stopped = world.clock.now();
    second.synced().await;
    let took = world.clock.now().duration_since(stopped);
    assert!(took <= SignedDuration::from_secs(2), "{took}");
    assert!(
        second
            .metrics
            .render()
            .contains("remediationorchestrator_leader 1")
    );
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_begins() {
    let world = World::new().await;
    let first = world.operator(elected("a"));
    first.synced().await;
    let second = world.operator(elected("b"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    // From now on the first one's renewals do not arrive; the second's do.
    world.faults(|request| {
        let renewal = request.resource == "leases" && request.verb == "update";
        let by_first = String::from_utf8_lossy(&request.body).contains("\"holderIdentity\":\"a\"");
        if renewal && by_first {
            Intercept::Drop
        } else {
            Intercept::Pass
        }
    });
    let cut = world.clock.now();
    let mut stopped_at = None;
    loop {
        if stopped_at.is_none() && !first.health.is_leading() {
            stopped_at = Some(world.clock.now());
        }
        if second.health.is_leading() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = world.clock.now().duration_since(cut);
    assert!(took <= SignedDuration::from_secs(13), "{took}");
    let stopped_at = stopped_at.expect("the first one stopped before the second began");
    assert!(stopped_at < world.clock.now());
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_is_survived_and_stays_with_its_request() {
    struct Panics(KubeCalls);
    impl Calls for Panics {
        fn call(
            &self,
            request: &remediation_core::request::Identity,
            call: &remediation_core::pass::Call,
        ) -> futures::future::BoxFuture<'static, remediation_core::pass::Outcome> {
            assert!(request.name != "poison", "made for the test");
            self.0.call(request, call)
        }
    }
    let world = World::new().await;
    let metrics = Metrics::new();
    let operator = Operator::new(
        world.client.clone(),
        world.clock.clone(),
        OperatorSettings::default(),
        metrics.clone(),
    )
    .with_calls(Arc::new(Panics(KubeCalls::new(world.client.clone()))));
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(operator.run(async {
        stopped.await.ok();
    }));
    world.ask("poison", alert()).await;
    world.ask("web", alert()).await;
    world.go_through("web").await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let shown = metrics.render();
    let line = shown
        .lines()
        .find(|line| line.contains("category=\"Panic\""))
        .unwrap();
    let panics: u32 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(
        (3..=8).contains(&panics),
        "with backoff: {panics} in two minutes"
    );
    stop.send(()).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn twenty_requests_at_once_all_complete_and_the_oldest_first() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    for n in 0..20 {
        world.ask(&format!("r{n:02}"), alert()).await;
    }
    for n in 0..20 {
        world.go_through(&format!("r{n:02}")).await;
    }
    assert_eq!(world.count("create", "notificationrequests"), 20);
    operator.stop().await;
}

/// All that the server was asked, in order, while ten remediations ran and some calls failed.
async fn trace() -> String {
    let world = World::new().await;
    let calls = std::sync::atomic::AtomicU64::new(0);
    world.faults(move |request| {
        let n = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let ours = request.verb == "create" && request.resource != "remediationrequests"
            || request.resource == "remediationrequests" && request.subresource.is_some();
        match n % 7 {
            0 if ours => Intercept::ApplyThenLose,
            3 if ours => refusal(500, "InternalError"),
            5 if ours => Intercept::Delay(Duration::from_millis(700)),
            _ => Intercept::Pass,
        }
    });
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    for n in 0..10 {
        world.ask(&format!("r{n}"), alert()).await;
    }
    for n in 0..10 {
        world.go_through(&format!("r{n}")).await;
    }
    operator.stop().await;
    format!("{:#?}", world.server.requests())
}

#[test]
fn the_same_run_twice_is_the_same_to_the_byte() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(trace())
    };
    let (first, second) = (run(), run());
    assert!(first.len() > 10_000, "something happened");
    assert!(first == second, "two runs differ");
}
