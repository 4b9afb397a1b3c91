//! Our own writes, until the watches have caught up with them: the orchestrator never decides on a cache that
//! is older than its own last write to an object (design rule 5).
//!
//! An entry is dropped when the cache holds the object at that version or a newer one, when its watch has
//! passed that version without the object (it was deleted since), and when a list that began after the write ends: it shows
//! how things are, also where etcd was restored to an earlier state. After [`LONGEST_WAIT`] the object is read live once instead;
//! what was deleted and is still shown is read then although nothing happens.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use remediation_core::children::{Belongs, Child, ChildKey, Children};
use remediation_core::error::{ApiFailure, Cause, classify};
use remediation_core::pass::{Call, Outcome};
use remediation_core::request::{Identity, Request};

use super::cache::{Affected, Cache, ObjectName, Source, Watched, named_children, place};
use super::read::version;

/// How long the watches may take to catch up before an object is read live.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(10);

/// Our own writes to all requests and their children.
#[derive(Debug, Default)]
pub struct Overlay {
    of: BTreeMap<ObjectName, Writes>,
    /// Counts the lists that began, so that of a write and a list it is known which came first.
    lists: u64,
}

#[derive(Debug, Default)]
struct Writes {
    /// The request's UID; a later request of the same name begins anew.
    uid: String,
    request: Option<Written<Request>>,
    children: BTreeMap<ChildKey, Written<Child>>,
    /// What we deleted, by UID: until the watches say so it counts as being deleted.
    deleted: BTreeMap<String, Deleted>,
}

#[derive(Debug)]
struct Deleted {
    /// How to read it live.
    read: Call,
    /// How many lists had begun by then.
    after_list: u64,
    at: Timestamp,
}

#[derive(Debug)]
struct Written<T> {
    object: T,
    version: u64,
    /// How many lists had begun by then.
    after_list: u64,
    at: Timestamp,
}

/// What is known of one request now.
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    /// The request.
    pub request: Request,
    /// Its children: by owner UID, by the references of its status, and those just created.
    pub children: Children,
    /// What the watches have not caught up with in time: it is read live before anything is decided.
    pub overdue: Vec<Call>,
}

impl Overlay {
    /// A list begins: the number that tells it apart from writes before and after it.
    pub fn begin_list(&mut self) -> u64 {
        self.lists += 1;
        self.lists
    }

    /// A list that began at `began` has ended: what was written or deleted before it is as it shows. Returns the requests of
    /// which that changes what is known.
    pub fn listed(&mut self, source: &Source, began: u64) -> Affected {
        let mut affected = Affected::new();
        for (name, writes) in self.of.iter_mut().filter(|(name, _)| source.covers(name)) {
            let before = writes.count();
            writes.deleted.retain(|_, deleted| {
                deleted.watched() != source.watched || deleted.after_list >= began
            });
            match source.watched {
                Watched::Request => {
                    writes.request.take_if(|written| written.after_list < began);
                }
                Watched::Child(kind) => {
                    writes
                        .children
                        .retain(|key, written| key.kind != kind || written.after_list >= began);
                }
            }
            if writes.count() != before {
                affected.insert(name.clone());
            }
        }
        self.of.retain(|_, writes| !writes.is_empty());
        affected
    }

    /// Takes note of what a call brought: an object that we wrote or read live, or its end.
    pub fn learn(&mut self, request: &Identity, call: &Call, outcome: &Outcome, now: Timestamp) {
        let name = ObjectName::new(&*request.namespace, &*request.name);
        let after_list = self.lists;
        let deleted = |read| Deleted {
            read,
            after_list,
            at: now,
        };
        let writes = self.of.entry(name).or_default();
        if writes.uid != request.uid {
            *writes = Writes {
                uid: request.uid.clone(),
                ..Writes::default()
            };
        }
        if matches!(outcome, Outcome::Request(_) | Outcome::Child(_)) {
            // What is there under the name may be another by now.
            writes.still_deleted(call, now);
        }
        match (outcome, call) {
            (Outcome::Request(seen), _) => {
                if seen.identity.uid == request.uid {
                    writes.deleted.remove(&request.uid);
                    writes.request = Some(Written {
                        version: version(&seen.resource_version),
                        object: (**seen).clone(),
                        after_list,
                        at: now,
                    });
                } else {
                    writes.note_gone(&request.uid, deleted(Call::ReadRequest));
                }
            }
            (Outcome::Child(seen), _) => {
                writes.deleted.remove(&seen.uid);
                // A NotificationRequest is not watched: nothing would ever catch up with it.
                let watched = remediation_core::kind::ChildKind::OWNED.contains(&seen.key.kind);
                if watched && seen.belongs(request) == Belongs::Ours {
                    let written = Written {
                        version: version(&seen.resource_version),
                        object: (**seen).clone(),
                        after_list,
                        at: now,
                    };
                    writes.children.insert(seen.key.clone(), written);
                } else {
                    writes.children.remove(&seen.key);
                }
            }
            (Outcome::Deleted, Call::DeleteChild(gone)) => {
                writes.children.remove(&gone.key);
                let read = Call::Read(gone.key.clone());
                writes.deleted.insert(gone.uid.clone(), deleted(read));
            }
            (Outcome::Deleted, Call::DeleteRequest { .. }) => {
                let uid = request.uid.clone();
                writes.deleted.insert(uid, deleted(Call::ReadRequest));
            }
            (Outcome::Failed(failure), Call::Read(key)) if is_gone(failure) => {
                writes.children.remove(key);
                writes.still_deleted(call, now);
            }
            (Outcome::Failed(failure), Call::ReadRequest) if is_gone(failure) => {
                writes.note_gone(&request.uid, deleted(Call::ReadRequest));
            }
            (Outcome::Deleted | Outcome::Failed(_), _) => {}
        }
        if writes.is_empty() {
            self.of
                .remove(&ObjectName::new(&*request.namespace, &*request.name));
        }
    }

    /// A live read did not succeed: what was written counts for as long again.
    pub fn prolong(&mut self, name: &ObjectName, call: &Call, now: Timestamp) {
        let Some(writes) = self.of.get_mut(name) else {
            return;
        };
        writes.still_deleted(call, now);
        match call {
            Call::Read(key) => {
                if let Some(written) = writes.children.get_mut(key) {
                    written.at = now;
                }
            }
            Call::ReadRequest => {
                if let Some(written) = &mut writes.request {
                    written.at = now;
                }
            }
            Call::Create(_)
            | Call::Record(_)
            | Call::RestoreOwnership(_)
            | Call::DeleteChild(_)
            | Call::DeleteRequest { .. } => {}
        }
    }

    /// When a request is to be looked at again, though nothing happens: what was deleted and is still shown is read then.
    #[must_use]
    pub fn look_again(&self, name: &ObjectName) -> Option<Timestamp> {
        let deleted = self.of.get(name)?.deleted.values();
        let first = deleted.map(|deleted| deleted.at).min()?;
        Some(first.saturating_add(LONGEST_WAIT).unwrap_or(first))
    }

    /// The request is gone, and all that was written with it.
    pub fn forget(&mut self, name: &ObjectName) {
        self.of.remove(name);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// What is known of a request: what the watches saw, or what we wrote since. `None` if there is none.
    pub fn view(&mut self, cache: &Cache, name: &ObjectName, now: Timestamp) -> Option<View> {
        let cached = cache.request(name)?;
        let none = Writes::default();
        let writes = match self.of.get_mut(name) {
            Some(writes) if writes.uid == cached.identity.uid => {
                writes.catch_up(cache, name, now);
                &*writes
            }
            Some(_) => {
                self.of.remove(name);
                &none
            }
            None => &none,
        };
        let mut request = writes
            .request
            .as_ref()
            .map_or_else(|| (**cached).clone(), |written| written.object.clone());
        request.deleting |= writes.deleted.contains_key(&request.identity.uid);
        let mut children: Children = cache
            .owned_by(&request.identity.uid)
            .map(|child| (**child).clone())
            .collect();
        for key in named_children(&request.status) {
            if let Some(child) = cache.child(&place(&name.namespace, &key)) {
                children.cached((**child).clone());
            }
        }
        for written in writes.children.values() {
            children.cached(written.object.clone());
        }
        for child in children.seen.values_mut() {
            child.deleting |= writes.deleted.contains_key(&child.uid);
        }
        let overdue = writes.overdue(now);
        if self.of.get(name).is_some_and(Writes::is_empty) {
            self.of.remove(name);
        }
        Some(View {
            request,
            children,
            overdue,
        })
    }
}

impl Writes {
    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        usize::from(self.request.is_some()) + self.children.len() + self.deleted.len()
    }

    /// The request is not there any more, whether or not another stands under its name.
    fn note_gone(&mut self, uid: &str, deleted: Deleted) {
        self.request = None;
        self.deleted.insert(uid.to_owned(), deleted);
    }

    /// What this call reads counts as deleted for as long again, if it did.
    fn still_deleted(&mut self, read: &Call, now: Timestamp) {
        for deleted in self.deleted.values_mut() {
            if deleted.read == *read {
                deleted.at = now;
            }
        }
    }

    /// Drops what the watches have caught up with.
    fn catch_up(&mut self, cache: &Cache, name: &ObjectName, now: Timestamp) {
        if let (Some(written), Some(cached)) = (&self.request, cache.request(name))
            && version(&cached.resource_version) >= written.version
        {
            self.request = None;
        }
        self.children.retain(
            |key, written| match cache.child(&place(&name.namespace, key)) {
                Some(cached) => version(&cached.resource_version) < written.version,
                None => !cache.has_reached(Watched::Child(key.kind), name, written.version),
            },
        );
        self.deleted.retain(|uid, deleted| {
            let shown = match &deleted.read {
                Call::Read(key) => cache
                    .child(&place(&name.namespace, key))
                    .is_some_and(|child| child.uid == *uid && !child.deleting),
                _ => cache.request(name).is_some_and(|request| !request.deleting),
            };
            shown || !is_overdue(deleted.at, now)
        });
    }

    fn overdue(&self, now: Timestamp) -> Vec<Call> {
        let request = self
            .request
            .iter()
            .filter(|w| is_overdue(w.at, now))
            .map(|_| Call::ReadRequest);
        let children = self
            .children
            .iter()
            .filter(|(_, w)| is_overdue(w.at, now))
            .map(|(key, _)| Call::Read(key.clone()));
        let deleted = self
            .deleted
            .values()
            .filter(|deleted| is_overdue(deleted.at, now))
            .map(|deleted| deleted.read.clone());
        let mut reads: Vec<Call> = Vec::new();
        for read in request.chain(children).chain(deleted) {
            if !reads.contains(&read) {
                reads.push(read);
            }
        }
        reads
    }
}

impl Deleted {
    fn watched(&self) -> Watched {
        match &self.read {
            Call::Read(key) => Watched::Child(key.kind),
            _ => Watched::Request,
        }
    }
}

/// Whether the API server says that the object is not there; a kind that it does not know says nothing of it.
pub(super) fn is_gone(failure: &ApiFailure) -> bool {
    classify(failure) == Cause::NotFound
}

fn is_overdue(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() >= LONGEST_WAIT
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
