//! Lives of the real operator on the simulated API server, in virtual time, recorded write by write.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use remediation_adapters::clock::SteadyClock;
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_adapters::kubernetes::operator::{Operator, OperatorSettings};
use remediation_adapters::simulation::api_server::{
    self, ApiServer, CommitObserver, Options, TokioClock,
};
use remediation_adapters::simulation::children::{self, Children, Script, Scripts};
use remediation_adapters::simulation::install_definitions;
use remediation_adapters::simulation::promises::{Commit, Ending};
use remediation_adapters::telemetry::Metrics;
use remediation_core::kind::ChildKind;
use serde_json::{Value, json};

/// A history, and how the world was when it ended.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) commits: Vec<Commit>,
    pub(crate) ending: Ending,
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Commit>>);

impl CommitObserver for Recorder {
    fn committed(&self, write: api_server::Commit) {
        let kind = (&*write.group, &*write.plural);
        let commit = Commit::new(write.at, &write.client, kind, write.before, write.after);
        self.0.lock().unwrap().extend(commit);
    }
}

/// A cluster in which a life is played.
pub(crate) struct Cluster {
    client: kube::Client,
    recorder: Arc<Recorder>,
    start: Timestamp,
    began: tokio::time::Instant,
    _children: Children,
}

pub(crate) fn alert() -> Value {
    json!({ "signalFingerprint": "fp-1", "alertName": "HighLoad", "environment": "production" })
}

impl Cluster {
    async fn start(script: Script) -> Self {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Arc::new(TokioClock::starting_at(start));
        let server = ApiServer::new(Options::new(clock.clone(), 11));
        let client = server.client();
        install_definitions(&client).await.unwrap();
        server.spawn_garbage_collector(Duration::from_millis(500));
        let recorder = Arc::new(Recorder::default());
        server.set_commit_observer(Some(recorder.clone()));
        let children = Children::spawn(children::Options {
            client: client.clone(),
            namespace: None,
            clock,
            scripts: Scripts::all(script),
        });
        let named = tower::ServiceBuilder::new()
            .map_request(|mut request: http::Request<kube::client::Body>| {
                let name = http::HeaderValue::from_static("remediation-orchestrator/test");
                request.headers_mut().insert(http::header::USER_AGENT, name);
                request
            })
            .service(server.service());
        let operator = Operator::new(
            kube::Client::new(named, "default"),
            Arc::new(SteadyClock::starting_at(start)),
            OperatorSettings::default(),
            Metrics::new(),
        );
        tokio::spawn(operator.run(std::future::pending()));
        Self {
            client,
            recorder,
            start,
            began: tokio::time::Instant::now(),
            _children: children,
        }
    }

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::default_namespaced_with(self.client.clone(), resource)
    }

    pub(crate) fn requests(&self) -> Api<DynamicObject> {
        self.api(&request_resource())
    }

    pub(crate) fn children(&self, kind: ChildKind) -> Api<DynamicObject> {
        self.api(&api_resource(kind))
    }

    /// Creates the request `web`.
    pub(crate) async fn ask(&self, spec: Value) {
        let request = DynamicObject::new("web", &request_resource()).data(json!({ "spec": spec }));
        self.requests()
            .create(&PostParams::default(), &request)
            .await
            .unwrap();
    }

    /// Waits until the request is in this phase.
    pub(crate) async fn until(&self, phase: &str) {
        for _ in 0..40_000 {
            let request = self.requests().get_opt("web").await.unwrap();
            if request.is_some_and(|request| request.data["status"]["phase"] == phase) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {phase}");
    }

    pub(crate) async fn suspend(&self, suspend: bool) {
        let patch = Patch::Merge(json!({ "spec": { "suspend": suspend } }));
        self.requests()
            .patch("web", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub(crate) async fn edit_status(&self, status: Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.requests()
            .patch_status("web", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub(crate) async fn delete(&self, kind: ChildKind, name: &str) {
        let params = DeleteParams::background();
        self.children(kind).delete(name, &params).await.unwrap();
    }
}

/// Plays a life in virtual time, lets it settle for ten minutes, and returns what was written.
pub(crate) fn record(script: Script, play: impl AsyncFnOnce(&Cluster)) -> Recorded {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let cluster = Cluster::start(script).await;
        play(&cluster).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        let now = cluster.start + jiff::SignedDuration::try_from(cluster.began.elapsed()).unwrap();
        let commits = cluster.recorder.0.lock().unwrap().clone();
        assert!(
            commits.iter().any(|commit| commit.actor.is_ours()),
            "the operator wrote nothing"
        );
        Recorded {
            commits,
            ending: settled(now),
        }
    })
}

/// An end at which nothing excuses what is missing.
pub(crate) fn settled(now: Timestamp) -> Ending {
    Ending {
        now,
        skew: SignedDuration::ZERO,
        settled: true,
        refused: Default::default(),
        collected: true,
    }
}
