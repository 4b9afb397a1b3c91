//! `metadata`: which fields it has, what the server sets itself, and what it refuses.

use serde_json::{Map, Value};

use super::{
    object::{finalizers, metadata, metadata_mut, owner_references, text},
    resource::ResourceDefinition,
    status::Cause,
};

/// Fields of ObjectMeta that are kept. `managedFields` and `selfLink` are not.
const FIELDS: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "uid",
];

const OWNER_FIELDS: &[&str] = &[
    "apiVersion",
    "blockOwnerDeletion",
    "controller",
    "kind",
    "name",
    "uid",
];

/// Known, and dropped in silence.
const DROPPED: &[&str] = &["managedFields", "selfLink"];

pub(super) const STANDARD_FINALIZERS: [&str; 3] = ["foregroundDeletion", "orphan", "kubernetes"];

/// In bytes.
pub(super) const MAX_LABEL_VALUE: usize = 63;
const MAX_NAME: usize = 253;
/// Of the name of a namespace.
const MAX_LABEL: usize = 63;
/// In bytes, keys and values together.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// Brings the metadata into the form that a typed ObjectMeta has: unknown fields and empty values go.
/// Returns the paths of the unknown fields; the error names a field of the wrong type.
pub(crate) fn normalise(object: &mut Value) -> Result<Vec<String>, String> {
    let mut unknown = Vec::new();
    let metadata = metadata_mut(object);
    metadata.retain(|field, value| {
        let known = FIELDS.contains(&field.as_str());
        if !known && !DROPPED.contains(&field.as_str()) {
            unknown.push(format!("metadata.{field}"));
        }
        known && !value.is_null()
    });
    if let Some(Value::Array(references)) = metadata.get_mut("ownerReferences") {
        for (index, reference) in references.iter_mut().enumerate() {
            if let Value::Object(reference) = reference {
                reference.retain(|field, value| {
                    let known = OWNER_FIELDS.contains(&field.as_str());
                    if !known {
                        unknown.push(format!("metadata.ownerReferences[{index}].{field}"));
                    }
                    known && !value.is_null()
                });
            }
        }
    }
    for (field, value) in metadata.iter() {
        let fits = match field.as_str() {
            "annotations" | "labels" => value.as_object().is_some_and(|map| {
                map.values()
                    .all(|value| value.is_string() || value.is_null())
            }),
            "finalizers" => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string)),
            "ownerReferences" => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_object)),
            "generation" | "deletionGracePeriodSeconds" => value.is_i64(),
            _ => value.is_string(),
        };
        if !fits {
            return Err(format!(
                "json: metadata.{field} has the wrong type: {value}"
            ));
        }
    }
    metadata.retain(|_, value| !is_empty(value));
    for field in ["annotations", "labels"] {
        if let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) {
            for value in map.values_mut().filter(|value| value.is_null()) {
                *value = "".into();
            }
        }
    }
    Ok(unknown)
}

/// Keeps the first of the owner references with the same UID, and warns of the others.
pub(crate) fn merge_owners(object: &mut Value) -> Vec<String> {
    let mut seen = Vec::new();
    let mut twice = Vec::new();
    if let Some(Value::Array(references)) = metadata_mut(object).get_mut("ownerReferences") {
        references.retain(|reference| {
            let uid = reference.get("uid").and_then(Value::as_str);
            let uid = uid.unwrap_or_default().to_owned();
            let new = !seen.contains(&uid);
            if new {
                seen.push(uid);
            } else if !twice.contains(&uid) {
                twice.push(uid);
            }
            new
        });
    }
    if twice.is_empty() {
        return Vec::new();
    }
    vec![format!(
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may \
         reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
        twice.join(", ")
    )]
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0) && number.is_i64(),
        Value::Bool(_) => false,
    }
}

/// What is wrong with an object's metadata.
pub(crate) fn validate(object: &Value, definition: &ResourceDefinition) -> Vec<Cause> {
    let mut causes = Vec::new();
    match text(object, "name") {
        None => causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        )),
        Some(name) => {
            if let Some(problem) = name_problem(name, definition) {
                causes.push(Cause::invalid("metadata.name", &name.into(), problem));
            }
        }
    }
    let empty = Map::new();
    let map = |field: &str| {
        metadata(object)
            .and_then(|metadata| metadata.get(field)?.as_object())
            .unwrap_or(&empty)
    };
    for (key, value) in map("labels") {
        if let Some(problem) = qualified_name_problem(key) {
            causes.push(Cause::invalid(
                "metadata.labels",
                &key.as_str().into(),
                problem,
            ));
        }
        let value = value.as_str().unwrap_or_default();
        if value.len() > MAX_LABEL_VALUE {
            causes.push(Cause::invalid(
                "metadata.labels",
                &value.into(),
                "must be no more than 63 bytes",
            ));
        } else if !value.is_empty() && !is_label_text(value) {
            causes.push(Cause::invalid(
                "metadata.labels",
                &value.into(),
                LABEL_VALUE_RULE,
            ));
        }
    }
    let mut size = 0;
    for (key, value) in map("annotations") {
        if let Some(problem) = qualified_name_problem(&key.to_lowercase()) {
            causes.push(Cause::invalid(
                "metadata.annotations",
                &key.as_str().into(),
                problem,
            ));
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > MAX_ANNOTATIONS {
        let message = format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes");
        causes.push(Cause::new(
            "FieldValueTooLong",
            "metadata.annotations",
            message,
        ));
    }
    for finalizer in finalizers(object) {
        if let Some(problem) = qualified_name_problem(finalizer) {
            causes.push(Cause::invalid(
                "metadata.finalizers",
                &finalizer.into(),
                problem,
            ));
        }
    }
    causes.extend(owner_causes(object));
    causes
}

fn owner_causes(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut controllers = Vec::new();
    for reference in owner_references(object) {
        let field = |name: &str| {
            reference
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        for name in ["apiVersion", "kind", "name", "uid"] {
            if field(name).is_empty() {
                let path = format!("metadata.ownerReferences.{name}");
                let detail = if name == "apiVersion" {
                    "version must not be empty"
                } else {
                    "must not be empty"
                };
                causes.push(Cause::invalid(path, &"".into(), detail));
            }
        }
        if reference.get("controller").and_then(Value::as_bool) == Some(true) {
            controllers.push(format!("{}/{}", field("kind"), field("name")));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        let references = owner_references(object).into();
        causes.push(Cause::invalid(
            "metadata.ownerReferences",
            &references,
            detail,
        ));
    }
    causes
}

/// What may not change in an update, beside what [`validate`] checks.
pub(crate) fn validate_update(new: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in [
        "name",
        "namespace",
        "uid",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let value =
            |object: &Value| metadata(object).and_then(|metadata| metadata.get(field).cloned());
        let (new, old) = (value(new), value(old));
        if new != old {
            let path = format!("metadata.{field}");
            causes.push(Cause::invalid(
                path,
                &new.unwrap_or(Value::Null),
                "field is immutable",
            ));
        }
    }
    if text(old, "deletionTimestamp").is_some() {
        let before = finalizers(old);
        let mut added: Vec<String> = finalizers(new)
            .into_iter()
            .filter(|finalizer| !before.contains(finalizer))
            .map(|finalizer| format!("{finalizer:?}"))
            .collect();
        added.sort();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            causes.push(Cause::forbidden("metadata.finalizers", detail));
        }
    }
    causes
}

/// Keeps what only the server sets: some fields if the update leaves them out, others whatever it says.
pub(crate) fn keep_server_fields(new: &mut Value, old: &Value) {
    let Some(before) = metadata(old) else { return };
    let metadata = metadata_mut(new);
    for field in ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if let Some(value) = before.get(field) {
            metadata.entry(field).or_insert_with(|| value.clone());
        }
    }
    for field in ["creationTimestamp", "generation"] {
        match before.get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
}

/// What the server says about finalizers that are new and have no domain.
pub(crate) fn finalizer_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let before = old.map(finalizers).unwrap_or_default();
    finalizers(new)
        .into_iter()
        .filter(|finalizer| !finalizer.contains('/') && !before.contains(finalizer))
        .filter(|finalizer| !STANDARD_FINALIZERS.contains(finalizer))
        .map(|finalizer| {
            format!(
                "metadata.finalizers: \"{finalizer}\": prefer a domain-qualified finalizer name to avoid accidental \
                 conflicts with other finalizer writers"
            )
        })
        .collect()
}

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME_PART_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn name_problem(name: &str, definition: &ResourceDefinition) -> Option<String> {
    // Events may have any name that can stand in a path.
    if definition.kind == "Event" && definition.group.is_empty() {
        return ['/', '%']
            .into_iter()
            .find(|character| name.contains(*character))
            .map(|character| format!("may not contain '{character}'"));
    }
    let (limit, rule) = if definition.is_namespace() {
        (MAX_LABEL, LABEL_RULE)
    } else {
        (MAX_NAME, SUBDOMAIN_RULE)
    };
    if name.len() > limit {
        return Some(format!("must be no more than {limit} characters"));
    }
    let dotted_label = definition.is_namespace() && name.contains('.');
    (dotted_label || !is_subdomain(name)).then(|| rule.to_owned())
}

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(|part| {
        let edge = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let bytes = part.as_bytes();
        edge(bytes.first())
            && edge(bytes.last())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    })
}

pub(super) fn is_label_text(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

pub(super) fn qualified_name_problem(name: &str) -> Option<String> {
    let (prefix, part) = match name.split_once('/') {
        Some((prefix, part)) => (Some(prefix), part),
        None => (None, name),
    };
    match prefix {
        Some("") => return Some("prefix part must be non-empty".to_owned()),
        Some(prefix) if !is_subdomain(prefix) => {
            return Some(format!("prefix part {SUBDOMAIN_RULE}"));
        }
        _ => {}
    }
    if part.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if part.len() > 63 {
        return Some("name part must be no more than 63 bytes".to_owned());
    }
    (!is_label_text(part)).then(|| NAME_PART_RULE.to_owned())
}
