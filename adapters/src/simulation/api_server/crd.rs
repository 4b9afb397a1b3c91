//! CustomResourceDefinitions: what they must say, what the server answers in their status, and serving what they define.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    delete::{self, Deleted, mark_deleting},
    json_path::JsonPath,
    object::{StoredObject, finalizers, set_finalizers},
    resource::{Column, ResourceDefinition, VersionDefinition, WriteRules},
    schema::Schema,
    server::Context,
    status::{ApiError, Cause},
    store::Store,
};

/// Fills in the names, the conversion and the status.
pub(crate) fn complete(value: &mut Value, context: &Context) {
    let kind = text(value, "/spec/names/kind").to_owned();
    let names = &mut value["spec"]["names"];
    if names
        .get("singular")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        names["singular"] = kind.to_lowercase().into();
    }
    if names
        .get("listKind")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        names["listKind"] = format!("{kind}List").into();
    }
    let names = names.clone();
    if value["spec"].get("conversion").is_none_or(Value::is_null) {
        value["spec"]["conversion"] = json!({"strategy": "None"});
    }
    if value.pointer("/status/acceptedNames") == Some(&names) {
        return;
    }
    let storage = value["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .unwrap_or_default();
    let condition = |type_: &str, reason: &str, message: &str| {
        json!({
            "type": type_, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": context.now,
        })
    };
    value["status"] = json!({
        "acceptedNames": names,
        "storedVersions": [storage],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
}

/// Refuses a definition that could not be served.
pub(crate) fn check(
    definition: &ResourceDefinition,
    name: &str,
    value: &Value,
) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    for (field, pointer) in [
        ("spec.group", "/spec/group"),
        ("spec.names.plural", "/spec/names/plural"),
        ("spec.names.kind", "/spec/names/kind"),
    ] {
        if text(value, pointer).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let expected = format!(
        "{}.{}",
        text(value, "/spec/names/plural"),
        text(value, "/spec/group")
    );
    if causes.is_empty() && name != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &name.into(), detail));
    }
    if !["Namespaced", "Cluster"].contains(&text(value, "/spec/scope")) {
        let message = format!(
            "Unsupported value: \"{}\": supported values: \"Cluster\", \"Namespaced\"",
            text(value, "/spec/scope")
        );
        causes.push(Cause::new("FieldValueNotSupported", "spec.scope", message));
    }
    let storing = versions(value)
        .iter()
        .filter(|version| version["storage"] == true)
        .count();
    if storing != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid(
            "spec.versions",
            &versions(value).into(),
            detail,
        ));
    }
    for (index, version) in versions(value).iter().enumerate() {
        // A real server names the field of the only version by an older name.
        let path = match versions(value) {
            [_] => "spec.validation.openAPIV3Schema".to_owned(),
            _ => format!("spec.versions[{index}].schema.openAPIV3Schema"),
        };
        match version.pointer("/schema/openAPIV3Schema") {
            None => causes.push(Cause::required(path, "schemas are required")),
            Some(schema) => {
                if let Err(problems) = Schema::compile(schema) {
                    causes.extend(problems.into_iter().map(|problem| Cause {
                        field: format!("{path}{}", problem.field),
                        ..problem
                    }));
                }
            }
        }
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(ApiError::invalid(definition, name, &causes))
    }
}

/// Serves what a checked definition defines.
pub(crate) fn serve(store: &mut Store, value: &Value) {
    let list = |pointer: &str| -> Vec<String> {
        let list = value.pointer(pointer).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let storage = versions(value)
        .iter()
        .find(|version| version["storage"] == true);
    store.define(ResourceDefinition {
        group: text(value, "/spec/group").to_owned(),
        plural: text(value, "/spec/names/plural").to_owned(),
        singular: text(value, "/spec/names/singular").to_owned(),
        kind: text(value, "/spec/names/kind").to_owned(),
        list_kind: text(value, "/spec/names/listKind").to_owned(),
        short_names: list("/spec/names/shortNames"),
        categories: list("/spec/names/categories"),
        namespaced: text(value, "/spec/scope") == "Namespaced",
        storage_version: storage
            .map(|version| text(version, "/name").to_owned())
            .unwrap_or_default(),
        versions: versions(value)
            .iter()
            .filter(|version| version["served"] == true)
            .map(version)
            .collect(),
        rules: WriteRules::CUSTOM,
    });
}

/// Holds a definition back while there are objects of its kind.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Puts a definition into termination, and finishes it if no object's finalizer is in the way.
pub(crate) fn delete(
    store: &mut Store,
    context: &Context,
    definition: &Arc<ResourceDefinition>,
    object: &Arc<StoredObject>,
    dry_run: bool,
) -> Deleted {
    if dry_run {
        return Deleted::Pending(Arc::clone(object));
    }
    let mut pending = Arc::clone(object);
    if !object.deleting() {
        let mut value = (*object.value).clone();
        let mut finalizers: Vec<String> =
            finalizers(&value).into_iter().map(str::to_owned).collect();
        finalizers.push(CLEANUP.to_owned());
        set_finalizers(&mut value, &finalizers);
        mark_deleting(&mut value, context);
        pending = store.put(definition, value);
    }
    finish(store, context);
    Deleted::Pending(pending)
}

/// Deletes the objects of terminating kinds, and the definitions that have none left. Returns how many objects it
/// wrote or deleted.
pub(crate) fn finish(store: &mut Store, context: &Context) -> usize {
    let Some(definitions) = store.resource("apiextensions.k8s.io", "customresourcedefinitions")
    else {
        return 0;
    };
    let own = Arc::clone(&definitions.definition);
    let terminating: Vec<Arc<StoredObject>> = definitions
        .objects
        .values()
        .filter(|object| object.deleting() && finalizers(&object.value).contains(&CLEANUP))
        .cloned()
        .collect();
    let mut changes = 0;
    for object in terminating {
        let (group, plural) = (
            text(&object.value, "/spec/group"),
            text(&object.value, "/spec/names/plural"),
        );
        let (deleted, left) = match store.resource(group, plural) {
            Some(resource) => {
                let kind = Arc::clone(&resource.definition);
                let keys = resource.objects.keys().cloned().collect();
                delete::delete_all(store, context, &kind, keys)
            }
            None => (0, 0),
        };
        changes += deleted;
        if left == 0 {
            store.remove(&own, &object.key());
            withdraw(store, &object.value);
            changes += 1;
        }
    }
    changes
}

/// Stops serving what a removed definition defined, whose objects are gone already.
pub(crate) fn withdraw(store: &mut Store, value: &Value) {
    store.undefine(
        text(value, "/spec/group"),
        text(value, "/spec/names/plural"),
    );
}

fn version(value: &Value) -> VersionDefinition {
    let entries = |field: &str| {
        value
            .get(field)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    VersionDefinition {
        name: text(value, "/name").to_owned(),
        schema: value
            .pointer("/schema/openAPIV3Schema")
            .and_then(|schema| Schema::compile(schema).ok())
            .map(Arc::new),
        fields: None,
        status: value
            .pointer("/subresources/status")
            .is_some_and(Value::is_object),
        columns: columns(&entries("additionalPrinterColumns")),
        selectable: entries("selectableFields")
            .iter()
            .map(|field| {
                text(field, "/jsonPath")
                    .trim_start_matches('.')
                    .split('.')
                    .map(str::to_owned)
                    .collect()
            })
            .collect(),
    }
}

fn columns(list: &[Value]) -> Vec<Column> {
    let columns: Vec<Column> = list
        .iter()
        .map(|value| {
            let path = text(value, "/jsonPath");
            let described = text(value, "/description");
            Column {
                name: text(value, "/name").to_owned(),
                type_: text(value, "/type").to_owned(),
                format: text(value, "/format").to_owned(),
                description: if described.is_empty() {
                    format!("Custom resource definition column (in JSONPath format): {path}")
                } else {
                    described.to_owned()
                },
                priority: value
                    .get("priority")
                    .and_then(Value::as_i64)
                    .unwrap_or_default(),
                path: JsonPath::parse(path),
            }
        })
        .collect();
    if columns.is_empty() {
        vec![Column::age()]
    } else {
        columns
    }
}

fn versions(value: &Value) -> &[Value] {
    value
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
