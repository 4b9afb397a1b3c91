//! The one store: objects, the resourceVersion counter, and each resource's history for watches.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock},
    task::Waker,
};

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

use super::{
    clock::UidSource,
    commit::{Commit, Witness},
    garbage::OwnerIndex,
    object::{ObjectKey, StoredObject},
    resource::ResourceDefinition,
};

/// `(group, plural)`.
pub(crate) type ResourceKey = (String, String);

/// Everything the server remembers.
#[derive(Debug)]
pub(crate) struct Store {
    /// The newest resourceVersion given out.
    pub(crate) revision: u64,
    pub(crate) resources: BTreeMap<ResourceKey, Resource>,
    pub(crate) owners: OwnerIndex,
    /// Rises when all open watches are to be cut.
    pub(crate) watch_epoch: u64,
    pub(crate) uids: UidSource,
    pub(crate) witness: Witness,
    next_watch: u64,
    history_limit: usize,
    /// The resourceVersion up to which the server's own controllers have done everything.
    collected: Option<u64>,
}

/// The objects of one resource and what happened to them.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) definition: Arc<ResourceDefinition>,
    pub(crate) objects: BTreeMap<ObjectKey, Arc<StoredObject>>,
    /// Oldest first.
    pub(crate) history: VecDeque<Event>,
    /// Everything up to this resourceVersion has been forgotten.
    pub(crate) compacted: u64,
    /// Watches see nothing after this resourceVersion.
    pub(crate) held_at: Option<u64>,
    watchers: BTreeMap<u64, Waker>,
}

/// One write.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) revision: u64,
    pub(crate) deleted: bool,
    /// The object as written, or as it was last, with the resourceVersion of its deletion.
    pub(crate) object: Arc<StoredObject>,
    pub(crate) previous: Option<Arc<StoredObject>>,
    line: OnceLock<Bytes>,
}

impl Event {
    /// `ADDED`, `MODIFIED` or `DELETED`, to someone who sees all objects.
    pub(crate) fn type_(&self) -> &'static str {
        match (self.deleted, &self.previous) {
            (true, _) => "DELETED",
            (false, None) => "ADDED",
            (false, Some(_)) => "MODIFIED",
        }
    }

    /// The line that every watch of whole objects sends, made once.
    pub(crate) fn line(&self) -> Bytes {
        self.line
            .get_or_init(|| watch_line(self.type_(), &self.object.bytes))
            .clone()
    }
}

/// A line of the watch protocol. The type goes first: that spares readers a buffer.
pub(crate) fn watch_line(type_: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + type_.len() + 24);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(type_.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}

impl Resource {
    fn new(definition: Arc<ResourceDefinition>, revision: u64) -> Self {
        Self {
            definition,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            compacted: revision,
            held_at: None,
            watchers: BTreeMap::new(),
        }
    }

    /// The events after a resourceVersion.
    pub(crate) fn events_after(&self, revision: u64) -> impl Iterator<Item = &Event> {
        let start = self
            .history
            .partition_point(|event| event.revision <= revision);
        self.history.range(start..)
    }

    /// The objects as they were at `revision`, which must not be compacted.
    pub(crate) fn objects_at(&self, revision: u64) -> BTreeMap<ObjectKey, Arc<StoredObject>> {
        let mut objects = self.objects.clone();
        for event in self
            .history
            .iter()
            .rev()
            .take_while(|event| event.revision > revision)
        {
            match &event.previous {
                Some(previous) => objects.insert(previous.key(), Arc::clone(previous)),
                None => objects.remove(&event.object.key()),
            };
        }
        objects
    }

    pub(crate) fn wake(&mut self) {
        for waker in std::mem::take(&mut self.watchers).into_values() {
            waker.wake();
        }
    }

    /// Wakes `waker` at the next event.
    pub(crate) fn watch(&mut self, id: u64, waker: Waker) {
        self.watchers.insert(id, waker);
    }

    pub(crate) fn unwatch(&mut self, id: u64) -> Option<Waker> {
        self.watchers.remove(&id)
    }
}

impl Store {
    pub(crate) fn new(first_revision: u64, history_limit: usize, seed: u64) -> Self {
        Self {
            revision: first_revision,
            resources: BTreeMap::new(),
            owners: OwnerIndex::default(),
            watch_epoch: 0,
            uids: UidSource::new(seed),
            witness: Witness::default(),
            next_watch: 0,
            history_limit: history_limit.max(1),
            collected: None,
        }
    }

    /// Serves a resource, or serves it by a new definition.
    pub(crate) fn define(&mut self, definition: impl Into<Arc<ResourceDefinition>>) {
        let definition = definition.into();
        let key = (definition.group.clone(), definition.plural.clone());
        let revision = self.revision;
        self.resources
            .entry(key)
            .and_modify(|resource| resource.definition = Arc::clone(&definition))
            .or_insert_with(|| Resource::new(definition, revision));
    }

    /// Stops serving a resource, whose objects are gone already.
    pub(crate) fn undefine(&mut self, group: &str, plural: &str) {
        if let Some(mut resource) = self
            .resources
            .remove(&(group.to_owned(), plural.to_owned()))
        {
            resource.wake();
        }
    }

    pub(crate) fn resource(&self, group: &str, plural: &str) -> Option<&Resource> {
        // Looked up by scanning: a few resources, and no key to allocate.
        self.resources
            .values()
            .find(|resource| resource.definition.is(group, plural))
    }

    pub(crate) fn resource_mut(&mut self, group: &str, plural: &str) -> Option<&mut Resource> {
        self.resources
            .values_mut()
            .find(|resource| resource.definition.is(group, plural))
    }

    pub(crate) fn get(
        &self,
        definition: &ResourceDefinition,
        key: &ObjectKey,
    ) -> Option<&Arc<StoredObject>> {
        self.resource(&definition.group, &definition.plural)?
            .objects
            .get(key)
    }

    /// Writes an object under the next resourceVersion.
    pub(crate) fn put(
        &mut self,
        definition: &ResourceDefinition,
        value: Value,
    ) -> Arc<StoredObject> {
        self.revision += 1;
        let object = Arc::new(StoredObject::new(value, self.revision));
        let key = object.key();
        let limit = self.history_limit;
        let mut previous = None;
        if let Some(resource) = self.resource_mut(&definition.group, &definition.plural) {
            previous = resource.objects.insert(key.clone(), Arc::clone(&object));
            resource.record(false, Arc::clone(&object), previous.clone(), limit);
        }
        self.owners
            .written(definition, &key, previous.as_deref(), &object);
        self.tell(
            definition,
            previous.map(|previous| Arc::clone(&previous.value)),
            Some(Arc::clone(&object.value)),
        );
        object
    }

    /// Removes an object. What is left of it carries the resourceVersion of the deletion.
    pub(crate) fn remove(
        &mut self,
        definition: &ResourceDefinition,
        key: &ObjectKey,
    ) -> Option<Arc<StoredObject>> {
        let limit = self.history_limit;
        let revision = self.revision + 1;
        let resource = self.resource_mut(&definition.group, &definition.plural)?;
        let previous = resource.objects.remove(key)?;
        let object = Arc::new(StoredObject::new((*previous.value).clone(), revision));
        let before = Arc::clone(&previous.value);
        resource.record(true, Arc::clone(&object), Some(previous), limit);
        self.revision = revision;
        self.owners.removed(definition, key, &object);
        self.tell(definition, Some(before), None);
        Some(object)
    }

    fn tell(
        &self,
        definition: &ResourceDefinition,
        before: Option<Arc<Value>>,
        after: Option<Arc<Value>>,
    ) {
        if let Some(observer) = &self.witness.observer {
            observer.committed(Commit {
                at: self.witness.now,
                received: self.witness.received,
                revision: self.revision,
                client: Arc::clone(&self.witness.client),
                group: definition.group.as_str().into(),
                plural: definition.plural.as_str().into(),
                before,
                after,
            });
        }
    }

    /// Nothing was written since the server's own controllers last found nothing left to do.
    pub(crate) fn is_collected(&self) -> bool {
        self.collected == Some(self.revision)
    }

    /// The server's own controllers found nothing left to do.
    pub(crate) fn collected(&mut self) {
        self.collected = Some(self.revision);
    }

    /// Drops everything, and goes on from `revision`.
    pub(crate) fn forget_objects(&mut self, revision: u64) {
        self.collected = None;
        self.revision = revision;
        self.owners = OwnerIndex::default();
        self.watch_epoch += 1;
        for resource in std::mem::take(&mut self.resources).values_mut() {
            resource.wake();
        }
    }

    /// Takes objects over as they are.
    pub(crate) fn adopt(
        &mut self,
        key: &ResourceKey,
        objects: &BTreeMap<ObjectKey, Arc<StoredObject>>,
    ) {
        if let Some(resource) = self.resources.get_mut(key) {
            resource.objects.clone_from(objects);
            for (key, object) in objects {
                self.owners.written(&resource.definition, key, None, object);
            }
        }
    }

    /// Forgets all history: older resourceVersions are expired from now on.
    pub(crate) fn compact(&mut self) {
        let revision = self.revision;
        for resource in self.resources.values_mut() {
            resource.history.clear();
            resource.compacted = revision;
            resource.wake();
        }
    }

    pub(crate) fn disconnect_watches(&mut self) {
        self.watch_epoch += 1;
        self.resources.values_mut().for_each(Resource::wake);
    }

    pub(crate) fn next_watch_id(&mut self) -> u64 {
        self.next_watch += 1;
        self.next_watch
    }
}

impl Resource {
    fn record(
        &mut self,
        deleted: bool,
        object: Arc<StoredObject>,
        previous: Option<Arc<StoredObject>>,
        limit: usize,
    ) {
        if self.history.len() >= limit
            && let Some(oldest) = self.history.pop_front()
        {
            self.compacted = oldest.revision;
        }
        let revision = object.revision;
        self.history.push_back(Event {
            revision,
            deleted,
            object,
            previous,
            line: OnceLock::new(),
        });
        self.wake();
    }
}
