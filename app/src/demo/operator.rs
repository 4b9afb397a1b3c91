//! The real operator, on the simulated API server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use remediation_adapters::simulation::api_server::ApiServer;
use tokio::task::JoinSet;

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

pub(crate) async fn start(server: &ApiServer) -> Result<JoinSet<()>, kube::Error> {
    use remediation_adapters::clock::{Clock, SystemClock};
    use remediation_adapters::kubernetes::{api, calls::KubeCalls, executor::*, gate::Gate, read};
    use remediation_core::{
        children::Children, decide::State, kind::ChildKind, memory::Memory, pass::*,
        request::Identity,
    };
    use serde::Deserialize;
    struct Nobody;
    impl Observer for Nobody {
        fn answered(&self, _: &Identity, _: &Call, _: &Outcome, _: jiff::Timestamp) {}
        fn announce(&self, _: &Identity, _: remediation_core::action::Event) {}
    }
    let client = client(server);
    let executor = Executor {
        calls: Arc::new(KubeCalls::new(client.clone())),
        clock: Arc::new(SystemClock),
        gate: Gate::open(),
        observer: Arc::new(Nobody),
        call_timeout: Duration::from_secs(5),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut memory: BTreeMap<String, Memory> = BTreeMap::new();
        loop {
            let list = |r: kube::api::ApiResource| {
                let c = client.clone();
                async move {
                    let api: kube::Api<kube::api::DynamicObject> = kube::Api::all_with(c, &r);
                    api.list(&Default::default())
                        .await
                        .map(|l| l.items)
                        .unwrap_or_default()
                }
            };
            let mut children = Vec::new();
            for kind in ChildKind::ALL {
                for o in list(api::api_resource(kind)).await {
                    let v = serde_json::to_value(&o).unwrap();
                    children.push(read::child(kind, read::ChildWire::deserialize(v).unwrap()).1);
                }
            }
            for o in list(api::request_resource()).await {
                let v = serde_json::to_value(&o).unwrap();
                let request = read::request(read::RequestWire::deserialize(v).unwrap()).unwrap();
                let uid = request.identity.uid.clone();
                let own: Children = children
                    .iter()
                    .filter(|c| {
                        c.owner.as_ref().is_some_and(|o| o.uid == uid)
                            || c.request_uid_label.as_deref() == Some(&uid)
                    })
                    .cloned()
                    .collect();
                let state = State {
                    request,
                    settings: Default::default(),
                    memory: memory.remove(&uid).unwrap_or_default(),
                };
                let mut pass = Pass::new(state, own);
                executor.run(&mut pass).await;
                memory.insert(uid, pass.into_parts().2);
            }
            SystemClock
                .sleep_until(jiff::Timestamp::now() + Duration::from_millis(50))
                .await;
        }
    });
    Ok(tasks)
}
