//! The operator in this process, on a simulated API server of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use remediation_adapters::clock;
use remediation_adapters::kubernetes::operator::{Operator, OperatorSettings};
use remediation_adapters::simulation::api_server::{
    ApiServer, Options, RequestOutcome, RequestRecord, ResponseBody, SystemClock,
};
use remediation_adapters::simulation::install_definitions;
use remediation_adapters::telemetry::Metrics;
use tokio::task::JoinHandle;

use super::judge::{Record, Recorder};
use crate::harness::{DEADLINE, Failure, Result, sum_of, until};

/// What the operator is called there, as on a real one.
const USER_AGENT: &str = "remediation-orchestrator/test";

pub(super) struct Simulated {
    server: ApiServer,
    operator: Option<JoinHandle<()>>,
    metrics: Metrics,
    garbage: JoinHandle<()>,
    recorder: Arc<Recorder>,
    /// When the operator was refused a call.
    refused: Arc<Mutex<Vec<Timestamp>>>,
}

impl Simulated {
    pub(super) async fn start(scenario: &str) -> Result<(Self, Client, String)> {
        let server = ApiServer::new(Options::new(Arc::new(SystemClock), 1));
        let client = server.client();
        install_definitions(&client).await?;
        let namespace = scenario
            .replace('_', "-")
            .chars()
            .take(40)
            .collect::<String>();
        let namespace = namespace.trim_end_matches('-').to_owned();
        let mut object = Namespace::default();
        object.metadata.name = Some(namespace.clone());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = namespaces
            .create(&PostParams::default(), &object)
            .await?
            .name_any();
        let recorder = Arc::new(Recorder::default());
        server.set_commit_observer(Some(recorder.clone()));
        let garbage = server.spawn_garbage_collector(Duration::from_millis(20));
        let mut simulated = Self {
            server,
            operator: None,
            metrics: Metrics::new(),
            garbage,
            recorder,
            refused: Arc::default(),
        };
        simulated.start_operator(&namespace).await?;
        Ok((simulated, client, namespace))
    }

    pub(super) async fn start_operator(&mut self, namespace: &str) -> Result {
        self.metrics = Metrics::new();
        let settings = OperatorSettings {
            namespaces: vec![namespace.to_owned()],
            ..OperatorSettings::default()
        };
        let clock = Arc::new(clock::SystemClock);
        let operator = Operator::new(self.client(), clock, settings, self.metrics.clone());
        let health = operator.health();
        self.operator = Some(tokio::spawn(operator.run(std::future::pending())));
        let synced = until(DEADLINE, async || health.is_synced().then_some(())).await;
        synced.ok_or_else(|| Failure::new("the operator in this process is not synced"))
    }

    /// The operator's client, which names itself and remembers when it was refused something.
    fn client(&self) -> Client {
        let refused = self.refused.clone();
        let named = tower::ServiceBuilder::new()
            .map_request(|mut request: http::Request<kube::client::Body>| {
                let name = http::HeaderValue::from_static(USER_AGENT);
                request.headers_mut().insert(http::header::USER_AGENT, name);
                request
            })
            .map_response(move |response: http::Response<ResponseBody>| {
                if response.status().as_u16() >= 400 {
                    let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
                    refused.push(Timestamp::now());
                }
                response
            })
            .service(self.server.service());
        Client::new(named, "default")
    }

    pub(super) fn is_running(&self) -> bool {
        self.operator.is_some()
    }

    /// What happened in the scenario.
    pub(super) fn record(&self) -> Record {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        Record {
            commits: self.recorder.commits(),
            faults: refused.clone(),
            whole: true,
        }
    }

    /// How the operator's writes to the status of this request were answered; 0 where they were not.
    pub(super) fn status_writes(&self, request: &str) -> Vec<u16> {
        let mut written = self.server.requests();
        written.retain(|record| {
            record.user_agent == USER_AGENT
                && record.verb == "patch"
                && record.subresource.as_deref() == Some("status")
                && record.name.as_deref() == Some(request)
        });
        let answer = |record: &RequestRecord| match record.outcome {
            RequestOutcome::Answered(code) => code,
            RequestOutcome::Lost => 0,
        };
        written.iter().map(answer).collect()
    }

    /// Ends the operator wherever it is, as SIGKILL would.
    pub(super) async fn kill(&mut self) {
        if let Some(operator) = self.operator.take() {
            operator.abort();
            // It was aborted: there is nothing to be learned from its end.
            let _ = operator.await;
        }
    }

    pub(super) fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        sum_of(&self.metrics.render(), name, labels)
    }

    /// Ends everything, and tells the last requests that were made.
    pub(super) async fn close(mut self) -> String {
        self.kill().await;
        self.garbage.abort();
        let requests = self.server.requests();
        let from = requests.len().saturating_sub(60);
        let shown: Vec<String> = requests[from..]
            .iter()
            .map(|request| format!("{request:?}"))
            .collect();
        format!("the last requests:\n{}", shown.join("\n"))
    }
}
