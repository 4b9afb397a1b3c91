//! Reading the body of a write, before the stored object is looked at.

use serde_json::Value;

use super::{
    check::{check_name, check_namespace, check_type},
    endpoint::{Endpoint, FieldValidation, WriteOptions},
    metadata,
    status::{ApiError, Cause},
};

/// The body must be about the path's object, unknown
/// fields go, defaults come. Returns warnings.
pub(crate) fn decode(
    endpoint: &Endpoint,
    namespace: Option<&str>,
    name: Option<&str>,
    value: &mut Value,
    options: WriteOptions,
) -> Result<Vec<String>, ApiError> {
    check_type(endpoint, value)?;
    let warnings = admit(endpoint, value, options)?;
    let about = check_namespace(namespace, value)
        .and_then(|()| name.map_or(Ok(()), |name| check_name(name, value)));
    match about {
        Ok(()) => Ok(warnings),
        Err(error) => Err(error.warning(&warnings)),
    }
}

/// Drops unknown fields, fills in defaults, and says (or refuses) what was dropped.
fn admit(
    endpoint: &Endpoint,
    value: &mut Value,
    options: WriteOptions,
) -> Result<Vec<String>, ApiError> {
    let mut unknown = match metadata::normalise(value) {
        Ok(unknown) => unknown,
        Err(detail) => return Err(undecodable(endpoint, value, options, &detail)),
    };
    if let Some(fields) = &endpoint.version().fields {
        unknown.extend(fields.prune(value));
        fields.apply_defaults(value);
        if let Some(cause) = fields.validate(value, None, &[]).first() {
            let detail = format!("json: {}: {}", cause.field, cause.message);
            return Err(undecodable(endpoint, value, options, &detail));
        }
    }
    // Nothing is known of the fields of another kind; it will be found invalid.
    let kind = value.get("kind").and_then(Value::as_str);
    let schema = endpoint.version().schema.as_ref();
    if let Some(schema) = schema.filter(|_| kind == Some(&endpoint.definition.kind)) {
        unknown.extend(schema.prune(value));
        schema.apply_defaults(value);
    }
    let findings = unknown
        .iter()
        .map(|field| format!("unknown field \"{field}\""));
    let mut warnings = metadata::merge_owners(value);
    match options.field_validation {
        FieldValidation::Ignore => Ok(warnings),
        FieldValidation::Warn => {
            let mut all: Vec<String> = findings.collect();
            all.append(&mut warnings);
            Ok(all)
        }
        FieldValidation::Strict if unknown.is_empty() => Ok(warnings),
        FieldValidation::Strict => {
            let findings = findings.collect::<Vec<_>>().join(", ");
            let detail = format!("strict decoding error: {findings}");
            Err(undecodable(endpoint, value, options, &detail))
        }
    }
}

/// The object cannot be read as one of its kind.
pub(crate) fn undecodable(
    endpoint: &Endpoint,
    value: &Value,
    options: WriteOptions,
    detail: &str,
) -> ApiError {
    if options.patched {
        let patched = Value::from(value.to_string());
        let cause = Cause::invalid("patch", &patched, detail);
        return ApiError::invalid_kind("", "", "", &[cause]);
    }
    let kind = &endpoint.definition.kind;
    ApiError::bad_request(format!(
        "{kind} in version \"{}\" cannot be handled as a {kind}: {detail}",
        endpoint.version().name
    ))
}
