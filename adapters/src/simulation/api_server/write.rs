//! Create and update, with everything the server sets, keeps or refuses on the way.

use std::sync::Arc;

use serde_json::Value;

use super::{
    builtin_rules,
    check::{check_identity, wrong_uid},
    crd,
    decode::decode,
    endpoint::{Endpoint, WriteOptions, Written},
    metadata, namespace,
    object::{
        ObjectKey, StoredObject, finalizers, generation, metadata_mut, same_but_version, text,
    },
    resource::ResourceDefinition,
    server::Context,
    status::{ApiError, Cause},
    store::Store,
};

/// Tries for a free name under a `generateName`.
const NAME_TRIES: usize = 8;
const NAME_CHARACTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Creates an object.
pub(crate) fn create(
    store: &mut Store,
    context: &Context,
    endpoint: &Endpoint,
    namespace: Option<&str>,
    mut value: Value,
    options: WriteOptions,
) -> Result<Written, ApiError> {
    let warnings = decode(endpoint, namespace, None, &mut value, options)?;
    let created = create_decoded(store, context, endpoint, namespace, value, options);
    finish(created, warnings)
}

/// Creates the object that an update is about, of a kind for which that is one.
pub(crate) fn create_by_update(
    store: &mut Store,
    context: &Context,
    endpoint: &Endpoint,
    key: &ObjectKey,
    mut value: Value,
    options: WriteOptions,
) -> Result<Written, ApiError> {
    let namespace = endpoint
        .definition
        .namespaced
        .then_some(key.namespace.as_str());
    let warnings = decode(endpoint, namespace, Some(&key.name), &mut value, options)?;
    let created = check_absent(&endpoint.definition, key, &mut value, options)
        .and_then(|()| create_decoded(store, context, endpoint, namespace, value, options));
    finish(created, warnings)
}

/// The warnings of reading an object come before those of writing it, and come if it is refused, too.
fn finish(
    result: Result<Written, ApiError>,
    mut warnings: Vec<String>,
) -> Result<Written, ApiError> {
    match result {
        Ok(mut written) => {
            warnings.append(&mut written.warnings);
            Ok(Written {
                warnings,
                ..written
            })
        }
        Err(error) => Err(error.warning(&warnings)),
    }
}

fn create_decoded(
    store: &mut Store,
    context: &Context,
    endpoint: &Endpoint,
    namespace: Option<&str>,
    mut value: Value,
    options: WriteOptions,
) -> Result<Written, ApiError> {
    let definition = &endpoint.definition;
    let name = match text(&value, "name") {
        Some(name) => name.to_owned(),
        None => generate_name(store, definition, namespace, &value),
    };
    let metadata = metadata_mut(&mut value);
    if let Some(namespace) = namespace {
        namespace::admit_content(store, definition, namespace, &name)?;
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    if !name.is_empty() {
        metadata.insert("name".to_owned(), name.clone().into());
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
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
    builtin_rules::complete(definition, &mut value);
    let causes = validate(endpoint, &value, None, options);
    if !causes.is_empty() {
        return Err(invalid(endpoint, &value, &name, &causes));
    }
    let warnings = finalizer_warnings(definition, &value, None);
    if definition.is_custom_resource_definition() {
        crd::complete(&mut value, context);
        crd::check(definition, &name, &value)?;
    }
    // A dry run does not come to where this is looked at.
    let version = if options.dry_run {
        None
    } else {
        metadata_mut(&mut value).remove("resourceVersion")
    };
    if version.is_some_and(|version| is_version(&version)) {
        let why = "resourceVersion should not be set on objects to be created";
        return Err(ApiError::internal(why).warning(&warnings));
    }
    let key = ObjectKey {
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.clone(),
    };
    match store.get(definition, &key) {
        Some(present) if present.deleting() => {
            return Err(ApiError::being_deleted(definition, &name).warning(&warnings));
        }
        Some(_) => return Err(ApiError::already_exists(definition, &name).warning(&warnings)),
        None => {}
    }
    value["apiVersion"] = definition.api_version(&definition.storage_version).into();
    let object = if options.dry_run {
        Arc::new(StoredObject::unwritten(value))
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
    options: WriteOptions,
) -> Result<Written, ApiError> {
    let key = old.key();
    let namespaced = endpoint.definition.namespaced;
    let namespace = namespaced.then_some(key.namespace.as_str());
    let warnings = decode(endpoint, namespace, Some(&key.name), &mut value, options)?;
    let updated = update_decoded(store, context, endpoint, old, value, options);
    finish(updated, warnings)
}

fn update_decoded(
    store: &mut Store,
    context: &Context,
    endpoint: &Endpoint,
    old: &Arc<StoredObject>,
    mut value: Value,
    options: WriteOptions,
) -> Result<Written, ApiError> {
    let definition = &endpoint.definition;
    let key = old.key();
    let status_only = options.status_only;
    check_identity(definition, old, &value, options)?;
    if definition.namespaced {
        metadata_mut(&mut value)
            .entry("namespace")
            .or_insert_with(|| key.namespace.clone().into());
    }
    value["apiVersion"] = definition.api_version(&definition.storage_version).into();
    let mut value = if status_only && definition.rules.custom {
        with_status_of(old, value)
    } else if status_only {
        // Of a built-in kind, all but the desired state.
        value["spec"] = old.value["spec"].clone();
        value
    } else {
        value
    };
    metadata::keep_server_fields(&mut value, &old.value);
    if !status_only && endpoint.version().status {
        keep_status(&mut value, &old.value);
    }
    if definition.is_namespace() {
        namespace::label(&mut value, &key.name);
        if !status_only {
            value["spec"] = old.value["spec"].clone();
        }
    }
    builtin_rules::complete(definition, &mut value);
    if definition.rules.generation && state_changed(&value, &old.value, endpoint.version().status) {
        let next = generation(&old.value) + 1;
        metadata_mut(&mut value).insert("generation".to_owned(), next.into());
    }
    let causes = validate(endpoint, &value, Some(&old.value), options);
    if !causes.is_empty() {
        return Err(invalid(endpoint, &value, &key.name, &causes));
    }
    let warnings = finalizer_warnings(definition, &value, Some(&old.value));
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
    let released = old.deleting()
        && finalizers(&value).is_empty()
        && (!definition.is_namespace() || namespace::is_finalized(&value));
    let object = if released {
        // Watches see the object as it was stored; the client sees what it asked for, at its old version.
        store.remove(definition, &key);
        if definition.is_custom_resource_definition() {
            crd::withdraw(store, &value);
        }
        Arc::new(StoredObject::new(value, old.revision))
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

/// Built-in kinds refuse unqualified finalizers, and Events take them without a word.
fn finalizer_warnings(
    definition: &ResourceDefinition,
    value: &Value,
    old: Option<&Value>,
) -> Vec<String> {
    if definition.rules.custom {
        metadata::finalizer_warnings(value, old)
    } else {
        Vec::new()
    }
}

/// 422, about the kind that the object itself gives.
fn invalid(endpoint: &Endpoint, value: &Value, name: &str, causes: &[Cause]) -> ApiError {
    let definition = &endpoint.definition;
    let kind = value.get("kind").and_then(Value::as_str);
    ApiError::invalid_kind(
        &definition.group,
        kind.unwrap_or(&definition.kind),
        name,
        causes,
    )
}

/// A resourceVersion that means one: a number above 0.
fn is_version(version: &Value) -> bool {
    let number = version.as_str().and_then(|text| text.parse::<u64>().ok());
    number.is_some_and(|number| number > 0)
}

/// An update that creates: it can be about no older object.
fn check_absent(
    definition: &ResourceDefinition,
    key: &ObjectKey,
    value: &mut Value,
    options: WriteOptions,
) -> Result<(), ApiError> {
    if let Some(uid) = text(value, "uid") {
        let root = if options.dry_run { "" } else { "/registry" };
        return Err(wrong_uid(definition, key, root, uid, ""));
    }
    if let Some(version) = text(value, "resourceVersion")
        && version.parse::<u64>().is_err()
    {
        return Err(ApiError::internal(format!(
            "strconv.ParseUint: parsing \"{version}\": invalid syntax"
        )));
    }
    if !options.dry_run {
        metadata_mut(value).remove("resourceVersion");
    }
    Ok(())
}

/// A custom object of another kind is read all the same, and found invalid.
fn wrong_kind(endpoint: &Endpoint, value: &Value) -> Option<Cause> {
    let expected = &endpoint.definition.kind;
    let kind = value.get("kind").and_then(Value::as_str)?;
    (endpoint.definition.rules.custom && kind != expected)
        .then(|| Cause::invalid("kind", &kind.into(), format!("must be {expected}")))
}

fn validate(
    endpoint: &Endpoint,
    value: &Value,
    old: Option<&Value>,
    options: WriteOptions,
) -> Vec<Cause> {
    let definition = &endpoint.definition;
    let mut causes = metadata::validate(value, definition);
    let wrong_kind = wrong_kind(endpoint, value);
    let misnamed = wrong_kind.is_some();
    let mut of_fields = builtin_rules::validate(definition, value);
    // The phase of a namespace is looked at where the status is written.
    of_fields.retain(|cause| options.status_only || cause.field != "status.Phase");
    let is_new_event = old.is_none() && definition.kind == "Event" && definition.group.is_empty();
    if misnamed || (is_new_event && !of_fields.is_empty()) {
        // These come first, and are told alone.
        causes.clear();
    }
    if let Some(old) = old {
        let changes = metadata::validate_update(value, old);
        // A real server finds the first three times, but for names and finalizers, and the second twice.
        let mut again = causes.clone();
        again.retain(|cause| !["metadata.name", "metadata.finalizers"].contains(&&*cause.field));
        causes = [causes, again.clone(), again, changes.clone(), changes].concat();
    }
    causes.extend(wrong_kind);
    causes.extend(of_fields);
    if let Some(schema) = &endpoint.version().schema {
        let mut findings = if misnamed {
            schema.validate_further(value, old, &causes, Vec::new())
        } else {
            schema.validate(value, old, &causes)
        };
        if options.status_only {
            // It looks at the status alone, so that it names fields from there.
            for finding in &mut findings {
                let of_number = finding.message.contains("Checked value must be");
                if of_number {
                    finding.field = "status".to_owned();
                } else if !finding.message.contains(" in body ") {
                    continue;
                }
                finding.message = finding.message.replacen("status.", "", 1).replacen(
                    ": status in body",
                    ":  in body",
                    1,
                );
            }
        }
        causes.extend(findings);
    }
    causes
}

/// The stored object with the new status: a status write changes nothing else.
fn with_status_of(old: &StoredObject, mut new: Value) -> Value {
    if let (Some(new), Some(old)) = (new.as_object_mut(), old.value.as_object()) {
        new.retain(|field, _| field == "status" || old.contains_key(field));
        for (field, value) in old {
            // Most often it is the same: comparing is cheaper than copying.
            if field != "status" && new.get(field) != Some(value) {
                new.insert(field.clone(), value.clone());
            }
        }
    }
    new
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
