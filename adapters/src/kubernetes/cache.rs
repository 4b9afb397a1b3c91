//! What the watches saw: requests and their children, in the words of the core, with the indexes that lead
//! from one to the other. Small and ordered, so that the same events always give the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use remediation_core::children::{Child, ChildKey};
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::phase::Phase;
use remediation_core::request::Request;
use remediation_core::status::Status;

use super::read::version;

/// An object's place: namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// The object of this name in this namespace.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Where a request is.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        Self::new(&*request.identity.namespace, &*request.identity.name)
    }
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// The requests.
    Request,
    /// The children of one kind.
    Child(ChildKind),
}

impl Watched {
    /// The kind's name: `RemediationRequest`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Watched::Request => REQUEST_KIND,
            Watched::Child(kind) => kind.name(),
        }
    }
}

/// One watch: a kind, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The kind.
    pub watched: Watched,
    /// The namespace; `None` for all.
    pub namespace: Option<String>,
}

impl Source {
    /// Whether objects of this namespace are among its own.
    pub(super) fn covers(&self, name: &ObjectName) -> bool {
        self.namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == name.namespace)
    }
}

/// The kind and place of a child.
pub type ChildPlace = (ChildKind, ObjectName);

/// The requests whose view changed by an event.
pub type Affected = BTreeSet<ObjectName>;

/// What the watches saw.
#[derive(Debug, Default)]
pub struct Cache {
    requests: BTreeMap<ObjectName, Arc<Request>>,
    children: BTreeMap<ChildPlace, Arc<Child>>,
    /// Children by the UID of their controller owner.
    owned: BTreeMap<String, BTreeSet<ChildPlace>>,
    /// Requests by the children that their status names: a child that lost its owner reference is still found.
    named: BTreeMap<ChildPlace, BTreeSet<ObjectName>>,
    /// The newest version that each watch has reached, by events, bookmarks and lists.
    progress: BTreeMap<Source, u64>,
    active: BTreeMap<Phase, usize>,
}

impl Cache {
    /// The request in this place.
    #[must_use]
    pub fn request(&self, name: &ObjectName) -> Option<&Arc<Request>> {
        self.requests.get(name)
    }

    /// All requests, in the order of their names.
    pub fn requests(&self) -> impl Iterator<Item = (&ObjectName, &Arc<Request>)> {
        self.requests.iter()
    }

    /// The child in this place.
    #[must_use]
    pub fn child(&self, place: &ChildPlace) -> Option<&Arc<Child>> {
        self.children.get(place)
    }

    /// The children whose controller owner has this UID.
    pub fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Arc<Child>> {
        self.owned
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|place| self.children.get(place))
    }

    /// How many requests are in each phase, terminal ones too.
    #[must_use]
    pub fn active(&self) -> &BTreeMap<Phase, usize> {
        &self.active
    }

    /// Whether the watch that this place belongs to has reached this version.
    #[must_use]
    pub fn has_reached(&self, watched: Watched, name: &ObjectName, version: u64) -> bool {
        self.progress.iter().any(|(source, reached)| {
            source.watched == watched && source.covers(name) && *reached >= version
        })
    }

    /// A watch has reached this version, whether or not anything changed.
    pub fn progressed(&mut self, source: &Source, version: u64) {
        let reached = self.progress.entry(source.clone()).or_default();
        *reached = version.max(*reached);
    }

    /// A list replaces all that its watch had seen, also if it is older.
    pub fn requests_listed(
        &mut self,
        source: &Source,
        listed: Vec<Request>,
        version: u64,
    ) -> Affected {
        let mut gone: BTreeSet<ObjectName> = self
            .requests
            .keys()
            .filter(|name| source.covers(name))
            .cloned()
            .collect();
        let mut affected = Affected::new();
        for request in listed {
            gone.remove(&ObjectName::of(&request));
            affected.extend(self.put_request(request));
        }
        for name in gone {
            affected.extend(self.remove_request(&name));
        }
        self.progress.insert(source.clone(), version);
        affected
    }

    /// A list replaces all that its watch had seen, also if it is older.
    pub fn children_listed(
        &mut self,
        source: &Source,
        kind: ChildKind,
        listed: Vec<(String, Child)>,
        version: u64,
    ) -> Affected {
        let mut gone: BTreeSet<ChildPlace> = self
            .children
            .keys()
            .filter(|(of, name)| *of == kind && source.covers(name))
            .cloned()
            .collect();
        let mut affected = Affected::new();
        for (namespace, child) in listed {
            gone.remove(&place(&namespace, &child.key));
            affected.extend(self.put_child(&namespace, child));
        }
        for place in gone {
            affected.extend(self.remove_child(&place));
        }
        self.progress.insert(source.clone(), version);
        affected
    }

    /// A request was added or changed.
    pub fn request_seen(&mut self, source: &Source, request: Request) -> Affected {
        self.progressed(source, version(&request.resource_version));
        self.put_request(request)
    }

    /// A request is gone, at this version.
    pub fn request_gone(&mut self, source: &Source, name: &ObjectName, version: u64) -> Affected {
        self.progressed(source, version);
        self.remove_request(name)
    }

    /// A child was added or changed.
    pub fn child_seen(&mut self, source: &Source, namespace: &str, child: Child) -> Affected {
        self.progressed(source, version(&child.resource_version));
        self.put_child(namespace, child)
    }

    /// A child is gone, at this version.
    pub fn child_gone(&mut self, source: &Source, place: &ChildPlace, version: u64) -> Affected {
        self.progressed(source, version);
        self.remove_child(place)
    }

    fn put_request(&mut self, request: Request) -> Affected {
        let name = ObjectName::of(&request);
        // A version may be used again: etcd can be restored to an earlier state.
        if self
            .requests
            .get(&name)
            .is_some_and(|known| **known == request)
        {
            return Affected::new();
        }
        self.remove_request(&name);
        for key in named_children(&request.status) {
            let place = place(&name.namespace, &key);
            self.named.entry(place).or_default().insert(name.clone());
        }
        if let Some(phase) = request.status.known_phase() {
            *self.active.entry(phase).or_default() += 1;
        }
        self.requests.insert(name.clone(), Arc::new(request));
        Affected::from([name])
    }

    fn remove_request(&mut self, name: &ObjectName) -> Affected {
        let Some(request) = self.requests.remove(name) else {
            return Affected::new();
        };
        for key in named_children(&request.status) {
            let place = place(&name.namespace, &key);
            if let Some(requests) = self.named.get_mut(&place) {
                requests.remove(name);
                if requests.is_empty() {
                    self.named.remove(&place);
                }
            }
        }
        if let Some(phase) = request.status.known_phase()
            && let Some(count) = self.active.get_mut(&phase)
        {
            *count = count.saturating_sub(1);
        }
        Affected::from([name.clone()])
    }

    fn put_child(&mut self, namespace: &str, child: Child) -> Affected {
        let place = place(namespace, &child.key);
        if self
            .children
            .get(&place)
            .is_some_and(|known| **known == child)
        {
            return Affected::new();
        }
        let mut affected = self.remove_child(&place);
        affected.extend(self.concerned(&place, &child));
        if let Some(owner) = &child.owner {
            self.owned
                .entry(owner.uid.clone())
                .or_default()
                .insert(place.clone());
        }
        self.children.insert(place, Arc::new(child));
        affected
    }

    fn remove_child(&mut self, place: &ChildPlace) -> Affected {
        let Some(child) = self.children.remove(place) else {
            return Affected::new();
        };
        if let Some(owner) = &child.owner
            && let Some(places) = self.owned.get_mut(&owner.uid)
        {
            places.remove(place);
            if places.is_empty() {
                self.owned.remove(&owner.uid);
            }
        }
        self.concerned(place, &child)
    }

    /// The requests that a child may matter to: the one that its owner reference names, whatever the UID (an
    /// earlier incarnation's child that goes wakes the new request), the one that its label names, and those
    /// whose status names it.
    fn concerned(&self, place: &ChildPlace, child: &Child) -> Affected {
        let namespace = &place.1.namespace;
        let owner = child
            .owner
            .as_ref()
            .filter(|owner| owner.kind == REQUEST_KIND)
            .map(|owner| owner.name.clone());
        // A name that is too long for a label is cut there and leads nowhere; its owner reference does.
        let label = child.request_label.clone();
        let mut concerned: Affected = owner
            .into_iter()
            .chain(label)
            .map(|name| ObjectName::new(namespace.clone(), name))
            .collect();
        concerned.extend(self.named.get(place).into_iter().flatten().cloned());
        concerned
    }
}

/// The place of a child.
#[must_use]
pub fn place(namespace: &str, key: &ChildKey) -> ChildPlace {
    (key.kind, ObjectName::new(namespace, key.name.clone()))
}

/// The children that a status names, NotificationRequests (which are not watched) left out.
pub fn named_children(status: &Status) -> impl Iterator<Item = ChildKey> + '_ {
    let stage = |kind, reference: &Option<remediation_core::status::ObjectRef>| {
        reference
            .as_ref()
            .map(|reference| ChildKey::new(kind, reference.name.clone()))
    };
    [
        stage(
            ChildKind::RemediationProcessing,
            &status.remediation_processing_ref,
        ),
        stage(ChildKind::AIAnalysis, &status.ai_analysis_ref),
        stage(ChildKind::WorkflowExecution, &status.workflow_execution_ref),
    ]
    .into_iter()
    .flatten()
    .chain(
        status
            .kubernetes_execution_refs
            .iter()
            .map(|reference| ChildKey::new(ChildKind::KubernetesExecution, reference.name.clone())),
    )
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
