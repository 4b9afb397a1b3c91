//! The same remediations without a network: the operator, the API server and the controllers in this process. It gives
//! the latency of the operator alone, and every write of one remediation for the [bare loop](crate::bare_loop).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, PostParams};
use kube::runtime::watcher;
use remediation_adapters::clock;
use remediation_adapters::kubernetes::api::request_resource;
use remediation_adapters::kubernetes::operator::{Operator, OperatorSettings};
use remediation_adapters::simulation::api_server::{
    ApiServer, Intercept, Interceptor, Options, RequestInfo, SystemClock,
};
use remediation_adapters::simulation::children::{self, Children, Scripts};
use remediation_adapters::simulation::install_definitions;
use remediation_adapters::telemetry::Metrics;
use serde_json::json;

use crate::figures::percentile;
use crate::harness::{Failure, Result};
use crate::operator_load::{instant_script, manifest};

/// The namespace of the recorded writes, and the name of the request that they are about.
pub(crate) const NAMESPACE: &str = "recorded-namespace";
pub(crate) const REQUEST: &str = "load-00000";

/// One request that changes something, as it reached the server.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) received: Instant,
    pub(crate) request: RequestInfo,
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Write>>);

impl Interceptor for Recorder {
    fn before(&self, request: &RequestInfo) -> Intercept {
        if matches!(request.verb.as_str(), "create" | "patch") {
            let write = Write {
                received: Instant::now(),
                request: request.clone(),
            };
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(write);
        }
        Intercept::Pass
    }
}

/// Takes remediations through at this rate, prints the latency from a child's result to the next child, and returns
/// all writes for the first of them.
pub(crate) async fn run(count: usize, rate: f64) -> Result<Vec<Write>> {
    let server = ApiServer::new(Options::new(Arc::new(SystemClock), 1));
    let client = server.client();
    install_definitions(&client).await?;
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(NAMESPACE.to_owned());
    Api::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await?;
    let recorder = Arc::new(Recorder::default());
    server.set_interceptor(Some(recorder.clone()));
    let _children = Children::spawn(children::Options {
        client: client.clone(),
        namespace: None,
        clock: Arc::new(SystemClock),
        scripts: Scripts::all(instant_script()),
    });
    let operator = Operator::new(
        client.clone(),
        Arc::new(clock::SystemClock),
        OperatorSettings::default(),
        Metrics::new(),
    );
    let running = tokio::spawn(operator.run(std::future::pending()));
    let requests: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &request_resource());
    let gateway = async {
        let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        for number in 0..count {
            beat.tick().await;
            let object = manifest(number, &json!({}));
            requests.create(&PostParams::default(), &object).await?;
        }
        Ok::<(), Failure>(())
    };
    let (created, ()) = futures::join!(gateway, delivered(requests.clone(), count));
    created?;
    running.abort();
    let writes = recorder
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut gaps = gaps(&writes);
    println!(
        "in this process, at {rate:.0} remediations/s: child's result received → next child's CREATE received, {} times: p50 {:.2?}, p99 {:.2?}",
        gaps.len(),
        percentile(&mut gaps, 0.5),
        percentile(&mut gaps, 0.99),
    );
    Ok(of_first(writes))
}

/// Waits until so many requests have ended.
async fn delivered(requests: Api<DynamicObject>, count: usize) {
    let mut ended = std::collections::BTreeSet::new();
    let mut events = std::pin::pin!(watcher::watcher(requests, watcher::Config::default()));
    while ended.len() < count {
        if let Some(Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object))) =
            events.next().await
            && object.data["status"]["completionTime"].is_string()
        {
            ended.insert(object.metadata.name);
        }
    }
}

/// From each child's last status write to the creation of the child that follows from it.
fn gaps(writes: &[Write]) -> Vec<Duration> {
    let follows = [
        ("remediationprocessings", "-processing", "-aianalysis"),
        ("aianalyses", "-aianalysis", "-workflow"),
    ];
    let mut results = BTreeMap::new();
    let mut gaps = Vec::new();
    for Write { received, request } in writes {
        if let (Some(name), "patch") = (&request.name, request.verb.as_str()) {
            for (plural, suffix, next) in follows {
                if request.resource == plural
                    && let Some(stem) = name.strip_suffix(suffix)
                {
                    results.insert(format!("{stem}{next}"), *received);
                }
            }
        } else if let Some(result) = created_name(request).and_then(|name| results.remove(&name)) {
            gaps.push(received.duration_since(result));
        }
    }
    gaps
}

fn created_name(request: &RequestInfo) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
    Some(body["metadata"]["name"].as_str()?.to_owned())
}

fn of_first(writes: Vec<Write>) -> Vec<Write> {
    let about = |request: &RequestInfo| {
        let name = request.name.clone().or_else(|| created_name(request));
        name.is_some_and(|name| name.starts_with(REQUEST))
    };
    writes
        .into_iter()
        .filter(|write| about(&write.request))
        .collect()
}
