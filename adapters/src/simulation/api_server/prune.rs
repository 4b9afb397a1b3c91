//! What the schema makes of an object before it is checked: unknown fields go, defaults come.

use serde_json::Value;

use super::{
    field_path::FieldPath,
    schema::{Additional, Schema, Type},
};

/// Fields of every resource, the embedded ones too.
const RESOURCE_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Schema {
    /// Removes fields that the schema does not know. Returns their paths.
    pub(crate) fn prune(&self, value: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        prune(self, value, &FieldPath::Root, &mut unknown);
        unknown
    }

    /// Removes nulls where there may be none, and fills in what is missing and has a default.
    pub(crate) fn apply_defaults(&self, value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.retain(|name, value| {
                    let schema = match (self.properties.get(name), &self.additional) {
                        (Some(schema), _) => schema,
                        (None, Additional::Of(schema)) => schema,
                        (None, Additional::Nothing | Additional::Anything) => return true,
                    };
                    schema.apply_defaults(value);
                    !value.is_null() || schema.nullable
                });
                for (name, schema) in &self.properties {
                    if let Some(default) = &schema.default
                        && !object.contains_key(name)
                    {
                        let mut value = default.clone();
                        schema.apply_defaults(&mut value);
                        object.insert(name.clone(), value);
                    }
                }
            }
            Value::Array(list) => {
                if let Some(schema) = &self.items {
                    list.iter_mut()
                        .for_each(|value| schema.apply_defaults(value));
                }
            }
            Value::Number(number) if self.type_ == Type::Integer && number.is_f64() => {
                // `3.0` is an integer.
                let whole = number
                    .as_f64()
                    .filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
                if let Some(float) = whole {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "whole, and far within the range"
                    )]
                    let integer = float as i64;
                    *value = integer.into();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn prune(schema: &Schema, value: &mut Value, path: &FieldPath<'_>, unknown: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            object.retain(|name, value| {
                let inner = path.field(name);
                if let Some(schema) = schema.properties.get(name) {
                    prune(schema, value, &inner, unknown);
                    return true;
                }
                match &schema.additional {
                    Additional::Of(schema) => prune(schema, value, &inner, unknown),
                    Additional::Anything => {}
                    Additional::Nothing => {
                        let kept = schema.preserves_unknown
                            || (schema.embedded && RESOURCE_FIELDS.contains(&name.as_str()));
                        if !kept {
                            unknown.push(inner.to_string());
                        }
                        return kept;
                    }
                }
                true
            });
        }
        Value::Array(list) => {
            if let Some(schema) = &schema.items {
                for (index, value) in list.iter_mut().enumerate() {
                    prune(schema, value, &path.index(index), unknown);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::compile(&json!({
            "type": "object",
            "properties": {
                "spec": {"type": "object", "properties": {
                    "size": {"type": "integer", "default": 3},
                    "maybe": {"type": "string", "nullable": true},
                    "options": {"type": "object", "default": {}, "properties": {
                        "depth": {"type": "integer", "default": 7},
                    }},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
                }},
            },
        }))
        .expect("a structural schema")
    }

    #[test]
    fn unknown_fields_go_and_are_named() {
        let mut value = json!({"kind": "X", "spec": {"foo": 1, "free": {"foo": 1}, "limits": {"foo": 1}}, "foo": 1});
        assert_eq!(schema().prune(&mut value), ["foo", "spec.foo"]);
        assert_eq!(
            value,
            json!({"kind": "X", "spec": {"free": {"foo": 1}, "limits": {"foo": 1}}})
        );
    }

    #[test]
    fn defaults_fill_what_is_missing_or_null() {
        let mut value = json!({"spec": {"size": null, "maybe": null, "limits": {"a": null}}});
        schema().apply_defaults(&mut value);
        let expected =
            json!({"spec": {"size": 3, "maybe": null, "options": {"depth": 7}, "limits": {}}});
        assert_eq!(value, expected);
    }
}
