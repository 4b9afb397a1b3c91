//! The patch formats: JSON merge patch (RFC 7396), JSON patch (RFC 6902), and applying a configuration.

use json_patch::{AddOperation, PatchOperation};
use serde_json::{Map, Value};

use super::{resource::ResourceDefinition, status::ApiError};

/// How a PATCH body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchType {
    Merge,
    Json,
    /// Built-in kinds only; lists are replaced, not merged.
    Strategic,
    /// Server-side apply. Field ownership is not tracked: what a manager leaves out stays.
    Apply,
}

const SUPPORTED: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

impl PatchType {
    pub(crate) fn parse(
        content_type: &str,
        definition: &ResourceDefinition,
    ) -> Result<Self, ApiError> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/json-patch+json" => Ok(Self::Json),
            "application/strategic-merge-patch+json" if !definition.rules.custom => {
                Ok(Self::Strategic)
            }
            "application/apply-patch+yaml" => Ok(Self::Apply),
            _ if definition.rules.custom => Err(ApiError::unsupported_media_type(SUPPORTED)),
            _ => Err(
                ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
                    .with_empty_details(),
            ),
        }
    }
}

/// The patch itself, read.
#[derive(Debug)]
pub(crate) enum Patch {
    Merge(Value),
    Json(json_patch::Patch),
    Apply(Value),
}

impl Patch {
    pub(crate) fn parse(type_: PatchType, body: &[u8]) -> Result<Self, ApiError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            ApiError::bad_request(format!("error decoding patch: {error}"))
        };
        match type_ {
            // `null` is no operation at all.
            PatchType::Json => serde_json::from_slice::<Option<_>>(body)
                .map(|patch| Self::Json(patch.unwrap_or_default()))
                .map_err(|error| unreadable(&error)),
            PatchType::Merge | PatchType::Strategic => {
                let patch: Value =
                    serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
                if patch.is_object() {
                    Ok(Self::Merge(patch))
                } else {
                    Err(unreadable(&"not an object"))
                }
            }
            PatchType::Apply => serde_json::from_slice(body)
                .ok()
                .or_else(|| {
                    let text = std::str::from_utf8(body).ok()?;
                    serde_saphyr::from_str(text).ok()
                })
                .filter(Value::is_object)
                .map(Self::Apply)
                .ok_or_else(|| unreadable(&"not a YAML or JSON object")),
        }
    }

    /// The patched object.
    pub(crate) fn apply(&self, mut patched: Value) -> Result<Value, ApiError> {
        match self {
            Self::Merge(patch) => merge(&mut patched, patch),
            Self::Apply(configuration) => overlay(&mut patched, configuration),
            Self::Json(patch) => {
                for operation in &patch.0 {
                    if tests_for_nothing(&patched, operation) {
                        continue;
                    }
                    let operation = lenient(&patched, operation);
                    json_patch::patch(&mut patched, &[operation])
                        .map_err(|_| ApiError::inapplicable_patch())?;
                }
            }
        }
        Ok(patched)
    }
}

/// A real server lets `replace` add a field that is not there, though not an entry of a list.
fn lenient(target: &Value, operation: &PatchOperation) -> PatchOperation {
    if let PatchOperation::Replace(replace) = operation
        && let Some((parent, _)) = replace.path.split_back()
        && target
            .pointer(parent.as_str())
            .is_some_and(Value::is_object)
    {
        return PatchOperation::Add(AddOperation {
            path: replace.path.clone(),
            value: replace.value.clone(),
        });
    }
    operation.clone()
}

/// `test` for null is true of a field that is not there.
fn tests_for_nothing(target: &Value, operation: &PatchOperation) -> bool {
    let PatchOperation::Test(test) = operation else {
        return false;
    };
    let parent = test
        .path
        .split_back()
        .and_then(|(parent, _)| target.pointer(parent.as_str()));
    test.value.is_null()
        && parent.is_some_and(Value::is_object)
        && target.pointer(test.path.as_str()).is_none()
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (field, value) in patch {
                if value.is_null() {
                    target.remove(field);
                } else {
                    merge(target.entry(field).or_insert(Value::Null), value);
                }
            }
        }
        (target @ Value::Object(_), patch) => *target = patch.clone(),
        (target, patch) => *target = without_nulls(patch),
    }
}

/// What is new comes without the nulls of its objects, those in lists too, as a real server has it.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(field, value)| (field.clone(), without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Maps field by field, lists of named entries entry by entry, all else replaced.
fn overlay(target: &mut Value, configuration: &Value) {
    match (target, configuration) {
        (Value::Object(target), Value::Object(configuration)) => {
            for (field, value) in configuration {
                overlay(target.entry(field).or_insert(Value::Null), value);
            }
        }
        (Value::Array(target), Value::Array(configuration))
            if entry_key(configuration).is_some() =>
        {
            let key = entry_key(configuration).unwrap_or_default();
            for entry in configuration {
                match target
                    .iter_mut()
                    .find(|present| present.get(key) == entry.get(key))
                {
                    Some(present) => overlay(present, entry),
                    None => target.push(entry.clone()),
                }
            }
        }
        (target, configuration) => *target = configuration.clone(),
    }
}

/// The field that names the entries of a list, by the kinds that there are: conditions by type, owners by UID.
fn entry_key(list: &[Value]) -> Option<&'static str> {
    ["type", "uid", "name"]
        .into_iter()
        .find(|key| !list.is_empty() && list.iter().all(|entry| entry.get(key).is_some()))
}
