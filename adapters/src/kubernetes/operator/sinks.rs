//! From the watches into the view.

use std::sync::Arc;

use remediation_core::action::{Event, EventSeverity};
use remediation_core::children::Child;
use remediation_core::error::{ApiFailure, Category, Cause, classify};
use remediation_core::kind::ChildKind;
use remediation_core::request::{Identity, Request};
use remediation_core::text;

use super::shared::Shared;
use crate::kubernetes::cache::{ObjectName, Source, Watched, place};
use crate::kubernetes::read::{self, ChildWire, RequestWire, UnreadableRequest, version};
use crate::kubernetes::watch::Sink;

/// Takes what the watch over requests brings.
pub(super) struct RequestSink {
    pub(super) shared: Arc<Shared>,
    pub(super) source: Source,
}

/// Takes what the watch over the children of one kind brings.
pub(super) struct ChildSink {
    pub(super) shared: Arc<Shared>,
    pub(super) source: Source,
    pub(super) kind: ChildKind,
}

impl RequestSink {
    /// The request; or none if it cannot be read, which is said and breaks nothing else.
    fn read(&self, wire: RequestWire) -> Result<Request, Box<UnreadableRequest>> {
        read::request(wire).inspect_err(|error| {
            self.shared.metrics.error(Category::C);
            tracing::warn!(namespace = error.namespace, rr = error.name, uid = error.uid, %error, "skipped");
            let identity = Identity {
                namespace: error.namespace.clone(),
                name: error.name.clone(),
                uid: error.uid.clone(),
            };
            let event = Event {
                severity: EventSeverity::Warning,
                reason: "Unreadable",
                note: error.to_string(),
            };
            self.shared.announcer.publish(&identity, &event);
        })
    }
}

impl Sink<RequestWire> for RequestSink {
    type Kept = Request;

    fn list_begins(&self) -> u64 {
        self.shared.store().overlay.begin_list()
    }

    fn keep(&self, object: RequestWire) -> Option<Request> {
        self.read(object).ok()
    }

    fn listed(&self, requests: Vec<Request>, version: u64, began: u64) {
        self.shared.apply(|store| {
            let mut affected = store.overlay.listed(&self.source, began);
            affected.extend(store.cache.requests_listed(&self.source, requests, version));
            affected
        });
        self.shared.is_listed(&self.source);
    }

    fn seen(&self, object: RequestWire) {
        match self.read(object) {
            Ok(request) => self
                .shared
                .apply(|store| store.cache.request_seen(&self.source, request)),
            Err(error) => {
                let name = ObjectName::new(&*error.namespace, &*error.name);
                let at = version(&error.resource_version);
                self.shared
                    .apply(|store| store.cache.request_gone(&self.source, &name, at));
            }
        }
    }

    fn gone(&self, object: RequestWire) {
        let metadata = object.metadata;
        let name = ObjectName::new(metadata.namespace, metadata.name);
        let at = version(&metadata.resource_version);
        self.shared
            .apply(|store| store.cache.request_gone(&self.source, &name, at));
    }

    fn progressed(&self, version: u64) {
        self.shared.store().cache.progressed(&self.source, version);
    }

    fn lost(&self, failure: &ApiFailure) {
        lost(&self.shared, &self.source, failure);
    }
}

impl Sink<ChildWire> for ChildSink {
    type Kept = (String, Child);

    fn list_begins(&self) -> u64 {
        self.shared.store().overlay.begin_list()
    }

    fn keep(&self, object: ChildWire) -> Option<(String, Child)> {
        Some(read::child(self.kind, object))
    }

    fn listed(&self, children: Vec<(String, Child)>, version: u64, began: u64) {
        self.shared.apply(|store| {
            let mut affected = store.overlay.listed(&self.source, began);
            let cache = &mut store.cache;
            affected.extend(cache.children_listed(&self.source, self.kind, children, version));
            affected
        });
        self.shared.is_listed(&self.source);
    }

    fn seen(&self, object: ChildWire) {
        let (namespace, child) = read::child(self.kind, object);
        self.shared
            .apply(|store| store.cache.child_seen(&self.source, &namespace, child));
    }

    fn gone(&self, object: ChildWire) {
        let at = version(&object.metadata.resource_version);
        let (namespace, child) = read::child(self.kind, object);
        let place = place(&namespace, &child.key);
        self.shared
            .apply(|store| store.cache.child_gone(&self.source, &place, at));
    }

    fn progressed(&self, version: u64) {
        self.shared.store().cache.progressed(&self.source, version);
    }

    fn lost(&self, failure: &ApiFailure) {
        lost(&self.shared, &self.source, failure);
        // A child's kind that is not installed has no objects: the others go on without it.
        if classify(failure) == Cause::KindMissing {
            self.shared.apply(|store| {
                store
                    .cache
                    .children_listed(&self.source, self.kind, Vec::new(), 0)
            });
            self.shared.is_listed(&self.source);
        }
    }
}

fn lost(shared: &Shared, source: &Source, failure: &ApiFailure) {
    let kind = source.watched.name();
    shared.metrics.error(Category::D);
    shared.metrics.watch_lost(kind);
    let cause = classify(failure);
    tracing::warn!(
        kind,
        namespace = source.namespace,
        code = failure.code,
        error = failure.message,
        next_step = cause.next_step(),
        "watch lost; reconnecting and listing again"
    );
    let message = text::clean(&failure.message, text::MESSAGE);
    let mut store = shared.store();
    store.failed(source, format!("{message}; {}", cause.next_step()));
    if source.watched == Watched::Request || cause != Cause::KindMissing {
        store.lost.insert(source.clone());
    }
}
