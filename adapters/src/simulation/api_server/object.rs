//! Reading and changing the metadata of an object that is kept as JSON.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

/// An object at one resourceVersion, with its bytes, which go out as they are.
#[derive(Debug)]
pub(crate) struct StoredObject {
    pub(crate) value: Arc<Value>,
    pub(crate) bytes: Bytes,
    /// The resourceVersion.
    pub(crate) revision: u64,
}

impl StoredObject {
    /// Stamps `revision` on the object.
    pub(crate) fn new(mut value: Value, revision: u64) -> Self {
        metadata_mut(&mut value).insert("resourceVersion".to_owned(), revision.to_string().into());
        let bytes = json(&value);
        Self {
            value: Arc::new(value),
            bytes,
            revision,
        }
    }

    /// An object that a dry run did not create: it has no resourceVersion but what the client gave it.
    pub(crate) fn unwritten(value: Value) -> Self {
        let bytes = Bytes::from(value.to_string());
        Self {
            value: Arc::new(value),
            bytes,
            revision: 0,
        }
    }

    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey {
            namespace: text(&self.value, "namespace")
                .unwrap_or_default()
                .to_owned(),
            name: text(&self.value, "name").unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn uid(&self) -> &str {
        text(&self.value, "uid").unwrap_or_default()
    }

    pub(crate) fn deleting(&self) -> bool {
        text(&self.value, "deletionTimestamp").is_some()
    }
}

/// The bytes of a value: faster than what its `Display` makes, and the same.
fn json(value: &Value) -> Bytes {
    serde_json::to_vec(value)
        .expect("a value in memory is always JSON")
        .into()
}

/// Where an object lies within its resource, in the order of lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct ObjectKey {
    /// Empty for cluster-scoped objects.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

pub(crate) fn metadata(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata").and_then(Value::as_object)
}

/// The object's metadata, made if it is missing. `object` itself becomes a JSON object if it is none.
pub(crate) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    let entry = map_mut(object)
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    map_mut(entry)
}

fn map_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// A text of the metadata; an empty one counts as absent.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    metadata(object)?
        .get(field)?
        .as_str()
        .filter(|text| !text.is_empty())
}

pub(crate) fn generation(object: &Value) -> i64 {
    metadata(object)
        .and_then(|metadata| metadata.get("generation"))
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    metadata(object)
        .and_then(|metadata| metadata.get("finalizers"))
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// Replaces the finalizers; none removes the field.
pub(crate) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let metadata = metadata_mut(object);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".to_owned(), finalizers.into());
    }
}

pub(crate) fn labels(object: &Value) -> Option<&Map<String, Value>> {
    metadata(object)?.get("labels")?.as_object()
}

pub(crate) fn owner_references(object: &Value) -> &[Value] {
    metadata(object)
        .and_then(|metadata| metadata.get("ownerReferences"))
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The value at a path of field names.
pub(crate) fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter()
        .try_fold(object, |value, field| value.get(field))
}

/// Equal in all but the resourceVersion.
pub(crate) fn same_but_version(left: &Value, right: &Value) -> bool {
    let (Some(left), Some(right)) = (left.as_object(), right.as_object()) else {
        return left == right;
    };
    left.len() == right.len()
        && left
            .iter()
            .all(|(field, value)| match (field.as_str(), right.get(field)) {
                (_, None) => false,
                ("metadata", Some(other)) => same_metadata(value, other),
                (_, Some(other)) => value == other,
            })
}

fn same_metadata(left: &Value, right: &Value) -> bool {
    let fields = |value: &Value| -> usize {
        value.as_object().map_or(0, |map| {
            map.keys()
                .filter(|field| *field != "resourceVersion")
                .count()
        })
    };
    fields(left) == fields(right)
        && left.as_object().is_some_and(|map| {
            map.iter()
                .all(|(field, value)| field == "resourceVersion" || right.get(field) == Some(value))
        })
}

/// `metadata.name`, as a field selector's path.
pub(crate) const FIELD_NAME: [&str; 2] = ["metadata", "name"];
/// `metadata.namespace`.
pub(crate) const FIELD_NAMESPACE: [&str; 2] = ["metadata", "namespace"];
