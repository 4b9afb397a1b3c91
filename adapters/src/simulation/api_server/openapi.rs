//! As much of OpenAPI as kubectl asks for: which writes know `fieldValidation`, and the schemas for `kubectl explain`.

use serde_json::{Map, Value, json};

use super::{resource::ResourceDefinition, store::Store};

/// The older document; clients use it only where the newer one is missing.
pub(crate) fn v2() -> Value {
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36.3"}, "paths": {}, "definitions": {}})
}

/// The list of documents.
pub(crate) fn index(paths: &[String]) -> Value {
    let documents: Map<String, Value> = paths
        .iter()
        .map(|path| {
            (
                path.clone(),
                json!({"serverRelativeURL": format!("/openapi/v3/{path}")}),
            )
        })
        .collect();
    json!({"paths": documents})
}

/// The document of one group and version.
pub(crate) fn document(store: &Store, group: &str, version: &str) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in store.resources.values() {
        let definition = &resource.definition;
        let served = definition
            .versions
            .iter()
            .any(|served| served.name == version);
        if definition.group != group || !served {
            continue;
        }
        let schema_name = format!("{}.{version}.{}", reversed(group), definition.kind);
        let kind = json!({"group": group, "version": version, "kind": definition.kind});
        let path = object_path(definition, version);
        paths.insert(path, operations(definition, &kind, &schema_name));
        let mut schema = schema(store, definition, version);
        schema["x-kubernetes-group-version-kind"] = json!([kind]);
        schemas.insert(schema_name, schema);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn object_path(definition: &ResourceDefinition, version: &str) -> String {
    let root = if definition.group.is_empty() {
        "/api".to_owned()
    } else {
        format!("/apis/{}", definition.group)
    };
    let namespace = if definition.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    format!("{root}/{version}{namespace}/{}/{{name}}", definition.plural)
}

fn operations(definition: &ResourceDefinition, kind: &Value, schema_name: &str) -> Value {
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}))
        .collect();
    let schema = json!({"schema": {"$ref": format!("#/components/schemas/{schema_name}")}});
    let operation = |action: &str| {
        json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": {"application/json": schema}}},
        })
    };
    let mut patch = operation("patch");
    let mut content = json!({
        "application/apply-patch+yaml": {}, "application/json-patch+json": {}, "application/merge-patch+json": {},
    });
    if !definition.rules.custom {
        content["application/strategic-merge-patch+json"] = json!({});
    }
    patch["requestBody"] = json!({"content": content});
    json!({"get": operation("get"), "put": operation("put"), "patch": patch})
}

/// The schema as the CustomResourceDefinition has it, with what every object has.
fn schema(store: &Store, definition: &ResourceDefinition, version: &str) -> Value {
    let found = store
        .resource("apiextensions.k8s.io", "customresourcedefinitions")
        .and_then(|definitions| {
            definitions
                .objects
                .iter()
                .find(|(key, _)| key.name == definition.group_resource())
        })
        .and_then(|(_, object)| {
            let versions = object.value.pointer("/spec/versions")?.as_array()?;
            let version = versions
                .iter()
                .find(|candidate| candidate["name"] == version)?;
            version.pointer("/schema/openAPIV3Schema").cloned()
        });
    let mut schema = found.unwrap_or_else(|| json!({"type": "object"}));
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    schema["properties"]["apiVersion"] = json!({"type": "string"});
    schema["properties"]["kind"] = json!({"type": "string"});
    schema["properties"]["metadata"] = json!({"type": "object"});
    schema
}

/// `example.com` as `com.example`.
fn reversed(group: &str) -> String {
    if group.is_empty() {
        return "io.k8s.api.core".to_owned();
    }
    group.split('.').rev().collect::<Vec<_>>().join(".")
}
