//! A stage for one scenario: an API server, the operator that watches it, and a namespace of its own. The scenario
//! plays the gateway and the child controllers through the stage's client.
//!
//! Every scenario is written once and runs on two backends: the real binary on a real kube-apiserver, and the same
//! operator in this process on the simulated API server. [`on_both_backends!`] makes the two tests.

mod judge;
mod real;
mod simulated;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_core::kind::ChildKind;
use serde_json::{Value, json};

use crate::harness::{
    ControlPlane, DEADLINE, Failure, Result, eventually, eventually_gone, eventually_list, until,
};
use judge::{Conduct, Record};

/// Makes two tests of one scenario, an `async fn(&mut Stage) -> Result`.
macro_rules! on_both_backends {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_a_real_api_server() -> crate::harness::Result {
                let mut stage = crate::stage::Stage::real(stringify!($scenario)).await?;
                let outcome = super::$scenario(&mut stage).await;
                stage.close(outcome).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_the_simulated_api_server() -> crate::harness::Result {
                let mut stage = crate::stage::Stage::simulated(stringify!($scenario)).await?;
                let outcome = super::$scenario(&mut stage).await;
                stage.close(outcome).await
            }
        }
    )+};
}
pub(crate) use on_both_backends;

/// An API server, an operator, and a namespace of its own.
pub(crate) struct Stage {
    /// Plays everybody but the operator.
    pub(crate) client: Client,
    /// The scenario's own namespace.
    pub(crate) namespace: String,
    backend: Backend,
    conduct: Conduct,
    /// When the operator was killed, or the API server was away.
    disturbed: Mutex<Vec<Timestamp>>,
}

enum Backend {
    Real(real::Real),
    Simulated(simulated::Simulated),
}

pub(crate) const RPROC: ChildKind = ChildKind::RemediationProcessing;
pub(crate) const AIA: ChildKind = ChildKind::AIAnalysis;
pub(crate) const WFE: ChildKind = ChildKind::WorkflowExecution;
pub(crate) const KEXEC: ChildKind = ChildKind::KubernetesExecution;
pub(crate) const NOTIF: ChildKind = ChildKind::NotificationRequest;

/// The phases in which a child is waited for, with its kind and the end of its name.
pub(crate) const STAGES: [(&str, ChildKind, &str); 4] = [
    ("Processing", RPROC, "processing"),
    ("Analyzing", AIA, "aianalysis"),
    ("WorkflowPlanning", WFE, "workflow"),
    ("Executing", WFE, "workflow"),
];

/// The targeting data of an ordinary alert.
pub(crate) fn alert() -> Value {
    json!({
        "signalFingerprint": "test-fingerprint-001",
        "alertName": "HighPodCrashLoop",
        "environment": "production",
        "clusterName": "prod-us-west-2",
    })
}

/// The status of an analysis that is ready with one recommendation.
pub(crate) fn ready() -> Value {
    json!({ "phase": "Ready", "confidence": 0.95, "investigationResult": {
        "recommendations": [{ "action": "ScaleDeployment", "description": "Scale deployment to 3 replicas" }] } })
}

impl Stage {
    /// The real binary on the shared real control plane.
    pub(crate) async fn real(scenario: &str) -> Result<Self> {
        let plane = real::Plane::Shared(ControlPlane::shared().await?);
        Self::real_on(plane, scenario).await
    }

    /// The real binary on a real control plane of its own, whose API server the scenario may stop.
    pub(crate) async fn private(scenario: &str) -> Result<Self> {
        let crds = remediation_adapters::kubernetes::crd::all();
        let plane = Box::new(ControlPlane::start(&crds).await?);
        Self::real_on(real::Plane::Own(plane), scenario).await
    }

    async fn real_on(plane: real::Plane, scenario: &str) -> Result<Self> {
        let (real, client, namespace) = real::Real::start(plane, scenario).await?;
        Ok(Self::new(client, namespace, Backend::Real(real)))
    }

    /// The real control plane that the scenario runs on.
    pub(crate) fn plane(&self) -> Result<&ControlPlane> {
        match &self.backend {
            Backend::Real(real) => Ok(real.plane()),
            Backend::Simulated(_) => {
                Err(Failure::new("this scenario runs on a simulated API server"))
            }
        }
    }

    /// The operator in this process, on a simulated API server of its own.
    pub(crate) async fn simulated(scenario: &str) -> Result<Self> {
        let (simulated, client, namespace) = simulated::Simulated::start(scenario).await?;
        Ok(Self::new(client, namespace, Backend::Simulated(simulated)))
    }

    fn new(client: Client, namespace: String, backend: Backend) -> Self {
        Self {
            client,
            namespace,
            backend,
            conduct: Conduct::default(),
            disturbed: Mutex::default(),
        }
    }

    /// Ends the stage; a failed scenario's error, or a promise that was broken in it, is shown with what the operator did.
    pub(crate) async fn close(self, outcome: Result) -> Result {
        let outcome = match outcome {
            Ok(()) if self.is_running() => self.come_to_rest().await,
            Ok(()) => self.record().and_then(|record| record.judge(&self.conduct)),
            Err(failure) => Err(failure),
        };
        let told = match self.backend {
            Backend::Real(real) => real.close().await,
            Backend::Simulated(simulated) => simulated.close().await,
        };
        outcome.map_err(|failure| Failure::new(format!("{failure:?}\n{told}")))
    }

    /// Waits until the operator has done all that is due and nothing is written any more. An error names each promise that was
    /// broken, and what is left undone.
    pub(crate) async fn come_to_rest(&self) -> Result {
        let mut left = Ok(());
        let rested = until(DEADLINE, async || {
            let record = match self.record() {
                Ok(record) => record,
                Err(failure) => return Some(Err(failure)),
            };
            if !record.is_quiet() {
                left = Err(Failure::new("writes go on"));
                return None;
            }
            if let Err(broken) = record.judge(&self.conduct) {
                return Some(Err(broken));
            }
            left = record.judge_at_rest(&self.conduct);
            left.is_ok().then_some(Ok(()))
        });
        rested
            .await
            .unwrap_or_else(|| left.and(Err(Failure::new("no rest"))))
    }

    fn record(&self) -> Result<Record> {
        let mut record = match &self.backend {
            Backend::Real(real) => real.record(&self.namespace)?,
            Backend::Simulated(simulated) => simulated.record(),
        };
        let disturbed = self
            .disturbed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        record.faults.extend(disturbed.iter());
        Ok(record)
    }

    /// Something was done to the operator that it may need time, and more writes, to recover from.
    pub(crate) fn disturb(&self) {
        let mut disturbed = self
            .disturbed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        disturbed.push(Timestamp::now());
    }

    /// In this scenario the operator has nothing to write: without this, one that writes nothing fails.
    pub(crate) fn expect_idle(&mut self) {
        self.conduct.idle = true;
    }

    /// In this scenario executors begin before status names them, against the child contract.
    pub(crate) fn expect_haste(&mut self) {
        self.conduct.hasty = true;
    }

    fn is_running(&self) -> bool {
        match &self.backend {
            Backend::Real(real) => real.is_running(),
            Backend::Simulated(simulated) => simulated.is_running(),
        }
    }

    /// Kills the operator without warning.
    pub(crate) async fn kill_operator(&mut self) -> Result {
        self.disturb();
        match &mut self.backend {
            Backend::Real(real) => real.kill(),
            Backend::Simulated(simulated) => simulated.kill().await,
        }
        Ok(())
    }

    /// Starts an operator again.
    pub(crate) async fn start_operator(&mut self) -> Result {
        match &mut self.backend {
            Backend::Real(real) => real.start_operator(&self.namespace).await,
            Backend::Simulated(simulated) => simulated.start_operator(&self.namespace).await,
        }
    }

    /// The sum of a metric of the operator over all series that carry these labels (`name="value"`).
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        match &self.backend {
            Backend::Real(real) => real.metric(name, labels).await,
            Backend::Simulated(simulated) => simulated.metric(name, labels),
        }
    }

    /// How the operator's writes to the status of this request were answered, in their order.
    pub(crate) async fn status_writes(&self, request: &str) -> Result<Vec<u16>> {
        match &self.backend {
            Backend::Real(real) => real.status_writes(&self.namespace, request).await,
            Backend::Simulated(simulated) => Ok(simulated.status_writes(request)),
        }
    }

    /// The requests.
    pub(crate) fn requests(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &request_resource())
    }

    /// The children of this kind.
    pub(crate) fn children(&self, kind: ChildKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &api_resource(kind))
    }

    /// Creates a request for an ordinary alert.
    pub(crate) async fn request(&self, name: &str) -> Result<DynamicObject> {
        self.request_with(name, json!({ "targetingData": alert() }))
            .await
    }

    /// Creates a request with this spec.
    pub(crate) async fn request_with(&self, name: &str, spec: Value) -> Result<DynamicObject> {
        let object = DynamicObject::new(name, &request_resource()).data(json!({ "spec": spec }));
        Ok(self
            .requests()
            .create(&PostParams::default(), &object)
            .await?)
    }

    /// Waits until the request is in this phase.
    pub(crate) async fn until_phase(&self, name: &str, phase: &str) -> Result<DynamicObject> {
        self.until(name, &format!("phase {phase}"), |status| {
            status["phase"] == phase
        })
        .await
    }

    /// Waits until this holds for the request's status.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<DynamicObject> {
        eventually(&self.requests(), name, what, DEADLINE, |object| {
            holds(&object.data["status"])
        })
        .await
    }

    /// Waits until a child of this name exists.
    pub(crate) async fn child(&self, kind: ChildKind, name: &str) -> Result<DynamicObject> {
        let what = format!("{kind} {name} exists");
        eventually(&self.children(kind), name, &what, DEADLINE, |_| true).await
    }

    /// Waits until there are this many children of a kind in the namespace, and returns them by name.
    pub(crate) async fn count(&self, kind: ChildKind, count: usize) -> Result<Vec<DynamicObject>> {
        let what = format!("{count} of {kind}");
        let all = watcher::Config::default();
        eventually_list(&self.children(kind), all, &what, DEADLINE, |objects| {
            objects.len() == count
        })
        .await
    }

    /// How many children of a kind there are now.
    pub(crate) async fn count_now(&self, kind: ChildKind) -> Result<usize> {
        Ok(self
            .children(kind)
            .list(&ListParams::default())
            .await?
            .items
            .len())
    }

    /// Writes the status of a child, as its controller would. An executor begins once status names its execution.
    pub(crate) async fn says(&self, kind: ChildKind, name: &str, status: Value) -> Result {
        let begins = status["phase"]
            .as_str()
            .is_some_and(|phase| !["", "Pending", "Failed"].contains(&phase));
        if begins && kind.executes() && !self.conduct.hasty {
            self.until_named(kind, name).await?;
        }
        let patch = Patch::Merge(json!({ "status": status }));
        let params = PatchParams::default();
        self.children(kind)
            .patch_status(name, &params, &patch)
            .await?;
        Ok(())
    }

    async fn until_named(&self, kind: ChildKind, name: &str) -> Result {
        let child = self.child(kind, name).await?;
        let (uid, owners) = (child.uid().unwrap_or_default(), child.owner_references());
        if let Some(owner) = owners.first() {
            let what = format!("{kind} {name} is named");
            self.until(&owner.name, &what, |status| {
                status.to_string().contains(&uid)
            })
            .await?;
        }
        Ok(())
    }

    /// Changes the status of a request by hand.
    pub(crate) async fn edit_status(&self, name: &str, status: Value) -> Result {
        let patch = Patch::Merge(json!({ "status": status }));
        self.requests()
            .patch_status(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Suspends or resumes a request.
    pub(crate) async fn suspend(&self, name: &str, suspend: bool) -> Result {
        let patch = Patch::Merge(json!({ "spec": { "suspend": suspend } }));
        self.requests()
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Deletes a child.
    pub(crate) async fn delete_child(&self, kind: ChildKind, name: &str) -> Result {
        self.children(kind)
            .delete(name, &DeleteParams::background())
            .await?;
        Ok(())
    }

    /// Deletes a request and waits until it is gone.
    pub(crate) async fn delete_request(&self, name: &str, params: &DeleteParams) -> Result {
        self.requests().delete(name, params).await?;
        eventually_gone(&self.requests(), name, DEADLINE).await
    }

    /// Creates a request with short limits, in milliseconds, for those of its phases that are named.
    pub(crate) async fn request_within(
        &self,
        name: &str,
        timeouts: Value,
    ) -> Result<DynamicObject> {
        self.request_with(
            name,
            json!({ "targetingData": alert(), "timeouts": timeouts }),
        )
        .await
    }

    /// Creates a request and takes it to this phase the ordinary way.
    pub(crate) async fn request_in(&self, name: &str, phase: &str) -> Result<DynamicObject> {
        self.request(name).await?;
        self.take_to(name, phase).await
    }

    /// Takes an existing request to this phase the ordinary way.
    pub(crate) async fn take_to(&self, name: &str, phase: &str) -> Result<DynamicObject> {
        let results = [
            json!({ "phase": "Completed" }),
            ready(),
            json!({ "phase": "Executing" }),
            json!({ "phase": "Completed" }),
        ];
        for (step, ((stage, kind, suffix), status)) in STAGES.into_iter().zip(results).enumerate() {
            // Where the request already is further, this child has had its say.
            let request = self
                .until(name, &format!("phase {stage} or later"), |status| {
                    let phase = status["phase"].as_str().unwrap_or_default();
                    STAGES[step..].iter().any(|(later, ..)| *later == phase)
                        || ["Completed", "Failed"].contains(&phase)
                })
                .await?;
            let now = request.data["status"]["phase"].clone();
            if now == phase {
                return Ok(request);
            }
            if now == stage {
                self.says(kind, &format!("{name}-{suffix}"), status).await?;
            }
        }
        self.until_phase(name, phase).await
    }

    /// The one notification of this type about a request of this name.
    pub(crate) async fn notification(
        &self,
        request: &str,
        occasion: &str,
    ) -> Result<DynamicObject> {
        let all = watcher::Config::default();
        let fits = |object: &DynamicObject| {
            object
                .name_any()
                .starts_with(&format!("{request}-{occasion}-"))
                && object.data["spec"]["type"] == occasion
        };
        let api = self.children(ChildKind::NotificationRequest);
        let what = format!("one {occasion} for {request}");
        let found = eventually_list(&api, all, &what, DEADLINE, |objects| {
            objects.iter().filter(|object| fits(object)).count() == 1
        })
        .await?;
        let one = found.into_iter().find(|object| fits(object));
        one.ok_or_else(|| Failure::new(what))
    }
}

/// Long enough for something that must not happen to show itself, where no event tells that it will not.
pub(crate) const QUIET: Duration = Duration::from_millis(400);
