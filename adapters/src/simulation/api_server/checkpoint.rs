//! Going back to an earlier state, as a cluster does whose etcd is restored from a backup.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    builtin, crd,
    object::{ObjectKey, StoredObject},
    store::{ResourceKey, Store},
};

/// All objects at one moment.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    revision: u64,
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
            objects,
        }
    }

    /// Puts the store back to this moment: resourceVersions go on from there, older history is forgotten, watches end.
    pub(crate) fn restore(&self, store: &mut Store) {
        store.forget_objects(self.revision);
        builtin::definitions()
            .into_iter()
            .for_each(|definition| store.define(definition));
        let definitions = (
            "apiextensions.k8s.io".to_owned(),
            "customresourcedefinitions".to_owned(),
        );
        for object in self
            .objects
            .get(&definitions)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            crd::serve(store, &object.value);
        }
        for (key, objects) in &self.objects {
            store.adopt(key, objects);
        }
    }
}
