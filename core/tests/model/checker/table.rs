//! Tables that two threads share: each content once, under the hash of it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

/// The keys are hashes already.
#[derive(Clone, Copy, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64")
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;
const SHARDS: usize = 64;

fn shard(key: u64) -> usize {
    (key >> 32) as usize % SHARDS
}

/// Read often, written when something is new.
pub(crate) struct Table<V> {
    shards: Vec<RwLock<Map<V>>>,
}

impl<V: Clone> Table<V> {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    pub(crate) fn get(&self, key: u64) -> Option<V> {
        let shard = self.shards[shard(key)].read();
        shard
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned()
    }

    pub(crate) fn put(&self, key: u64, value: V) {
        let shard = self.shards[shard(key)].write();
        shard
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_insert(value);
    }

    pub(crate) fn len(&self) -> usize {
        let lens = self.shards.iter().map(|shard| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.len()
        });
        lens.sum()
    }

    /// All of it, in the order of the keys.
    pub(crate) fn all(&self) -> Vec<(u64, V)> {
        let mut all: Vec<(u64, V)> = Vec::with_capacity(self.len());
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.iter().map(|(key, value)| (*key, value.clone())));
        }
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }
}

/// The states that were seen, by fingerprint, each with the one that led to it first.
pub(crate) struct Seen {
    shards: Vec<Mutex<Map<u64>>>,
    count: AtomicUsize,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            count: AtomicUsize::new(0),
        }
    }

    /// Whether it is new.
    pub(crate) fn insert(&self, fingerprint: u64, parent: u64) -> bool {
        let shard = self.shards[shard(fingerprint)].lock();
        let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
        match shard.entry(fingerprint) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(parent);
                self.count.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }

    pub(crate) fn parent(&self, fingerprint: u64) -> Option<u64> {
        let shard = self.shards[shard(fingerprint)].lock();
        shard
            .unwrap_or_else(PoisonError::into_inner)
            .get(&fingerprint)
            .copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Hands every pair to `each`, a shard at a time.
    pub(crate) fn each(&self, mut each: impl FnMut(u64, u64)) {
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for (fingerprint, parent) in shard.iter() {
                each(*fingerprint, *parent);
            }
        }
    }
}
