//! The garbage collector: what becomes of objects whose owners are gone, or wait for them to go.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    delete::{self, DeleteOptions, FOREGROUND, ORPHAN, Propagation},
    object::{ObjectKey, StoredObject, finalizers, metadata_mut, owner_references, set_finalizers},
    resource::ResourceDefinition,
    server::Context,
    store::Store,
};

/// An object of any resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GlobalKey {
    group: String,
    plural: String,
    key: ObjectKey,
}

impl GlobalKey {
    fn new(definition: &ResourceDefinition, key: &ObjectKey) -> Self {
        Self {
            group: definition.group.clone(),
            plural: definition.plural.clone(),
            key: key.clone(),
        }
    }
}

/// Who owns whom, by UID, and whom the collector has to look at next.
#[derive(Debug, Default)]
pub(crate) struct OwnerIndex {
    live: BTreeMap<String, GlobalKey>,
    dependents: BTreeMap<String, BTreeSet<GlobalKey>>,
    pending: BTreeSet<GlobalKey>,
}

impl OwnerIndex {
    pub(crate) fn written(
        &mut self,
        definition: &ResourceDefinition,
        key: &ObjectKey,
        previous: Option<&StoredObject>,
        object: &StoredObject,
    ) {
        let owners = owner_references(&object.value);
        let before = previous
            .map(|previous| owner_references(&previous.value))
            .unwrap_or_default();
        if previous.is_some() && owners == before && !object.deleting() {
            return;
        }
        let global = GlobalKey::new(definition, key);
        if previous.is_none() {
            self.live.insert(object.uid().to_owned(), global.clone());
        }
        if owners != before {
            for uid in before.iter().filter_map(owner_uid) {
                self.forget(uid, &global);
            }
            for uid in owners.iter().filter_map(owner_uid) {
                self.dependents
                    .entry(uid.to_owned())
                    .or_default()
                    .insert(global.clone());
            }
        }
        // Dependents that do not block any more let an owner in foreground deletion go.
        for uid in before.iter().filter_map(owner_uid) {
            if let Some(owner) = self.live.get(uid) {
                self.pending.insert(owner.clone());
            }
        }
        if !owners.is_empty() || object.deleting() {
            self.pending.insert(global);
        }
    }

    pub(crate) fn removed(
        &mut self,
        definition: &ResourceDefinition,
        key: &ObjectKey,
        object: &StoredObject,
    ) {
        let global = GlobalKey::new(definition, key);
        self.live.remove(object.uid());
        self.pending.remove(&global);
        for uid in owner_references(&object.value).iter().filter_map(owner_uid) {
            self.forget(uid, &global);
            if let Some(owner) = self.live.get(uid) {
                self.pending.insert(owner.clone());
            }
        }
        if let Some(dependents) = self.dependents.get(object.uid()) {
            self.pending.extend(dependents.iter().cloned());
        }
    }

    fn forget(&mut self, owner: &str, dependent: &GlobalKey) {
        if let Some(dependents) = self.dependents.get_mut(owner) {
            dependents.remove(dependent);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }

    fn dependents_of(&self, uid: &str) -> Vec<GlobalKey> {
        self.dependents
            .get(uid)
            .map(|dependents| dependents.iter().cloned().collect())
            .unwrap_or_default()
    }
}

fn owner_uid(reference: &Value) -> Option<&str> {
    reference.get("uid").and_then(Value::as_str)
}

/// What an owner means to the object that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnerState {
    Alive,
    /// Not there, or another object under its name, or in another namespace.
    Gone,
    /// In foreground deletion: it waits for its dependents.
    Waiting,
}

/// Looks at whatever changed since the last run, until nothing is left to do. Returns how many objects it wrote or deleted.
pub(crate) fn collect(store: &mut Store, context: &Context) -> usize {
    let mut changes = 0;
    while let Some(item) = store.owners.pending.pop_first() {
        changes += usize::from(look_at(store, context, &item).is_some());
    }
    changes
}

fn look_at(store: &mut Store, context: &Context, item: &GlobalKey) -> Option<()> {
    let resource = store.resource(&item.group, &item.plural)?;
    let definition = Arc::clone(&resource.definition);
    let object = Arc::clone(resource.objects.get(&item.key)?);
    if object.deleting() {
        let finalizers = finalizers(&object.value);
        return if finalizers.contains(&ORPHAN) {
            orphan_dependents(store, &object);
            drop_finalizer(store, &definition, &object, ORPHAN)
        } else if finalizers.contains(&FOREGROUND) {
            finish_foreground(store, &definition, &object)
        } else {
            None
        };
    }
    let references = owner_references(&object.value);
    if references.is_empty() {
        return None;
    }
    let states: Vec<OwnerState> = references
        .iter()
        .map(|reference| owner_state(store, &object, reference))
        .collect();
    if states.contains(&OwnerState::Alive) {
        if states.iter().all(|state| *state == OwnerState::Alive) {
            return None;
        }
        let keep: Vec<Value> = references
            .iter()
            .zip(&states)
            .filter(|(_, state)| **state == OwnerState::Alive)
            .map(|(reference, _)| reference.clone())
            .collect();
        let mut value = (*object.value).clone();
        metadata_mut(&mut value).insert("ownerReferences".to_owned(), keep.into());
        store.put(&definition, value);
        return Some(());
    }
    let waited_for = states.contains(&OwnerState::Waiting)
        && !store.owners.dependents_of(object.uid()).is_empty();
    let propagation = if finalizers(&object.value).contains(&ORPHAN) {
        Propagation::Orphan
    } else if waited_for || finalizers(&object.value).contains(&FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    let options = DeleteOptions {
        propagation: Some(propagation),
        ..DeleteOptions::default()
    };
    delete::delete(store, context, &definition, &item.key, &options)
        .ok()
        .map(|_| ())
}

fn owner_state(store: &Store, object: &StoredObject, reference: &Value) -> OwnerState {
    let field = |name: &str| {
        reference
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let Some(owner) = store.owners.live.get(field("uid")) else {
        return OwnerState::Gone;
    };
    let Some(resource) = store.resource(&owner.group, &owner.plural) else {
        return OwnerState::Gone;
    };
    let group = field("apiVersion")
        .rsplit_once('/')
        .map_or("", |(group, _)| group);
    let named = owner.key.name == field("name")
        && resource.definition.kind == field("kind")
        && resource.definition.group == group
        && (owner.key.namespace.is_empty() || owner.key.namespace == object.key().namespace);
    match resource.objects.get(&owner.key) {
        Some(found) if named => {
            if found.deleting() && finalizers(&found.value).contains(&FOREGROUND) {
                OwnerState::Waiting
            } else {
                OwnerState::Alive
            }
        }
        _ => OwnerState::Gone,
    }
}

/// Deletes what blocks the owner; when nothing does, lets the owner go.
fn finish_foreground(
    store: &mut Store,
    definition: &ResourceDefinition,
    owner: &StoredObject,
) -> Option<()> {
    let mut blocked = false;
    for dependent in store.owners.dependents_of(owner.uid()) {
        let Some(resource) = store.resource(&dependent.group, &dependent.plural) else {
            continue;
        };
        let Some(object) = resource.objects.get(&dependent.key) else {
            continue;
        };
        blocked |= owner_references(&object.value).iter().any(|reference| {
            owner_uid(reference) == Some(owner.uid())
                && reference.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
        });
        if !object.deleting() {
            store.owners.pending.insert(dependent);
        }
    }
    if blocked {
        // Its dependents' removal brings it up again.
        return None;
    }
    drop_finalizer(store, definition, owner, FOREGROUND)
}

fn orphan_dependents(store: &mut Store, owner: &StoredObject) {
    for dependent in store.owners.dependents_of(owner.uid()) {
        let Some(resource) = store.resource(&dependent.group, &dependent.plural) else {
            continue;
        };
        let definition = Arc::clone(&resource.definition);
        let Some(object) = resource.objects.get(&dependent.key) else {
            continue;
        };
        let keep: Vec<Value> = owner_references(&object.value)
            .iter()
            .filter(|reference| owner_uid(reference) != Some(owner.uid()))
            .cloned()
            .collect();
        let mut value = (*object.value).clone();
        let metadata = metadata_mut(&mut value);
        if keep.is_empty() {
            metadata.remove("ownerReferences");
        } else {
            metadata.insert("ownerReferences".to_owned(), keep.into());
        }
        store.put(&definition, value);
    }
}

fn drop_finalizer(
    store: &mut Store,
    definition: &ResourceDefinition,
    object: &StoredObject,
    finalizer: &str,
) -> Option<()> {
    let left: Vec<String> = finalizers(&object.value)
        .into_iter()
        .filter(|kept| *kept != finalizer)
        .map(str::to_owned)
        .collect();
    if left.is_empty() {
        store.remove(definition, &object.key());
    } else {
        let mut value = (*object.value).clone();
        set_finalizers(&mut value, &left);
        store.put(definition, value);
    }
    Some(())
}
