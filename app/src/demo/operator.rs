//! The real operator, on the simulated API server.

use std::collections::BTreeMap;
use std::sync::Arc;

use remediation_adapters::clock::SystemClock;
use remediation_adapters::kubernetes::operator::{Operator, OperatorSettings};
use remediation_adapters::simulation::api_server::ApiServer;
use remediation_adapters::telemetry::Metrics;

/// How the operator names itself to the API server, so that its calls can be told from everybody else's.
const USER_AGENT: &str = "remediation-orchestrator";

/// A client of the server that names itself.
fn client(server: &ApiServer) -> kube::Client {
    let named = tower::ServiceBuilder::new()
        .map_request(|mut request: http::Request<kube::client::Body>| {
            let name = http::HeaderValue::from_static(USER_AGENT);
            request.headers_mut().insert(http::header::USER_AGENT, name);
            request
        })
        .service(server.service());
    kube::Client::new(named, "default")
}

/// How many calls the operator made, by verb and resource: `create aianalyses`.
pub(crate) fn calls(server: &ApiServer) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for record in server.requests() {
        if record.user_agent != USER_AGENT {
            continue;
        }
        let part = record
            .subresource
            .map_or_else(String::new, |part| format!("/{part}"));
        let call = format!("{} {}{part}", record.verb, record.resource);
        *calls.entry(call).or_default() += 1;
    }
    calls
}

/// The operator, as `run` makes it, apart from the election.
pub(crate) fn new(server: &ApiServer) -> Operator {
    let settings = OperatorSettings {
        instance: "demo".to_owned(),
        ..OperatorSettings::default()
    };
    Operator::new(
        client(server),
        Arc::new(SystemClock),
        settings,
        Metrics::new(),
    )
}
