//! Deletion: preconditions, finalizers and the propagation policy.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    crd, namespace,
    object::{ObjectKey, StoredObject, finalizers, generation, metadata_mut, set_finalizers},
    path::Query,
    resource::ResourceDefinition,
    server::Context,
    status::{ApiError, Cause},
    store::Store,
};

/// The finalizer of an owner that waits for its dependents to go.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an owner whose dependents are to be set free.
pub(crate) const ORPHAN: &str = "orphan";

/// What becomes of the dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// The body of a DELETE or, without one, its query.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) propagation: Option<Propagation>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    /// A body, even an empty object, has a real server ignore the query, `dryRun` too.
    pub(crate) fn parse(query: &Query, body: &[u8]) -> Result<Self, ApiError> {
        let from_query = body.is_empty();
        let body: Value = if from_query {
            Value::Null
        } else {
            serde_json::from_slice(body).map_err(|error| {
                ApiError::bad_request(format!(
                    "couldn't get version/kind; json parse error: {error}"
                ))
            })?
        };
        let text = |pointer: &str| {
            body.pointer(pointer)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let policy = if from_query {
            query.text("propagationPolicy")
        } else {
            text("/propagationPolicy")
        };
        let propagation = match policy {
            None if body.get("orphanDependents").and_then(Value::as_bool) == Some(true) => {
                Some(Propagation::Orphan)
            }
            None => None,
            Some("Background") => Some(Propagation::Background),
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Orphan") => Some(Propagation::Orphan),
            Some(other) => {
                let message = format!(
                    "Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
                );
                let cause = Cause::new("FieldValueNotSupported", "propagationPolicy", message);
                return Err(ApiError::invalid_kind(
                    "meta.k8s.io",
                    "DeleteOptions",
                    "",
                    &[cause],
                ));
            }
        };
        let dry_run = body
            .get("dryRun")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
        Ok(Self {
            propagation,
            uid: text("/preconditions/uid").map(str::to_owned),
            resource_version: text("/preconditions/resourceVersion").map(str::to_owned),
            dry_run: if from_query { query.dry_run() } else { dry_run },
        })
    }
}

/// What a DELETE did.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Arc<StoredObject>),
    /// Finalizers (or the namespace's contents) hold it back.
    Pending(Arc<StoredObject>),
}

/// Deletes one object.
pub(crate) fn delete(
    store: &mut Store,
    context: &Context,
    definition: &Arc<ResourceDefinition>,
    key: &ObjectKey,
    options: &DeleteOptions,
) -> Result<Deleted, ApiError> {
    let object = store
        .get(definition, key)
        .cloned()
        .ok_or_else(|| ApiError::not_found(definition, &key.name))?;
    check_preconditions(definition, &object, options)?;
    if definition.is_namespace() {
        return namespace::delete(store, context, definition, &object, options.dry_run);
    }
    if definition.is_custom_resource_definition() {
        return Ok(crd::delete(
            store,
            context,
            definition,
            &object,
            options.dry_run,
        ));
    }
    let keep = remaining_finalizers(definition, &object, options.propagation);
    if keep.is_empty() {
        if options.dry_run {
            return Ok(Deleted::Gone(object));
        }
        return Ok(Deleted::Gone(
            store.remove(definition, key).unwrap_or(object),
        ));
    }
    let mut value = (*object.value).clone();
    set_finalizers(&mut value, &keep);
    mark_deleting(&mut value, context);
    if value == *object.value {
        return Ok(Deleted::Pending(object));
    }
    if options.dry_run {
        return Ok(Deleted::Pending(Arc::new(StoredObject::new(
            value,
            object.revision,
        ))));
    }
    Ok(Deleted::Pending(store.put(definition, value)))
}

/// Deletes objects that have to go whatever they own. Returns how many deletions wrote something, and how many objects
/// their finalizers hold back.
pub(crate) fn delete_all(
    store: &mut Store,
    context: &Context,
    definition: &Arc<ResourceDefinition>,
    keys: Vec<ObjectKey>,
) -> (usize, usize) {
    let (mut deleted, mut left) = (0, 0);
    let options = DeleteOptions {
        propagation: Some(Propagation::Background),
        ..DeleteOptions::default()
    };
    for key in keys {
        let before = store.revision;
        match delete(store, context, definition, &key, &options) {
            Ok(Deleted::Pending(_)) => left += 1,
            Ok(Deleted::Gone(_)) | Err(_) => {}
        }
        deleted += usize::from(store.revision != before);
    }
    (deleted, left)
}

/// Sets the deletion timestamp, once; that counts as a change of the desired state.
pub(crate) fn mark_deleting(value: &mut Value, context: &Context) {
    let next_generation = generation(value) + 1;
    let metadata = metadata_mut(value);
    if metadata.contains_key("deletionTimestamp") {
        return;
    }
    metadata.insert("deletionTimestamp".to_owned(), context.now.clone().into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
    if next_generation > 1 {
        metadata.insert("generation".to_owned(), next_generation.into());
    }
}

fn check_preconditions(
    definition: &ResourceDefinition,
    object: &StoredObject,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let name = object.key().name;
    // A namespace's own check has words of its own.
    let of_namespace = |what: &str, wanted: &str, found: &str| {
        let why = format!(
            "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
        );
        ApiError::conflict(definition, &name, &why)
    };
    if let Some(uid) = &options.uid
        && uid != object.uid()
    {
        if definition.is_namespace() {
            return Err(of_namespace("UID", uid, object.uid()));
        }
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
             deleted and then recreated",
            object.uid()
        );
        return Err(ApiError::failed_precondition(definition, &name, &why));
    }
    if let Some(version) = &options.resource_version
        && *version != object.revision.to_string()
    {
        if definition.is_namespace() {
            return Err(of_namespace(
                "ResourceVersion",
                version,
                &object.revision.to_string(),
            ));
        }
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). \
             The object might have been modified",
            object.revision
        );
        return Err(ApiError::failed_precondition(definition, &name, &why));
    }
    Ok(())
}

/// The finalizers that the object keeps or gets under the propagation policy.
fn remaining_finalizers(
    definition: &ResourceDefinition,
    object: &StoredObject,
    propagation: Option<Propagation>,
) -> Vec<String> {
    let present = finalizers(&object.value);
    let mut keep: Vec<String> = present
        .iter()
        .filter(|name| ![FOREGROUND, ORPHAN].contains(*name))
        .map(|name| (*name).to_owned())
        .collect();
    let wanted = match propagation {
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Orphan) => Some(ORPHAN),
        None if present.contains(&ORPHAN) => Some(ORPHAN),
        None if present.contains(&FOREGROUND) => Some(FOREGROUND),
        Some(Propagation::Background) | None => None,
    };
    // An Event owns nothing.
    if definition.kind != "Event" {
        keep.extend(wanted.map(str::to_owned));
    }
    keep
}

/// The `Status` that answers the deletion of an object that is gone.
pub(crate) fn success(definition: &ResourceDefinition, object: &StoredObject) -> Value {
    let mut details =
        json!({"name": object.key().name, "kind": definition.plural, "uid": object.uid()});
    if !definition.group.is_empty() {
        details["group"] = definition.group.clone().into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
