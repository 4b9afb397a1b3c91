//! From the Rust types to the structural schemas of custom resource definitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::core::schema::{OptionalEnum, StructuralSchemaRewriter};
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// Who writes what the schema describes, which decides how strict it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The orchestrator or a gateway, whose versions we know: nothing may be null.
    Known,
    /// A controller of any version: null counts as absent, and unknown fields are kept.
    Anybody,
}

/// The structural schema of a type, as JSON.
pub(super) fn of<T: JsonSchema>(writer: Writer) -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .with_transform(StructuralSchemaRewriter)
        .with_transform(OptionalEnum)
        .into_generator()
        .into_root_schema_for::<T>();
    Tidy { writer }.transform(&mut schema);
    schema.to_value()
}

/// The longest value of a map of strings, in characters, where the Rust type does not say otherwise.
const LONGEST_MAP_VALUE: u32 = 16_384;

/// With this keyword a Rust type bounds the values of a map of strings: schemars' `inner(length)` reaches the items of
/// lists alone.
const LONGEST_VALUE: &str = "x-longest-value";

/// The most entries of a map of any values.
const MOST_PARAMETERS: u32 = 1024;

/// Takes out what an API server warns of, refuses or misreads.
struct Tidy {
    writer: Writer,
}

impl Transform for Tidy {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(fields) = schema.as_object_mut() else {
            return;
        };
        // A default in the schema would hide that a field was left to the operator's configuration.
        fields.remove("default");
        fields.remove("title");
        if fields
            .get("format")
            .and_then(Value::as_str)
            .is_some_and(|format| format.starts_with("uint"))
        {
            fields.remove("format");
        }
        let bound = fields.remove(LONGEST_VALUE);
        if let Some(values) = fields.get_mut("additionalProperties")
            && values["type"] == "string"
            && values.get("maxLength").is_none()
        {
            values["maxLength"] = bound.unwrap_or_else(|| LONGEST_MAP_VALUE.into());
        }
        match self.writer {
            Writer::Known => {
                fields.remove("nullable");
                // schemars lists null among the words of an optional enum: not null here, and no word to others.
                if let Some(words) = fields.get_mut("enum").and_then(Value::as_array_mut) {
                    words.retain(|word| !word.is_null());
                }
                open_object_to_map(fields);
            }
            Writer::Anybody if fields.contains_key("properties") => {
                fields.insert("x-kubernetes-preserve-unknown-fields".into(), true.into());
            }
            Writer::Anybody => {}
        }
    }
}

/// Says of an object of any shape that it is a map of values of any shape. The API server compares two objects
/// of unknown fields value by value but not name by name (renaming a field passes `self == oldSelf`, seen on
/// 1.36), and compares two maps as one expects.
fn open_object_to_map(fields: &mut Map<String, Value>) {
    if fields.contains_key("properties")
        || fields
            .remove("x-kubernetes-preserve-unknown-fields")
            .is_none()
    {
        return;
    }
    fields.insert(
        "additionalProperties".into(),
        json!({ "x-kubernetes-preserve-unknown-fields": true }),
    );
    fields.insert("maxProperties".into(), MOST_PARAMETERS.into());
}

/// The schema of a whole object: `spec` required, `status` optional.
pub(super) fn root(description: &str, spec: Value, status: Value) -> JSONSchemaProps {
    let properties = Map::from_iter([("spec".to_owned(), spec), ("status".to_owned(), status)]);
    let schema = json!({
        "description": description,
        "type": "object",
        "required": ["spec"],
        "properties": properties,
    });
    // The schema is made of our own types, and the tests read each of them.
    serde_json::from_value(schema)
        .expect("every keyword that schemars writes is one of JSONSchemaProps")
}

/// Adds CEL rules to a schema, each with what it tells people.
pub(super) fn add_rules(schema: &mut Value, rules: &[(String, String)]) {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(rule, message)| json!({ "rule": rule, "message": message }))
        .collect();
    if let Value::Object(fields) = schema {
        fields.insert("x-kubernetes-validations".into(), Value::Array(rules));
    }
}

/// The properties of a schema of an object.
pub(super) fn properties(schema: &mut Value) -> Option<&mut Map<String, Value>> {
    schema.get_mut("properties")?.as_object_mut()
}
