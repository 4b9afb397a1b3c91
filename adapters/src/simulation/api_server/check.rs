//! Checks that come before all others: is the object the one that the request is about?

use serde_json::Value;

use super::{
    endpoint::{Endpoint, WriteOptions},
    object::{ObjectKey, StoredObject, text},
    resource::ResourceDefinition,
    status::{ApiError, Cause},
};

/// The object is of the kind and version that the path names.
pub(crate) fn check_type(endpoint: &Endpoint, value: &Value) -> Result<(), ApiError> {
    let definition = &endpoint.definition;
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (field("apiVersion"), field("kind"));
    if kind.is_empty() {
        let body = value.to_string();
        let why = format!("Object 'Kind' is missing in '{body}'");
        return Err(unrecognized(endpoint, body.as_bytes(), &why));
    }
    let expected = endpoint.api_version();
    let custom = definition.rules.custom;
    if !custom && (api_version != expected || kind != definition.kind) {
        let version = api_version.rsplit('/').next().unwrap_or_default();
        return Err(ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {}: no kind \"{kind}\" is registered for version \
             \"{api_version}\" in scheme \"pkg/runtime/scheme.go:111\"",
            definition.kind
        )));
    }
    if api_version != expected {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        )));
    }
    // A custom object of another kind is found invalid later.
    Ok(())
}

/// An object of a built-in kind is one of the path's kind if it does not say what it is.
pub(crate) fn typed(definition: &ResourceDefinition, api_version: &str, mut value: Value) -> Value {
    if value.is_null() {
        value = serde_json::json!({});
    }
    for (field, expected) in [
        ("apiVersion", api_version),
        ("kind", definition.kind.as_str()),
    ] {
        if value[field].as_str().is_none_or(str::is_empty) {
            value[field] = expected.into();
        }
    }
    value
}

/// What the body tells of its kind cannot be read. The message ends in the body's beginning, in hexadecimal if it is
/// no JSON object.
pub(crate) fn unrecognized(endpoint: &Endpoint, body: &[u8], why: &str) -> ApiError {
    /// In bytes.
    const SHOWN: usize = 30;
    let beginning = &body[..body.len().min(SHOWN)];
    let summary = match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(beginning).into_owned(),
        Some(_) => beginning.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let more = if body.len() > SHOWN { " ..." } else { "" };
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {why} ({summary}{more})",
        endpoint.definition.kind
    ))
}

/// The object's own namespace, if it gives one, is the path's. A cluster-scoped object's is forgotten.
pub(crate) fn check_namespace(namespace: Option<&str>, value: &mut Value) -> Result<(), ApiError> {
    if namespace.is_none()
        && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("namespace");
    }
    match (namespace, text(value, "namespace")) {
        (Some(namespace), Some(given)) if given != namespace => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        _ => Ok(()),
    }
}

/// The object's own name is the path's.
pub(crate) fn check_name(name: &str, value: &Value) -> Result<(), ApiError> {
    match text(value, "name") {
        Some(given) if given == name => Ok(()),
        Some(given) => Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        ))),
        None => Err(ApiError::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
    }
}

/// The object under this key is another one than the UID says.
pub(crate) fn wrong_uid(
    definition: &ResourceDefinition,
    key: &ObjectKey,
    root: &str,
    wanted: &str,
    found: &str,
) -> ApiError {
    let resource = if definition.rules.custom {
        format!("{}/{}", definition.group, definition.plural)
    } else {
        definition.plural.clone()
    };
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {root}/{resource}/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
        key.namespace, key.name
    )
    .replace("//", "/");
    ApiError::conflict(definition, &key.name, &why)
}

/// The UID, if there is one, and the resourceVersion must be those of the stored object.
pub(crate) fn check_identity(
    definition: &ResourceDefinition,
    old: &StoredObject,
    value: &Value,
    options: WriteOptions,
) -> Result<(), ApiError> {
    let key = old.key();
    // In a patch, it is a change of a field that may not change.
    if let Some(uid) = text(value, "uid").filter(|uid| *uid != old.uid() && !options.patched) {
        // A real server's dry run asks below its store's root.
        let root = if options.dry_run { "" } else { "/registry" };
        return Err(wrong_uid(definition, &key, root, uid, old.uid()));
    }
    match text(value, "resourceVersion").map(str::parse::<u64>) {
        None | Some(Ok(0)) if definition.rules.unconditional_update => Ok(()),
        None | Some(Ok(0)) => {
            let cause = Cause::invalid(
                "metadata.resourceVersion",
                &0.into(),
                "must be specified for an update",
            );
            Err(ApiError::invalid_kind(
                &definition.group,
                &definition.plural,
                &key.name,
                &[cause],
            ))
        }
        Some(Ok(version)) if version == old.revision => Ok(()),
        Some(Ok(_)) => Err(ApiError::modified(definition, &key.name)),
        Some(Err(_)) => {
            let version = text(value, "resourceVersion").unwrap_or_default();
            Err(ApiError::internal(format!(
                "strconv.ParseUint: parsing \"{version}\": invalid syntax"
            )))
        }
    }
}
