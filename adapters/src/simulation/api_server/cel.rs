//! The CEL rules of a schema (`x-kubernetes-validations`), transition rules among them.

use std::{collections::HashMap, sync::Arc};

use kube::core::cel::{
    KubeCelExt,
    cel::{
        Context, Program, Value as CelValue,
        objects::{Key, Map as CelMap},
    },
};
use serde_json::Value;

use super::{
    field_path::FieldPath,
    schema::{Additional, Schema, Type},
    status::Cause,
    validate::type_name,
};

/// One rule, compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    source: String,
    program: Program,
    /// It compares with the older value, so it does not apply to a new one.
    transition: bool,
    optional_old: bool,
    /// It says no more than that nothing changes.
    immutable: bool,
    message: Option<String>,
    message_expression: Option<Program>,
    reason: &'static str,
    /// Relative to the rule's place: `.spec.size`.
    field_path: String,
}

thread_local! {
    /// Registering the functions takes longer than evaluating a rule.
    static FUNCTIONS: Context<'static> = Context::default().with_all();
    /// The engine's own reading of times; its time type comes from a crate that this project does not use.
    static TIMESTAMP: Option<Program> = Program::compile("timestamp(text)").ok();
    static DURATION: Option<Program> = Program::compile("duration(text)").ok();
}

impl Rule {
    /// Compiles an entry of `x-kubernetes-validations`; the error is the compiler's.
    pub(crate) fn compile(rule: &Value) -> Result<Self, String> {
        let text = |name: &str| {
            rule.get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let source = text("rule").unwrap_or_default().trim().to_owned();
        let program = Program::compile(&source).map_err(|error| error.to_string())?;
        let message_expression = text("messageExpression")
            .map(Program::compile)
            .transpose()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            transition: program.references().has_variable("oldSelf"),
            optional_old: rule.get("optionalOldSelf").and_then(Value::as_bool) == Some(true),
            immutable: source == "self == oldSelf",
            message: text("message").map(|message| message.trim().to_owned()),
            message_expression,
            reason: match text("reason") {
                Some("FieldValueForbidden") => "FieldValueForbidden",
                Some("FieldValueRequired") => "FieldValueRequired",
                Some("FieldValueDuplicate") => "FieldValueDuplicate",
                _ => "FieldValueInvalid",
            },
            field_path: text("fieldPath").unwrap_or_default().to_owned(),
            source,
            program,
        })
    }

    fn evaluate(
        &self,
        context: &Context<'_>,
        value: &Value,
        path: &FieldPath<'_>,
    ) -> Option<Cause> {
        let detail = match self.program.execute(context) {
            Ok(CelValue::Bool(true)) => return None,
            Ok(CelValue::Bool(false)) => {
                let message = self.message(context);
                // A real server shows what is not a list or a map.
                match value {
                    Value::Array(_) | Value::Object(_) => message,
                    scalar if self.reason == "FieldValueInvalid" => format!("{scalar}: {message}"),
                    _ => message,
                }
            }
            Ok(_) => format!("rule {} did not evaluate to a boolean", self.source),
            Err(error) => {
                let rule = self.message.as_ref().unwrap_or(&self.source);
                let type_ = type_name(value);
                format!(
                    "\"{type_}\": {} evaluating rule: {rule}",
                    evaluation_error(&error.to_string())
                )
            }
        };
        let message = match self.reason {
            "FieldValueForbidden" => format!("Forbidden: {detail}"),
            "FieldValueRequired" => format!("Required value: {detail}"),
            "FieldValueDuplicate" => format!("Duplicate value: {detail}"),
            _ => format!("Invalid value: {detail}"),
        };
        let field = format!("{path}{}", self.field_path);
        Some(Cause::new(
            self.reason,
            field.trim_start_matches('.'),
            message,
        ))
    }

    fn message(&self, context: &Context<'_>) -> String {
        let expressed =
            self.message_expression
                .as_ref()
                .and_then(|program| match program.execute(context) {
                    Ok(CelValue::String(text))
                        if !text.trim().is_empty() && !text.contains('\n') =>
                    {
                        Some(text.to_string())
                    }
                    _ => None,
                });
        expressed
            .or_else(|| self.message.clone())
            .unwrap_or_else(|| format!("failed rule: {}", self.source))
    }
}

impl Schema {
    /// The rules that the object breaks. Rules about what did not change are left out, but for transition rules.
    pub(super) fn evaluate_rules(&self, value: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = Vec::new();
        FUNCTIONS
            .with(|functions| evaluate(self, value, old, &FieldPath::Root, functions, &mut causes));
        causes
    }
}

fn evaluate(
    schema: &Schema,
    value: &Value,
    old: Option<&Value>,
    path: &FieldPath<'_>,
    functions: &Context<'_>,
    causes: &mut Vec<Cause>,
) {
    if !schema.has_rules || value.is_null() {
        return;
    }
    evaluate_here(schema, value, old, path, functions, causes);
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let old = old.and_then(|old| old.get(name));
                if let Some(inner) = schema.properties.get(name) {
                    evaluate(inner, value, old, &path.field(name), functions, causes);
                } else if let Additional::Of(inner) = &schema.additional {
                    evaluate(inner, value, old, &path.key(name), functions, causes);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, entry) in list.iter().enumerate() {
                    let old = schema.old_entry(old, entry);
                    evaluate(items, entry, old, &path.index(index), functions, causes);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn evaluate_here(
    schema: &Schema,
    value: &Value,
    old: Option<&Value>,
    path: &FieldPath<'_>,
    functions: &Context<'_>,
    causes: &mut Vec<Cause>,
) {
    let unchanged = old == Some(value);
    let applies = |rule: &Rule| {
        if rule.immutable && unchanged {
            false
        } else if rule.transition {
            old.is_some() || rule.optional_old
        } else {
            !unchanged
        }
    };
    if !schema.rules.iter().any(applies) {
        return;
    }
    let mut context = functions.new_inner_scope();
    context.add_variable_from_value("self", to_cel(schema, value));
    // Without an older value, rules with an optional one see null.
    context.add_variable_from_value(
        "oldSelf",
        old.map_or(CelValue::Null, |old| to_cel(schema, old)),
    );
    for rule in schema.rules.iter().filter(|rule| applies(rule)) {
        causes.extend(rule.evaluate(&context, value, path));
    }
}

/// The value as rules see it: fields by their escaped names, times as times.
fn to_cel(schema: &Schema, value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (_, Some(float)) if schema.type_ == Type::Number => CelValue::Float(float),
            (Some(integer), _) => CelValue::Int(integer),
            (None, float) => CelValue::Float(float.unwrap_or(f64::NAN)),
        },
        Value::String(text) => text_to_cel(&schema.format, text),
        Value::Array(list) => {
            let any = Schema::default();
            let items = schema.items.as_deref().unwrap_or(&any);
            CelValue::List(Arc::new(
                list.iter().map(|entry| to_cel(items, entry)).collect(),
            ))
        }
        Value::Object(object) => {
            let any = Schema::default();
            let mut map = HashMap::with_capacity(object.len());
            for (name, value) in object {
                let (key, value) = match (schema.properties.get(name), &schema.additional) {
                    (Some(inner), _) => (escape(name), to_cel(inner, value)),
                    (None, Additional::Of(inner)) => (name.clone(), to_cel(inner, value)),
                    (None, Additional::Anything) => (name.clone(), to_cel(&any, value)),
                    (None, Additional::Nothing) if schema.embedded && name == "metadata" => {
                        (name.clone(), metadata_to_cel(value))
                    }
                    (None, Additional::Nothing) => (escape(name), to_cel(&any, value)),
                };
                map.insert(Key::String(Arc::new(key)), value);
            }
            CelValue::Map(CelMap { map: Arc::new(map) })
        }
    }
}

/// Rules see no more of the metadata than the name.
fn metadata_to_cel(metadata: &Value) -> CelValue {
    let fields = ["name", "generateName"].into_iter().filter_map(|field| {
        let text = metadata.get(field)?.as_str()?;
        Some((
            Key::String(Arc::new(field.to_owned())),
            CelValue::from(text),
        ))
    });
    CelValue::Map(CelMap {
        map: Arc::new(fields.collect()),
    })
}

fn text_to_cel(format: &str, text: &str) -> CelValue {
    let read = |program: &Option<Program>| {
        FUNCTIONS.with(|functions| {
            let mut context = functions.new_inner_scope();
            context.add_variable_from_value("text", text);
            program
                .as_ref()
                .and_then(|program| program.execute(&context).ok())
        })
    };
    let special = match format {
        "date-time" => TIMESTAMP.with(read),
        "duration" => DURATION.with(read),
        _ => None,
    };
    special.unwrap_or_else(|| CelValue::from(text))
}

/// The engine's error in the words of a real server, where operators are likely to meet it.
fn evaluation_error(error: &str) -> String {
    if error.contains("'duration'") {
        return "type conversion error from 'string' to 'google.protobuf.Duration'".to_owned();
    }
    error.to_owned()
}

const KEYWORDS: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A field's name as an identifier of CEL.
fn escape(name: &str) -> String {
    if KEYWORDS.contains(&name) {
        return format!("__{name}__");
    }
    if name
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || character == '_')
        && !name.contains("__")
    {
        return name.to_owned();
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}
