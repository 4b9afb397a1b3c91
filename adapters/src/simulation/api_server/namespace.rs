//! Namespaces: what may be created in them, and how a terminating one empties itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    delete::{self, Deleted, mark_deleting},
    object::{ObjectKey, StoredObject, finalizers, metadata_mut},
    resource::ResourceDefinition,
    server::Context,
    status::ApiError,
    store::Store,
};

/// There before anybody creates one.
pub(crate) const INITIAL: [&str; 2] = ["default", "kube-system"];

/// What the server itself sets on a new namespace.
pub(crate) fn complete(value: &mut Value, name: &str) {
    label(value, name);
    value["spec"] = json!({"finalizers": ["kubernetes"]});
    value["status"] = json!({"phase": "Active"});
}

/// Every namespace carries its name as a label.
pub(crate) fn label(value: &mut Value, name: &str) {
    let labels = metadata_mut(value)
        .entry("labels")
        .or_insert_with(|| json!({}));
    labels["kubernetes.io/metadata.name"] = name.into();
}

/// Refuses content where there is no such namespace, or one that is on its way out.
pub(crate) fn admit_content(
    store: &Store,
    definition: &ResourceDefinition,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    let Some(namespaces) = store.resource("", "namespaces") else {
        return Ok(());
    };
    let key = ObjectKey {
        namespace: String::new(),
        name: namespace.to_owned(),
    };
    let Some(object) = namespaces.objects.get(&key) else {
        return Err(ApiError::not_found(&namespaces.definition, namespace));
    };
    if !object.deleting() {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut error = ApiError::forbidden(definition, name, &why);
    if let Some(details) = &mut error.details {
        details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
    }
    Err(error)
}

/// Puts a namespace into termination; [`finish`] does the rest.
pub(crate) fn delete(
    store: &mut Store,
    context: &Context,
    definition: &Arc<ResourceDefinition>,
    object: &Arc<StoredObject>,
    dry_run: bool,
) -> Result<Deleted, ApiError> {
    let name = object.key().name;
    if INITIAL.contains(&name.as_str()) {
        return Err(ApiError::forbidden(
            definition,
            &name,
            "this namespace may not be deleted",
        ));
    }
    let again = object.deleting();
    if again && !is_finalized(&object.value) {
        return Ok(Deleted::Pending(Arc::clone(object)));
    }
    let mut value = (*object.value).clone();
    if again {
        // Its own finalizers alone hold it now, as they hold other objects.
        metadata_mut(&mut value).insert("deletionGracePeriodSeconds".to_owned(), 0.into());
    } else {
        mark_deleting(&mut value, context);
        let metadata = metadata_mut(&mut value);
        metadata.remove("deletionGracePeriodSeconds");
        if let Some(generation) = object.value.pointer("/metadata/generation") {
            metadata.insert("generation".to_owned(), generation.clone());
        }
        value["status"]["phase"] = "Terminating".into();
    }
    if value == *object.value {
        return Ok(Deleted::Pending(Arc::clone(object)));
    }
    let written = if dry_run {
        Arc::new(StoredObject::new(value, object.revision))
    } else {
        store.put(definition, value)
    };
    Ok(Deleted::Pending(written))
}

/// Empties terminating namespaces and removes those that are empty. Returns how many objects it wrote or deleted.
pub(crate) fn finish(store: &mut Store, context: &Context) -> usize {
    let Some(namespaces) = store.resource("", "namespaces") else {
        return 0;
    };
    let terminating: Vec<ObjectKey> = namespaces
        .objects
        .iter()
        .filter(|(_, object)| object.deleting())
        .map(|(key, _)| key.clone())
        .collect();
    let definition = Arc::clone(&namespaces.definition);
    let mut changes = 0;
    for key in terminating {
        let (deleted, left) = empty(store, context, &key.name);
        changes += deleted;
        if left == 0 {
            changes += usize::from(finalize(store, &definition, &key));
        }
    }
    changes
}

/// An empty namespace goes, unless finalizers of its metadata hold it; then it is only told to be empty. Returns
/// whether that changed anything.
fn finalize(store: &mut Store, definition: &Arc<ResourceDefinition>, key: &ObjectKey) -> bool {
    let Some(object) = store.get(definition, key) else {
        return false;
    };
    if finalizers(&object.value).is_empty() {
        return store.remove(definition, key).is_some();
    }
    if is_finalized(&object.value) {
        return false;
    }
    let mut value = (*object.value).clone();
    value["spec"] = json!({});
    store.put(definition, value);
    true
}

/// The namespace has been emptied for its deletion.
pub(crate) fn is_finalized(namespace: &Value) -> bool {
    let finalizers = namespace.pointer("/spec/finalizers");
    finalizers
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
}

/// Deletes what is in the namespace; returns how many deletions there were and how many objects are left.
fn empty(store: &mut Store, context: &Context, namespace: &str) -> (usize, usize) {
    let contents: Vec<(Arc<ResourceDefinition>, Vec<ObjectKey>)> = store
        .resources
        .values()
        .filter(|resource| resource.definition.namespaced)
        .map(|resource| {
            let keys = resource
                .objects
                .keys()
                .filter(|key| key.namespace == namespace)
                .cloned()
                .collect();
            (Arc::clone(&resource.definition), keys)
        })
        .collect();
    contents
        .into_iter()
        .fold((0, 0), |(deleted, left), (definition, keys)| {
            let (here, held) = delete::delete_all(store, context, &definition, keys);
            (deleted + here, left + held)
        })
}
