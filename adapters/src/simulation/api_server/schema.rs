//! A CustomResourceDefinition's structural schema, compiled once: patterns and CEL rules are ready to run.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::{cel::Rule, field_path::FieldPath, status::Cause};

/// Deeper schemas are refused.
const MAX_DEPTH: usize = 64;

/// One node of the schema.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(super) type_: Type,
    pub(super) nullable: bool,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) additional: Additional,
    pub(super) required: Vec<String>,
    pub(super) items: Option<Box<Schema>>,
    /// `enum`.
    pub(super) allowed: Vec<Value>,
    pub(super) bounds: Bounds,
    pub(super) pattern: Option<Regex>,
    pub(super) format: String,
    pub(super) list: ListType,
    pub(super) default: Option<Value>,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub(super) preserves_unknown: bool,
    /// `x-kubernetes-embedded-resource`.
    pub(super) embedded: bool,
    pub(super) rules: Vec<Rule>,
    /// There are rules here or further down.
    pub(super) has_rules: bool,
    pub(super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
}

/// The JSON type that a value must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Type {
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

/// What else than its properties an object may have.
#[derive(Debug, Default)]
pub(crate) enum Additional {
    /// Nothing; it is pruned.
    #[default]
    Nothing,
    Anything,
    Of(Box<Schema>),
}

/// Limits of size.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    /// In characters.
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
}

/// `x-kubernetes-list-type`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum ListType {
    #[default]
    Atomic,
    Set,
    /// Entries are told apart by these fields.
    Map(Vec<String>),
}

impl Schema {
    /// Compiles the `openAPIV3Schema` of a version. The causes' fields are relative to it.
    pub(crate) fn compile(schema: &Value) -> Result<Self, Vec<Cause>> {
        let mut causes = Vec::new();
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            causes.push(Cause::required(".type", "must not be empty at the root"));
        }
        let mut root = compile(schema, &FieldPath::Root, 0, &mut causes);
        // The server itself sees to these.
        for field in ["apiVersion", "kind", "metadata"] {
            root.properties.remove(field);
        }
        root.embedded = true;
        if causes.is_empty() {
            Ok(root)
        } else {
            Err(causes)
        }
    }

    /// The key of an entry of a list of type `map`, by which it is found again in an older list.
    pub(super) fn same_entry(&self, left: &Value, right: &Value) -> bool {
        match &self.list {
            ListType::Map(keys) => keys.iter().all(|key| left.get(key) == right.get(key)),
            ListType::Atomic | ListType::Set => false,
        }
    }
}

fn compile(schema: &Value, path: &FieldPath<'_>, depth: usize, causes: &mut Vec<Cause>) -> Schema {
    let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
    let texts = |name: &str| -> Vec<String> {
        let list = schema.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    if depth > MAX_DEPTH {
        causes.push(Cause::forbidden(
            relative(path),
            format!("nested more than {MAX_DEPTH} levels deep"),
        ));
        return Schema::default();
    }
    let inner = |name: &str, causes: &mut Vec<Cause>| -> Vec<Schema> {
        let list = schema.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .map(|schema| compile(schema, &path.field(name), depth + 1, causes))
            .collect()
    };
    let (all_of, any_of, one_of) = (
        inner("allOf", causes),
        inner("anyOf", causes),
        inner("oneOf", causes),
    );
    let child = |name: &str, causes: &mut Vec<Cause>| -> Option<Box<Schema>> {
        let schema = schema.get(name).filter(|schema| schema.is_object())?;
        Some(Box::new(compile(
            schema,
            &path.field(name),
            depth + 1,
            causes,
        )))
    };
    let mut properties = BTreeMap::new();
    for (name, schema) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let parent = path.field("properties");
        let here = parent.key(name);
        let free = [
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
        ]
        .iter()
        .any(|extension| schema.get(extension) == Some(&Value::Bool(true)));
        if schema.get("type").is_none() && !free {
            let field = format!("{}.type", relative(&here));
            causes.push(Cause::required(
                field,
                "must not be empty for specified object fields",
            ));
        }
        properties.insert(name.clone(), compile(schema, &here, depth + 1, causes));
    }
    let additional = match schema.get("additionalProperties") {
        None | Some(Value::Bool(false)) => Additional::Nothing,
        Some(Value::Object(_)) => {
            child("additionalProperties", causes).map_or(Additional::Nothing, Additional::Of)
        }
        Some(_) => Additional::Anything,
    };
    let pattern = match Some(text("pattern"))
        .filter(|pattern| !pattern.is_empty())
        .map(Regex::new)
    {
        None => None,
        Some(Ok(pattern)) => Some(pattern),
        Some(Err(error)) => {
            let field = format!("{}.pattern", relative(path));
            let detail = format!("must be a valid regular expression, but isn't: {error}");
            causes.push(Cause::invalid(field, &text("pattern").into(), detail));
            None
        }
    };
    let mut compiled = Schema {
        type_: if flag("x-kubernetes-int-or-string") {
            Type::IntOrString
        } else {
            type_of(text("type"))
        },
        nullable: flag("nullable"),
        additional,
        required: texts("required"),
        items: child("items", causes),
        allowed: schema
            .get("enum")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default(),
        bounds: bounds(schema),
        pattern,
        format: text("format").to_owned(),
        list: match text("x-kubernetes-list-type") {
            "set" => ListType::Set,
            "map" => ListType::Map(texts("x-kubernetes-list-map-keys")),
            _ => ListType::Atomic,
        },
        default: schema
            .get("default")
            .filter(|value| !value.is_null())
            .cloned(),
        preserves_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        embedded: flag("x-kubernetes-embedded-resource"),
        rules: rules(schema, path, causes),
        has_rules: false,
        not: child("not", causes),
        properties,
        all_of,
        any_of,
        one_of,
    };
    compiled.has_rules = !compiled.rules.is_empty()
        || compiled.properties.values().any(|schema| schema.has_rules)
        || compiled
            .items
            .as_ref()
            .is_some_and(|schema| schema.has_rules)
        || matches!(&compiled.additional, Additional::Of(schema) if schema.has_rules);
    compiled
}

fn rules(schema: &Value, path: &FieldPath<'_>, causes: &mut Vec<Cause>) -> Vec<Rule> {
    let list = schema
        .get("x-kubernetes-validations")
        .and_then(Value::as_array);
    let mut rules = Vec::new();
    for (index, rule) in list.into_iter().flatten().enumerate() {
        match Rule::compile(rule) {
            Ok(rule) => rules.push(rule),
            Err(problem) => {
                let field = format!("{}.x-kubernetes-validations[{index}].rule", relative(path));
                causes.push(Cause::invalid(
                    field,
                    rule,
                    format!("compilation failed: {problem}"),
                ));
            }
        }
    }
    rules
}

fn type_of(name: &str) -> Type {
    match name {
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        _ => Type::Any,
    }
}

fn bounds(schema: &Value) -> Bounds {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    let count = |name: &str| schema.get(name).and_then(Value::as_u64);
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
    Bounds {
        minimum: number("minimum"),
        exclusive_minimum: flag("exclusiveMinimum"),
        maximum: number("maximum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        multiple_of: number("multipleOf"),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
    }
}

/// The path as a suffix of another.
fn relative(path: &FieldPath<'_>) -> String {
    match path {
        FieldPath::Root => String::new(),
        inner => format!(".{inner}"),
    }
}
