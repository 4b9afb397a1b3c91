//! Create and update, with everything the server sets, keeps or refuses on the way.

use std::sync::Arc;

use serde_json::Value;

use super::{
    crd, metadata, namespace,
    object::{
        ObjectKey, StoredObject, finalizers, generation, metadata_mut, same_but_version, text,
    },
    path::Query,
    resource::{ResourceDefinition, VersionDefinition},
    server::Context,
    status::{ApiError, Cause},
    store::Store,
};

/// Tries for a free name under a `generateName`.
const NAME_TRIES: usize = 8;
const NAME_CHARACTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What to do about fields that the schema does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// The query of a write.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) field_validation: FieldValidation,
}

impl WriteOptions {
    pub(crate) fn parse(query: &Query) -> Self {
        let field_validation = match query.text("fieldValidation") {
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        };
        Self {
            dry_run: query.dry_run(),
            field_validation,
        }
    }
}

/// A resource in the version that the request names.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) definition: Arc<ResourceDefinition>,
    pub(crate) version: usize,
}

impl Endpoint {
    pub(crate) fn version(&self) -> &VersionDefinition {
        &self.definition.versions[self.version]
    }

    pub(crate) fn api_version(&self) -> String {
        self.definition.api_version(&self.version().name)
    }
}

/// A write that was accepted.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) object: Arc<StoredObject>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

/// Creates an object; `name` is the one the URL gives, on an update that may create.
pub(crate) fn create(
    store: &mut Store,
    context: &Context,
    endpoint: &Endpoint,
    namespace: Option<&str>,
    mut value: Value,
    options: WriteOptions,
) -> Result<Written, ApiError> {
    let definition = &endpoint.definition;
    check_type(endpoint, &value)?;
    check_namespace(namespace, &value)?;
    let warnings = admit(endpoint, &mut value, options)?;
    let name = match text(&value, "name") {
        Some(name) => name.to_owned(),
        None => generate_name(store, definition, namespace, &value),
    };
    let metadata = metadata_mut(&mut value);
    if metadata.contains_key("resourceVersion") {
        return Err(ApiError::new(
            500,
            "InternalError",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    if let Some(namespace) = namespace {
        namespace::admit_content(store, definition, namespace, &name)?;
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    if !name.is_empty() {
        metadata.insert("name".to_owned(), name.clone().into());
    }
    for field in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        metadata.remove(field);
    }
    metadata.insert("uid".to_owned(), store.uids.next().into());
    metadata.insert("creationTimestamp".to_owned(), context.now.clone().into());
    if definition.rules.generation {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if endpoint.version().status
        && let Some(object) = value.as_object_mut()
    {
        object.remove("status");
    }
    if definition.is_namespace() {
        namespace::complete(&mut value, &name);
    }
    let causes = validate(endpoint, &value, None);
    if !causes.is_empty() {
        return Err(ApiError::invalid(definition, &name, &causes));
    }
    if definition.is_custom_resource_definition() {
        crd::complete(&mut value, context);
        crd::check(definition, &name, &value)?;
    }
    let key = ObjectKey {
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.clone(),
    };
    if store.get(definition, &key).is_some() {
        return Err(ApiError::already_exists(definition, &name));
    }
    value["apiVersion"] = definition.api_version(&definition.storage_version).into();
    let object = if options.dry_run {
        Arc::new(StoredObject::new(value, 0))
    } else {
        store.put(definition, value)
    };
    if definition.is_custom_resource_definition() && !options.dry_run {
        crd::serve(store, &object.value);
    }
    Ok(Written {
        object,
        created: true,
        warnings,
    })
}

/// Replaces `old` by `value`, or only its status. `value` is in the version that the request names.
pub(crate) fn update(
    store: &mut Store,
    context: &Context,
    endpoint: &Endpoint,
    old: &Arc<StoredObject>,
    mut value: Value,
    status_only: bool,
    options: WriteOptions,
) -> Result<Written, ApiError> {
    let definition = &endpoint.definition;
    let key = old.key();
    check_type(endpoint, &value)?;
    check_namespace(
        definition.namespaced.then_some(key.namespace.as_str()),
        &value,
    )?;
    check_name(&key.name, &value)?;
    let warnings = admit(endpoint, &mut value, options)?;
    check_identity(definition, old, &value)?;
    if definition.namespaced {
        metadata_mut(&mut value)
            .entry("namespace")
            .or_insert_with(|| key.namespace.clone().into());
    }
    value["apiVersion"] = definition.api_version(&definition.storage_version).into();
    let mut value = if status_only {
        with_status_of(old, value)
    } else {
        value
    };
    metadata::keep_server_fields(&mut value, &old.value);
    if !status_only && endpoint.version().status {
        keep_status(&mut value, &old.value);
    }
    if definition.is_namespace() && !status_only {
        value["spec"] = old.value["spec"].clone();
    }
    if definition.rules.generation && state_changed(&value, &old.value, endpoint.version().status) {
        let next = generation(&old.value) + 1;
        metadata_mut(&mut value).insert("generation".to_owned(), next.into());
    }
    let causes = validate(endpoint, &value, Some(&old.value));
    if !causes.is_empty() {
        return Err(ApiError::invalid(definition, &key.name, &causes));
    }
    if definition.is_custom_resource_definition() {
        crd::complete(&mut value, context);
        crd::check(definition, &key.name, &value)?;
    }
    if same_but_version(&value, &old.value) {
        return Ok(Written {
            object: Arc::clone(old),
            created: false,
            warnings,
        });
    }
    if options.dry_run {
        let object = Arc::new(StoredObject::new(value, old.revision));
        return Ok(Written {
            object,
            created: false,
            warnings,
        });
    }
    let released = old.deleting() && finalizers(&value).is_empty() && !definition.is_namespace();
    let object = if released {
        let object = store
            .remove(definition, &key)
            .unwrap_or_else(|| Arc::clone(old));
        if definition.is_custom_resource_definition() {
            crd::withdraw(store, &object.value);
        }
        object
    } else {
        store.put(definition, value)
    };
    if definition.is_custom_resource_definition() && !released {
        crd::serve(store, &object.value);
    }
    Ok(Written {
        object,
        created: false,
        warnings,
    })
}

/// Drops unknown fields, fills in defaults, and says (or refuses) what was dropped.
fn admit(
    endpoint: &Endpoint,
    value: &mut Value,
    options: WriteOptions,
) -> Result<Vec<String>, ApiError> {
    let mut unknown = metadata::normalise(value)?;
    if let Some(schema) = &endpoint.version().schema {
        unknown.extend(schema.prune(value));
        schema.apply_defaults(value);
    }
    let findings = unknown
        .iter()
        .map(|field| format!("unknown field \"{field}\""));
    match options.field_validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(findings.collect()),
        FieldValidation::Strict if unknown.is_empty() => Ok(Vec::new()),
        FieldValidation::Strict => {
            let findings: Vec<String> = findings.collect();
            let definition = &endpoint.definition;
            let subject = if definition.rules.custom {
                String::new()
            } else {
                format!(
                    "{} in version \"{}\" cannot be handled as a {}: ",
                    definition.kind,
                    endpoint.version().name,
                    definition.kind
                )
            };
            Err(ApiError::bad_request(format!(
                "{subject}strict decoding error: {}",
                findings.join(", ")
            )))
        }
    }
}

fn validate(endpoint: &Endpoint, value: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = metadata::validate(value, endpoint.definition.namespaced);
    if let Some(old) = old {
        causes.extend(metadata::validate_update(value, old));
    }
    if let Some(schema) = &endpoint.version().schema {
        causes.extend(schema.validate(value, old));
    }
    causes
}

fn check_type(endpoint: &Endpoint, value: &Value) -> Result<(), ApiError> {
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (field("apiVersion"), field("kind"));
    let expected = endpoint.api_version();
    if !value.is_object() {
        return Err(ApiError::bad_request(
            "the object provided is unrecognized (must be of type Object)",
        ));
    }
    if kind.is_empty() {
        return Err(ApiError::bad_request(
            "Object 'Kind' is missing in the body",
        ));
    }
    if api_version != expected {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        )));
    }
    if kind != endpoint.definition.kind {
        return Err(ApiError::bad_request(format!(
            "the kind in the data ({kind}) does not match the expected kind ({})",
            endpoint.definition.kind
        )));
    }
    Ok(())
}

fn check_namespace(namespace: Option<&str>, value: &Value) -> Result<(), ApiError> {
    match (namespace, text(value, "namespace")) {
        (Some(namespace), Some(given)) if given != namespace => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        _ => Ok(()),
    }
}

fn check_name(name: &str, value: &Value) -> Result<(), ApiError> {
    match text(value, "name") {
        Some(given) if given == name => Ok(()),
        Some(given) => Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        ))),
        None => Err(ApiError::bad_request("name must be provided")),
    }
}

/// The UID, if there is one, and the resourceVersion must be those of the stored object.
fn check_identity(
    definition: &ResourceDefinition,
    old: &StoredObject,
    value: &Value,
) -> Result<(), ApiError> {
    let key = old.key();
    if let Some(uid) = text(value, "uid")
        && uid != old.uid()
    {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old.uid()
        );
        return Err(ApiError::conflict(definition, &key.name, &why));
    }
    match text(value, "resourceVersion") {
        None | Some("0") if definition.rules.unconditional_update => Ok(()),
        None | Some("0") => {
            let cause = Cause::invalid(
                "metadata.resourceVersion",
                &0.into(),
                "must be specified for an update",
            );
            Err(ApiError::invalid(definition, &key.name, &[cause]))
        }
        Some(version) if version == old.revision.to_string() => Ok(()),
        Some(_) => Err(ApiError::modified(definition, &key.name)),
    }
}

/// The stored object with the new status: a status write changes nothing else.
fn with_status_of(old: &StoredObject, mut new: Value) -> Value {
    let status = new.get_mut("status").map(Value::take);
    let mut value = old.value.clone();
    set_status(&mut value, status);
    value
}

fn keep_status(value: &mut Value, old: &Value) {
    set_status(value, old.get("status").cloned());
}

fn set_status(value: &mut Value, status: Option<Value>) {
    if let Some(object) = value.as_object_mut() {
        match status {
            Some(status) => object.insert("status".to_owned(), status),
            None => object.remove("status"),
        };
    }
}

/// Anything but the metadata differs, and but the status where that is a subresource.
fn state_changed(new: &Value, old: &Value, status_apart: bool) -> bool {
    let counts = |field: &str| field != "metadata" && !(status_apart && field == "status");
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
        return new != old;
    };
    new.iter()
        .any(|(field, value)| counts(field) && old.get(field) != Some(value))
        || old
            .keys()
            .any(|field| counts(field) && !new.contains_key(field))
}

/// A free name under the object's `generateName`; empty if it has none.
fn generate_name(
    store: &mut Store,
    definition: &ResourceDefinition,
    namespace: Option<&str>,
    value: &Value,
) -> String {
    let Some(prefix) = text(value, "generateName") else {
        return String::new();
    };
    let prefix: String = prefix.chars().take(58).collect();
    let mut name = String::new();
    for _ in 0..NAME_TRIES {
        let mut random = store.uids.next_number();
        let suffix: String = (0..5)
            .map(|_| {
                let index = (random % NAME_CHARACTERS.len() as u64) as usize;
                random /= NAME_CHARACTERS.len() as u64;
                char::from(NAME_CHARACTERS[index])
            })
            .collect();
        name = format!("{prefix}{suffix}");
        let key = ObjectKey {
            namespace: namespace.unwrap_or_default().to_owned(),
            name: name.clone(),
        };
        if store.get(definition, &key).is_none() {
            break;
        }
    }
    name
}
