//! A cluster with the definitions and the namespace, made once for all runs.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::json;

use super::hand::{Hand, NAMESPACE};
use crate::kubernetes::crd;
use crate::simulation::api_server::{ApiServer, Checkpoint, Clock, Options};

/// When each run begins.
pub(super) fn start() -> Timestamp {
    // 2026-03-01T12:00:00Z
    Timestamp::from_second(1_772_366_400).unwrap_or(Timestamp::UNIX_EPOCH)
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        start()
    }
}

/// A server that holds the definitions and the namespace, and nothing else.
pub(super) fn server(clock: Arc<dyn Clock>, seed: u64) -> ApiServer {
    static TEMPLATE: OnceLock<Checkpoint> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let server = ApiServer::new(Options::new(Arc::new(Still), 0));
        let hand = Hand::new(server.clone());
        for definition in crd::all() {
            let definition = serde_json::to_value(definition).unwrap_or_default();
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            hand.send("POST", path, &definition);
        }
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        hand.send("POST", "/api/v1/namespaces", &namespace);
        server.checkpoint()
    });
    let server = ApiServer::new(Options {
        request_log_limit: 0,
        ..Options::new(clock, seed)
    });
    server.restore(template);
    server
}
