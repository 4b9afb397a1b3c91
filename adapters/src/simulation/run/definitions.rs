//! Custom resource definitions that are not what the operator was built for: missing, older, newer.

use std::sync::Arc;
use std::time::Duration;

use remediation_core::kind::{ChildKind, REQUEST_GROUP, REQUEST_PLURAL};
use serde_json::{Map, Value, json};

use super::hand::Hand;
use crate::simulation::board::Board;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Fields of status that an older definition of the requests does not have. Nothing that is decided depends on them.
const LATER_FIELDS: [&str; 3] = ["waitingFor", "expiryTime", "observedGeneration"];

/// Whether this write of a status holds a field that an older definition lacks.
pub(super) fn holds_later_field(patch: &[u8]) -> bool {
    let patch: Value = serde_json::from_slice(patch).unwrap_or_default();
    let status = &patch["status"];
    LATER_FIELDS.iter().any(|field| !status[field].is_null())
}

pub(super) struct Definitions {
    pub(super) hand: Hand,
    pub(super) healed: Arc<Board<bool>>,
}

impl Definitions {
    /// Takes the definition of a kind away. Whoever awaits the rest brings it back.
    pub(super) fn uninstall(self, kind: ChildKind, until_ms: u64) -> impl Future<Output = ()> {
        let path = path(kind.plural(), kind.group());
        let (_, mut definition) = self.hand.send("GET", &path, &Value::Null);
        self.hand.send("DELETE", &path, &Value::Null);
        async move {
            self.until(until_ms).await;
            definition["metadata"] = json!({ "name": definition["metadata"]["name"] });
            self.hand.send("POST", DEFINITIONS, &definition);
        }
    }

    /// Takes fields out of the definition of the requests. Whoever awaits the rest puts them in again.
    pub(super) fn make_older(self, until_ms: u64) -> impl Future<Output = ()> {
        let path = path(REQUEST_PLURAL, REQUEST_GROUP);
        let (_, mut definition) = self.hand.send("GET", &path, &Value::Null);
        let fields = status_fields(&mut definition);
        let taken = LATER_FIELDS.map(|field| (field, fields.remove(field)));
        self.hand.send("PUT", &path, &definition);
        async move {
            self.until(until_ms).await;
            // A newer build may have installed its own definition meanwhile, which stays.
            let (_, mut newest) = self.hand.send("GET", &path, &Value::Null);
            let fields = status_fields(&mut newest);
            for (field, schema) in taken {
                fields.extend(schema.map(|schema| (field.to_owned(), schema)));
            }
            self.hand.send("PUT", &path, &newest);
        }
    }

    async fn until(&self, until_ms: u64) {
        tokio::select! {
            biased;
            _ = self.healed.until(|healed| *healed) => {}
            () = tokio::time::sleep(Duration::from_millis(until_ms)) => {}
        }
    }
}

/// Installs a newer definition of the requests, with fields of status that this build does not know.
pub(super) fn make_newer(hand: &Hand) {
    let path = path(REQUEST_PLURAL, REQUEST_GROUP);
    let (_, mut definition) = hand.send("GET", &path, &Value::Null);
    status_schema(&mut definition)["x-kubernetes-preserve-unknown-fields"] = json!(true);
    hand.send("PUT", &path, &definition);
}

fn path(plural: &str, group: &str) -> String {
    format!("{DEFINITIONS}/{plural}.{group}")
}

fn status_fields(definition: &mut Value) -> &mut Map<String, Value> {
    status_schema(definition)["properties"]
        .as_object_mut()
        .expect("the definition of the requests has a status with fields")
}

fn status_schema(definition: &mut Value) -> &mut Value {
    &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
}
