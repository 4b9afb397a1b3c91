//! Checks an object against its schema, in the words of the real server.

use jiff::{Timestamp, civil};
use serde_json::Value;

use super::{
    field_path::FieldPath,
    schema::{Additional, ListType, Schema, Type},
    status::Cause,
};

/// Findings that keep CEL rules from being evaluated.
const BLOCKING: &[&str] = &[
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
];

/// Added when rules were not evaluated.
const NOT_CHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete \
     validation";

/// The field of findings that have no place.
const NOWHERE: &str = "<nil>";

impl Schema {
    /// What is wrong with the object; `earlier` are findings about its metadata. On an update, what was wrong before
    /// and did not change is let be.
    pub(crate) fn validate(
        &self,
        value: &Value,
        old: Option<&Value>,
        earlier: &[Cause],
    ) -> Vec<Cause> {
        let mut causes = Vec::new();
        check(self, value, old, &FieldPath::Root, &mut causes);
        self.validate_further(value, old, earlier, causes)
    }

    /// What is checked even of an object that says that it is of another kind: lists and rules.
    pub(crate) fn validate_further(
        &self,
        value: &Value,
        old: Option<&Value>,
        earlier: &[Cause],
        mut causes: Vec<Cause>,
    ) -> Vec<Cause> {
        check_lists(self, value, old, &FieldPath::Root, &mut causes);
        if self.has_rules {
            if earlier
                .iter()
                .chain(&causes)
                .any(|cause| BLOCKING.contains(&cause.reason))
            {
                causes.push(Cause::invalid(NOWHERE, &Value::Null, NOT_CHECKED));
            } else {
                causes.extend(self.evaluate_rules(value, old));
            }
        }
        causes
    }

    fn is_valid(&self, value: &Value, path: &FieldPath<'_>) -> bool {
        let mut causes = Vec::new();
        check(self, value, None, path, &mut causes);
        causes.is_empty()
    }

    /// What the older value had at the place of an entry of this list.
    pub(super) fn old_entry<'a>(&self, old: Option<&'a Value>, entry: &Value) -> Option<&'a Value> {
        old?.as_array()?
            .iter()
            .find(|candidate| self.same_entry(candidate, entry))
    }
}

fn check(
    schema: &Schema,
    value: &Value,
    old: Option<&Value>,
    path: &FieldPath<'_>,
    causes: &mut Vec<Cause>,
) {
    if old == Some(value) || (value.is_null() && schema.nullable) {
        return;
    }
    let expected = match schema.type_ {
        Type::Any => None,
        Type::Object => (!value.is_object()).then_some("object"),
        Type::Array => (!value.is_array()).then_some("array"),
        Type::String => (!value.is_string()).then_some("string"),
        Type::Integer => (!is_integer(value)).then_some("integer"),
        Type::Number => (!value.is_number()).then_some("number"),
        Type::Boolean => (!value.is_boolean()).then_some("boolean"),
        Type::IntOrString => (!is_integer(value) && !value.is_string()).then_some("integer,string"),
    };
    if let Some(expected) = expected {
        causes.push(wrong_type(path, type_name(value), expected));
        if schema.type_ == Type::Integer && value.is_number() {
            let detail = match schema.format.as_str() {
                "" => format!("Checked value must be of type integer (default format) in {path}"),
                format => {
                    format!("Checked value must be of type integer with format {format} in {path}")
                }
            };
            causes.push(Cause::invalid(NOWHERE, &"".into(), detail));
        }
        if !value.is_null() {
            check_allowed(schema, value, path, causes);
        }
        return;
    }
    check_alternatives(schema, value, path, causes);
    check_allowed(schema, value, path, causes);
    match value {
        Value::String(text) => check_text(schema, text, path, causes),
        Value::Number(_) => check_number(schema, value, path, causes),
        Value::Array(list) => check_array(schema, value, list, old, path, causes),
        Value::Object(_) => check_object(schema, value, old, path, causes),
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_allowed(schema: &Schema, value: &Value, path: &FieldPath<'_>, causes: &mut Vec<Cause>) {
    if schema.allowed.is_empty() || schema.allowed.contains(value) {
        return;
    }
    let supported: Vec<String> = schema.allowed.iter().map(quoted).collect();
    let message = format!(
        "Unsupported value: {value}: supported values: {}",
        supported.join(", ")
    );
    causes.push(Cause::new(
        "FieldValueNotSupported",
        path.to_string(),
        message,
    ));
}

fn check_alternatives(
    schema: &Schema,
    value: &Value,
    path: &FieldPath<'_>,
    causes: &mut Vec<Cause>,
) {
    let valid = |schemas: &[Schema]| {
        schemas
            .iter()
            .filter(|schema| schema.is_valid(value, path))
            .count()
    };
    for part in &schema.all_of {
        check(part, value, None, path, causes);
    }
    let mut problem = |detail: String| {
        causes.push(Cause::invalid(
            NOWHERE,
            &"".into(),
            format!("\"{path}\" {detail}"),
        ));
    };
    if !schema.any_of.is_empty() && valid(&schema.any_of) == 0 {
        problem("must validate at least one schema (anyOf)".to_owned());
    }
    match valid(&schema.one_of) {
        0 if !schema.one_of.is_empty() => {
            problem("must validate one and only one schema (oneOf). Found none valid".to_owned());
        }
        several if several > 1 => problem(format!(
            "must validate one and only one schema (oneOf). Found {several} valid alternatives"
        )),
        _ => {}
    }
    if schema
        .not
        .as_ref()
        .is_some_and(|schema| schema.is_valid(value, path))
    {
        problem("must not validate the schema (not)".to_owned());
    }
}

fn check_text(schema: &Schema, text: &str, path: &FieldPath<'_>, causes: &mut Vec<Cause>) {
    let length = text.chars().count() as u64;
    if let Some(limit) = schema.bounds.max_length.filter(|limit| length > *limit) {
        causes.push(too_long(path, limit));
    }
    let mut invalid = |detail: String| {
        causes.push(Cause::invalid(
            path.to_string(),
            &text.into(),
            format!("{path} in body {detail}"),
        ));
    };
    // Only the first of these is told.
    if let Some(limit) = schema.bounds.min_length.filter(|limit| length < *limit) {
        invalid(format!("should be at least {limit} chars long"));
    } else if let Some(pattern) = schema
        .pattern
        .as_ref()
        .filter(|pattern| !pattern.is_match(text))
    {
        invalid(format!("should match '{pattern}'"));
    }
    if !has_format(&schema.format, text) {
        causes.push(wrong_type(path, text, &schema.format));
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => {
            text.parse::<Timestamp>().is_ok()
                || (text.contains('T') && text.parse::<civil::DateTime>().is_ok())
        }
        "date" => text.parse::<civil::Date>().is_ok() && text.len() == "2006-01-02".len(),
        "uuid" => {
            let digits: String = text.chars().filter(|character| *character != '-').collect();
            digits.len() == 32
                && digits
                    .chars()
                    .all(|character| character.is_ascii_hexdigit())
        }
        "byte" => {
            text.len().is_multiple_of(4)
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        }
        _ => true,
    }
}

fn check_number(schema: &Schema, value: &Value, path: &FieldPath<'_>, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    let fits = match schema.format.as_str() {
        "int32" => value
            .as_i64()
            .is_some_and(|integer| i32::try_from(integer).is_ok()),
        "int64" => value.is_i64(),
        _ => true,
    };
    if !fits {
        let detail = format!(
            "Checked value must be of type integer with format {} in {path}",
            schema.format
        );
        causes.push(Cause::invalid(NOWHERE, &"".into(), detail));
    }
    let bounds = &schema.bounds;
    let mut invalid = |detail: String| {
        causes.push(Cause::invalid(
            path.to_string(),
            value,
            format!("{path} in body {detail}"),
        ));
    };
    if let Some(limit) = bounds.maximum {
        if bounds.exclusive_maximum && number >= limit {
            invalid(format!("should be less than {limit}"));
        } else if number > limit {
            invalid(format!("should be less than or equal to {limit}"));
        }
    }
    if let Some(limit) = bounds.minimum {
        if bounds.exclusive_minimum && number <= limit {
            invalid(format!("should be greater than {limit}"));
        } else if number < limit {
            invalid(format!("should be greater than or equal to {limit}"));
        }
    }
    if let Some(factor) = bounds.multiple_of.filter(|factor| *factor > 0.0)
        && (number / factor).fract() != 0.0
    {
        invalid(format!("should be a multiple of {factor}"));
    }
}

fn check_array(
    schema: &Schema,
    value: &Value,
    list: &[Value],
    old: Option<&Value>,
    path: &FieldPath<'_>,
    causes: &mut Vec<Cause>,
) {
    let count = list.len() as u64;
    if let Some(limit) = schema.bounds.max_items.filter(|limit| count > *limit) {
        causes.push(too_many(path, count, limit));
    }
    if let Some(limit) = schema.bounds.min_items.filter(|limit| count < *limit) {
        let detail = format!("{path} in body should have at least {limit} items");
        causes.push(Cause::invalid(path.to_string(), value, detail));
    }
    if let Some(items) = &schema.items {
        for (index, entry) in list.iter().enumerate() {
            check(
                items,
                entry,
                schema.old_entry(old, entry),
                &path.index(index),
                causes,
            );
        }
    }
}

fn check_object(
    schema: &Schema,
    value: &Value,
    old: Option<&Value>,
    path: &FieldPath<'_>,
    causes: &mut Vec<Cause>,
) {
    let Some(object) = value.as_object() else {
        return;
    };
    let count = object.len() as u64;
    if let Some(limit) = schema.bounds.max_properties.filter(|limit| count > *limit) {
        causes.push(too_many(path, count, limit));
    }
    if let Some(limit) = schema.bounds.min_properties.filter(|limit| count < *limit) {
        let detail = format!("{path} in body should have at least {limit} properties");
        causes.push(Cause::invalid(path.to_string(), value, detail));
    }
    for name in schema
        .required
        .iter()
        .filter(|name| !object.contains_key(*name))
    {
        causes.push(Cause::required(path.field(name).to_string(), ""));
    }
    for (name, value) in object {
        let inner = match (schema.properties.get(name), &schema.additional) {
            (Some(inner), _) => inner,
            (None, Additional::Of(inner)) => inner,
            (None, Additional::Nothing | Additional::Anything) => continue,
        };
        check(
            inner,
            value,
            old.and_then(|old| old.get(name)),
            &path.field(name),
            causes,
        );
    }
}

/// Entries of sets and maps must differ.
fn check_lists(
    schema: &Schema,
    value: &Value,
    old: Option<&Value>,
    path: &FieldPath<'_>,
    causes: &mut Vec<Cause>,
) {
    if old == Some(value) {
        return;
    }
    match value {
        Value::Array(list) => {
            for (index, entry) in list.iter().enumerate() {
                let repeated = |same: &dyn Fn(&Value) -> bool| list[..index].iter().any(same);
                let duplicate = match &schema.list {
                    ListType::Atomic => None,
                    ListType::Set => {
                        repeated(&|earlier| earlier == entry).then(|| entry.to_string())
                    }
                    ListType::Map(keys) => repeated(&|earlier| schema.same_entry(earlier, entry))
                        .then(|| {
                            let key: serde_json::Map<String, Value> = keys
                                .iter()
                                .filter_map(|key| Some((key.clone(), entry.get(key)?.clone())))
                                .collect();
                            Value::Object(key).to_string()
                        }),
                };
                if let Some(duplicate) = duplicate {
                    let message = format!("Duplicate value: {duplicate}");
                    causes.push(Cause::new(
                        "FieldValueDuplicate",
                        path.index(index).to_string(),
                        message,
                    ));
                }
                if let Some(items) = &schema.items {
                    check_lists(
                        items,
                        entry,
                        schema.old_entry(old, entry),
                        &path.index(index),
                        causes,
                    );
                }
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                let inner = match (schema.properties.get(name), &schema.additional) {
                    (Some(inner), _) => inner,
                    (None, Additional::Of(inner)) => inner,
                    (None, Additional::Nothing | Additional::Anything) => continue,
                };
                check_lists(
                    inner,
                    value,
                    old.and_then(|old| old.get(name)),
                    &path.field(name),
                    causes,
                );
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn wrong_type(path: &FieldPath<'_>, actual: &str, expected: &str) -> Cause {
    let actual = Value::from(actual);
    let message =
        format!("Invalid value: {actual}: {path} in body must be of type {expected}: {actual}");
    Cause::new("FieldValueTypeInvalid", path.to_string(), message)
}

fn too_long(path: &FieldPath<'_>, limit: u64) -> Cause {
    Cause::new(
        "FieldValueTooLong",
        path.to_string(),
        format!("Too long: may not be more than {limit} bytes"),
    )
}

fn too_many(path: &FieldPath<'_>, count: u64, limit: u64) -> Cause {
    let message = format!("Too many: {count}: must have at most {limit} items");
    Cause::new("FieldValueTooMany", path.to_string(), message)
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|float| float.fract() == 0.0)
}

pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_integer(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::String(_) => value.to_string(),
        other => format!("\"{other}\""),
    }
}
