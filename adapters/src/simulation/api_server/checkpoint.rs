//! Going back to an earlier state, as a cluster does whose etcd is restored from a backup.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    object::{ObjectKey, StoredObject},
    resource::ResourceDefinition,
    store::{ResourceKey, Store},
};

/// All objects at one moment.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    revision: u64,
    definitions: Vec<Arc<ResourceDefinition>>,
    objects: BTreeMap<ResourceKey, BTreeMap<ObjectKey, Arc<StoredObject>>>,
}

impl Checkpoint {
    pub(crate) fn take(store: &Store) -> Self {
        let objects = store
            .resources
            .iter()
            .map(|(key, resource)| (key.clone(), resource.objects.clone()))
            .collect();
        Self {
            revision: store.revision,
            definitions: store
                .resources
                .values()
                .map(|resource| Arc::clone(&resource.definition))
                .collect(),
            objects,
        }
    }

    /// Puts the store back to this moment: resourceVersions go on from there, older history is forgotten, watches end.
    pub(crate) fn restore(&self, store: &mut Store) {
        store.forget_objects(self.revision);
        for definition in &self.definitions {
            store.define(Arc::clone(definition));
        }
        for (key, objects) in &self.objects {
            store.adopt(key, objects);
        }
    }
}
