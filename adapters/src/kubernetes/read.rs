//! From the JSON of the API server to the words of the core: read once, at the edge, and leniently. What the
//! core does not need (managed fields above all) is dropped while it is parsed.

use std::collections::BTreeMap;

use remediation_core::children::{Child, ChildKey, ChildStatus, Owner};
use remediation_core::kind::{ChildKind, REQUEST_LABEL, REQUEST_UID_LABEL};
use remediation_core::request::{Identity, Request};
use remediation_core::time::Time;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

/// An object as the API server sends it, as far as it is read. `S` is what is kept of `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wire<S: Default> {
    /// Who it is.
    pub metadata: WireMetadata,
    /// What was asked.
    pub spec: S,
    /// What is recorded.
    pub status: Value,
}

/// A request as the API server sends it.
pub type RequestWire = Wire<Value>;
/// A child as the API server sends it; its spec is never read back.
pub type ChildWire = Wire<IgnoredAny>;

/// The metadata that is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WireMetadata {
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// The UID.
    pub uid: String,
    /// The version that was seen.
    pub resource_version: String,
    /// The generation of spec.
    pub generation: i64,
    /// When it was created.
    pub creation_timestamp: Option<String>,
    /// Set while it is being deleted.
    pub deletion_timestamp: Option<String>,
    /// The labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// The owners.
    pub owner_references: Option<Vec<WireOwner>>,
}

/// An owner reference.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WireOwner {
    /// The owner's kind.
    pub kind: String,
    /// The owner's name.
    pub name: String,
    /// The owner's UID.
    pub uid: String,
    /// Whether it is the controller.
    pub controller: Option<bool>,
}

/// A request that cannot be read: its spec or status holds what this version cannot understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{field} of the RemediationRequest {namespace}/{name} cannot be read: {problem}; it is left alone until it is corrected"
)]
pub struct UnreadableRequest {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The version that was seen.
    pub resource_version: String,
    /// `spec` or `status`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// A request, or why it cannot be read. A field that is null counts as absent.
///
/// # Errors
/// If `spec` or `status` holds a value of another type than this version knows.
pub fn request(wire: RequestWire) -> Result<Request, Box<UnreadableRequest>> {
    let Wire {
        metadata,
        spec,
        status,
    } = wire;
    let refuse = |field, error: serde_json::Error| {
        Box::new(UnreadableRequest {
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            field,
            problem: remediation_core::text::clean(&error.to_string(), 256),
        })
    };
    let spec = parse(spec).map_err(|error| refuse("spec", error))?;
    let status = parse(status).map_err(|error| refuse("status", error))?;
    Ok(Request {
        identity: Identity {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
        },
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        created: metadata
            .creation_timestamp
            .and_then(|created| created.parse().ok())
            .map(Time::at),
        deleting: metadata.deletion_timestamp.is_some(),
        spec,
        status,
    })
}

/// A child of this kind. Whatever its status holds, it can be read.
#[must_use]
pub fn child(kind: ChildKind, wire: ChildWire) -> (String, Child) {
    let Wire {
        metadata,
        spec: _,
        status,
    } = wire;
    let mut labels = metadata.labels.unwrap_or_default();
    let owner = metadata
        .owner_references
        .unwrap_or_default()
        .into_iter()
        .find(|owner| owner.controller == Some(true))
        .map(|owner| Owner {
            kind: owner.kind,
            name: owner.name,
            uid: owner.uid,
        });
    let child = Child {
        key: ChildKey::new(kind, metadata.name),
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        deleting: metadata.deletion_timestamp.is_some(),
        owner,
        request_label: labels.remove(REQUEST_LABEL),
        request_uid_label: labels.remove(REQUEST_UID_LABEL),
        status: ChildStatus::read(kind, status),
    };
    (metadata.namespace, child)
}

/// The version as a number, so that two can be compared; 0 where it is none.
#[must_use]
pub fn version(resource_version: &str) -> u64 {
    resource_version.parse().unwrap_or(0)
}

fn parse<T: DeserializeOwned + Default>(mut value: Value) -> Result<T, serde_json::Error> {
    drop_nulls(&mut value);
    if value.is_null() {
        return Ok(T::default());
    }
    T::deserialize(value)
}

/// The API server stores a null where a field was sent as null, though its schema says otherwise (seen on 1.36).
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remediation_core::phase::{Phase, PhaseWord};
    use serde_json::json;

    fn wire(spec: &Value, status: &Value) -> RequestWire {
        serde_json::from_value(json!({
            "apiVersion": "remediation.kubernaut.ai/v1alpha1",
            "kind": "RemediationRequest",
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "u-1", "resourceVersion": "42", "generation": 3,
                "managedFields": [{ "manager": "kubectl", "fieldsV1": { "f:spec": {} } }],
                "creationTimestamp": "2026-03-01T12:00:00Z",
            },
            "spec": spec,
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_request_is_read_with_who_it_is_and_what_is_recorded() {
        let spec = json!({ "targetingData": { "alertName": "HighLoad" }, "future": 1 });
        let read = request(wire(&spec, &json!({ "phase": "Analyzing", "future": {} }))).unwrap();
        assert_eq!(read.identity.name, "web");
        let created = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(read.created, Some(Time::at(created)));
        assert_eq!((read.resource_version.as_str(), read.generation), ("42", 3));
        assert_eq!(read.status.phase, Some(PhaseWord::Known(Phase::Analyzing)));
        assert_eq!(read.spec.targeting_data.unwrap().alert_name, "HighLoad");
    }

    #[test]
    fn null_counts_as_absent_at_any_depth() {
        let spec =
            json!({ "suspend": null, "targetingData": { "labels": null, "severity": null } });
        let read = request(wire(&spec, &Value::Null)).unwrap();
        assert!(!read.spec.suspend);
        assert!(read.spec.targeting_data.unwrap().labels.is_empty());
        assert_eq!(
            request(wire(&Value::Null, &json!({}))).unwrap().spec,
            Default::default()
        );
    }

    #[test]
    fn a_request_that_cannot_be_read_is_named_with_the_field_and_the_reason() {
        let spec = json!({ "targetingData": { "severity": "awful" } });
        let error = request(wire(&spec, &Value::Null)).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("spec of the RemediationRequest shop/web"),
            "{text}"
        );
        assert!(text.contains("awful"), "{text}");
    }

    #[test]
    fn only_a_controller_is_the_owner_of_a_child() {
        let wire = |controller: bool| -> ChildWire {
            serde_json::from_value(json!({
                "metadata": {
                    "name": "web-processing", "namespace": "shop", "uid": "c-1", "resourceVersion": "7",
                    "deletionTimestamp": "2026-03-01T12:00:00Z",
                    "labels": { REQUEST_LABEL: "web" },
                    "ownerReferences": [
                        { "kind": "RemediationRequest", "name": "web", "uid": "u-1", "controller": controller }
                    ],
                },
                "spec": { "targetingData": {} },
                "status": { "phase": 7 },
            }))
            .unwrap()
        };
        let (namespace, owned) = child(ChildKind::RemediationProcessing, wire(true));
        assert_eq!(namespace, "shop");
        assert_eq!(owned.owner.unwrap().uid, "u-1");
        assert!(owned.deleting);
        assert_eq!(owned.request_label.as_deref(), Some("web"));
        assert_eq!(owned.status.phase(), "");
        let (_, orphan) = child(ChildKind::RemediationProcessing, wire(false));
        assert_eq!(orphan.owner, None);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("1000") > version("999"));
        assert_eq!(version("not-a-number"), 0);
    }
}
