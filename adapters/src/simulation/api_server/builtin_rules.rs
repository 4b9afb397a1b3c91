//! What is known of the fields of the built-in kinds that an operator writes: their names, types, defaults and bounds.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    event,
    metadata::STANDARD_FINALIZERS,
    object::{finalizers, text},
    resource::ResourceDefinition,
    schema::Schema,
    status::Cause,
};

/// The fields of a kind as a structural schema. Kinds without one are kept as they come.
pub(crate) fn fields(kind: &str) -> Option<Arc<Schema>> {
    let string = json!({"type": "string"});
    let integer = json!({"type": "integer"});
    let time = json!({"type": "string", "format": "date-time", "nullable": true});
    let texts = json!({"type": "object", "additionalProperties": string});
    let properties = match kind {
        "Lease" => json!({"spec": {"type": "object", "default": {}, "properties": {
            "acquireTime": {"type": "string", "format": "date-time"},
            "holderIdentity": string,
            "leaseDurationSeconds": integer,
            "leaseTransitions": integer,
            "preferredHolder": string,
            "renewTime": {"type": "string", "format": "date-time"},
            "strategy": string,
        }}}),
        "ConfigMap" => {
            json!({"data": texts, "binaryData": texts, "immutable": {"type": "boolean"}})
        }
        "Event" => {
            let reference = json!({"type": "object", "default": {}, "properties": {
                "apiVersion": string, "fieldPath": string, "kind": string, "name": string, "namespace": string,
                "resourceVersion": string, "uid": string,
            }});
            json!({
                "action": string, "count": integer, "eventTime": time, "firstTimestamp": time,
                "involvedObject": reference, "lastTimestamp": time, "message": string, "reason": string,
                "related": {"type": "object", "properties": reference["properties"]},
                "reportingComponent": {"type": "string", "default": ""},
                "reportingInstance": {"type": "string", "default": ""},
                "series": {"type": "object", "properties": {"count": integer, "lastObservedTime": time}},
                "source": {"type": "object", "default": {}, "properties": {"component": string, "host": string}},
                "type": string,
            })
        }
        "Namespace" => json!({
            "spec": {"type": "object", "default": {}, "properties": {
                "finalizers": {"type": "array", "items": string},
            }},
            "status": {"type": "object", "default": {}, "properties": {
                "phase": {"type": "string", "default": "Active"},
                "conditions": {"type": "array", "items": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }},
        }),
        _ => return None,
    };
    let schema = json!({"type": "object", "properties": properties});
    Schema::compile(&schema).ok().map(Arc::new)
}

/// Brings an object into the form in which it is kept: what is empty goes, where the kind has it so.
pub(crate) fn complete(definition: &ResourceDefinition, value: &mut Value) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    match definition.kind.as_str() {
        "ConfigMap" => object.retain(|field, value| {
            let empty = value.as_object().is_some_and(serde_json::Map::is_empty);
            !(empty && ["data", "binaryData"].contains(&field.as_str()))
        }),
        "Event" if definition.group.is_empty() => {
            object.retain(|field, value| {
                let optional = !field.starts_with("reporting");
                !(optional && (*value == json!("") || *value == json!(0)))
            });
            event::complete(value);
        }
        _ => {}
    }
}

/// What is wrong with the fields.
pub(crate) fn validate(definition: &ResourceDefinition, value: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if definition.rules.custom {
        return causes;
    }
    for (index, finalizer) in finalizers(value).into_iter().enumerate() {
        let standard = finalizer.contains('/') || STANDARD_FINALIZERS.contains(&finalizer);
        // A rule of the core group, and not of its Events.
        if !standard && definition.group.is_empty() && definition.kind != "Event" {
            let place = format!("metadata.finalizers[{index}]");
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(place, &finalizer.into(), detail));
        }
    }
    match definition.kind.as_str() {
        "Lease" => {
            for (field, least, detail) in [
                ("leaseDurationSeconds", 1, "must be greater than 0"),
                ("leaseTransitions", 0, "must be greater than or equal to 0"),
            ] {
                let number = &value["spec"][field];
                if number.as_i64().is_some_and(|number| number < least) {
                    causes.push(Cause::invalid(format!("spec.{field}"), number, detail));
                }
            }
        }
        "ConfigMap" => {
            for field in ["data", "binaryData"] {
                let keys = value.get(field).and_then(Value::as_object);
                for key in keys.into_iter().flat_map(serde_json::Map::keys) {
                    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                    if !key.bytes().all(plain) {
                        let place = format!("{field}[{key}]");
                        causes.push(Cause::invalid(place, &key.as_str().into(), CONFIG_KEY_RULE));
                    }
                }
            }
        }
        "Event" if definition.group.is_empty() => {
            let about = &value["involvedObject"]["namespace"];
            let about = about.as_str().unwrap_or_default();
            let namespace = text(value, "namespace").unwrap_or_default();
            // Events about cluster-scoped objects lie in the namespace `default`.
            if about != namespace && !(about.is_empty() && namespace == "default") {
                let detail = "does not match event.namespace";
                causes.push(Cause::invalid(
                    "involvedObject.namespace",
                    &about.into(),
                    detail,
                ));
            }
        }
        "Namespace" => {
            let phase = &value["status"]["phase"];
            let deleting = text(value, "deletionTimestamp").is_some();
            if !deleting && phase != "Active" {
                let detail = "may only be 'Active' if `deletionTimestamp` is empty";
                causes.push(Cause::invalid("status.Phase", phase, detail));
            } else if deleting && phase != "Terminating" {
                let detail = "may only be 'Terminating' if `deletionTimestamp` is not empty";
                causes.push(Cause::invalid("status.Phase", phase, detail));
            }
        }
        _ => {}
    }
    causes
}

const CONFIG_KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
