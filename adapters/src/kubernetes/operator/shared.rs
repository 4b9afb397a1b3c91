//! What watches and workers share while this process leads: the view of everything, and the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use remediation_core::decide::State;
use remediation_core::memory::Memory;
use remediation_core::pass::{Call, Pass};
use remediation_core::policy::Settings;
use remediation_core::request::Identity;
use remediation_core::time::Time;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::kubernetes::cache::{Affected, Cache, ObjectName, Source};
use crate::kubernetes::events::Announcer;
use crate::kubernetes::overlay::Overlay;
use crate::kubernetes::queue::Queue;
use crate::telemetry::Metrics;

pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) announcer: Announcer,
    pub(super) queue: Queue,
    /// Told when a source is listed.
    pub(super) listed: Notify,
    policy: Arc<Settings>,
    store: Mutex<Store>,
}

/// Everything that is known. Locked for moments only, never across a call.
#[derive(Default)]
pub(super) struct Store {
    pub(super) cache: Cache,
    pub(super) overlay: Overlay,
    memories: BTreeMap<ObjectName, (String, Memory)>,
    /// Sources that have not been listed yet.
    missing: BTreeSet<Source>,
    /// Sources that were lost and have not come back.
    pub(super) lost: BTreeSet<Source>,
    /// Why the last list or watch of a source failed, and what to do about it.
    failures: BTreeMap<Source, String>,
    /// How often the API server came back after an outage.
    recoveries: u64,
}

impl Store {
    /// The request is gone, and all that is known of it.
    fn forget(&mut self, name: &ObjectName, queue: &Queue) {
        self.overlay.forget(name);
        self.memories.remove(name);
        queue.forget(name);
    }

    /// A list or watch of this source failed.
    pub(super) fn failed(&mut self, source: &Source, why: String) {
        self.failures.insert(source.clone(), why);
    }
}

/// A pass that is about to run, or what must be read live before.
pub(super) enum Beginning {
    /// There is no such request.
    Gone,
    /// These objects were written by us so long ago that the watches should have shown it.
    Overdue(Identity, Vec<Call>),
    /// The pass.
    Pass(Box<Pass>, Recoveries),
}

/// How often the API server had come back when a pass began.
pub(super) struct Recoveries(u64);

impl Shared {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        announcer: Announcer,
        policy: Settings,
        sources: &[Source],
    ) -> Self {
        let store = Store {
            missing: sources.iter().cloned().collect(),
            ..Store::default()
        };
        Self {
            queue: Queue::new(clock.clone()),
            clock,
            metrics,
            announcer,
            listed: Notify::new(),
            policy: Arc::new(policy),
            store: Mutex::new(store),
        }
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        // Nothing panics while it is locked but on a bug, and then the next list sets it right.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the view; the requests that are affected are looked at.
    pub(super) fn apply(&self, change: impl FnOnce(&mut Store) -> Affected) {
        let affected = {
            let mut store = self.store();
            let affected = change(&mut store);
            let mut there = Vec::new();
            for name in affected {
                if let Some(request) = store.cache.request(&name) {
                    let created = request.created.map(Time::moment);
                    there.push((name, created));
                } else {
                    store.forget(&name, &self.queue);
                }
            }
            there
        };
        for (name, created) in affected {
            self.queue.add(name, created);
        }
    }

    /// A source is listed. If it was lost before, the API server is back: nobody waits any longer, and
    /// everything is looked at.
    pub(super) fn is_listed(&self, source: &Source) {
        let mut store = self.store();
        store.missing.remove(source);
        store.failures.remove(source);
        let was_lost = store.lost.remove(source);
        drop(store);
        self.listed.notify_one();
        if was_lost {
            self.recovered();
        }
    }

    /// The API server answers again after an outage.
    pub(super) fn recovered(&self) {
        let now = self.clock.now();
        self.apply(|store| {
            store.recoveries += 1;
            for (_, memory) in store.memories.values_mut() {
                memory.end_backoffs(now);
            }
            store
                .cache
                .requests()
                .map(|(name, _)| name.clone())
                .collect()
        });
    }

    /// The sources that have not been listed yet, by their kinds' names, and why, if they were tried.
    pub(super) fn missing(&self) -> BTreeSet<String> {
        let store = self.store();
        store
            .missing
            .iter()
            .map(|source| {
                let name = source.watched.name();
                let why = store.failures.get(source);
                why.map_or_else(|| name.to_owned(), |why| format!("{name} ({why})"))
            })
            .collect()
    }

    /// Begins a pass over this request from the newest view.
    pub(super) fn begin(&self, name: &ObjectName, read_overdue: bool) -> Beginning {
        let now = self.clock.now();
        let store = &mut *self.store();
        let Some(view) = store.overlay.view(&store.cache, name, now) else {
            store.forget(name, &self.queue);
            return Beginning::Gone;
        };
        if read_overdue && !view.overdue.is_empty() {
            return Beginning::Overdue(view.request.identity, view.overdue);
        }
        let memory = match store.memories.get(name) {
            Some((uid, memory)) if *uid == view.request.identity.uid => memory.clone(),
            Some(_) | None => Memory::default(),
        };
        let state = State {
            request: view.request,
            settings: self.policy.clone(),
            memory,
        };
        let pass = Pass::new(state, view.children);
        Beginning::Pass(Box::new(pass), Recoveries(store.recoveries))
    }

    /// When a request is to be looked at again although nothing happens to it.
    pub(super) fn look_again(&self, name: &ObjectName) -> Option<Timestamp> {
        self.store().overlay.look_again(name)
    }

    /// Keeps what a pass is to remember.
    pub(super) fn finish(&self, name: &ObjectName, pass: Pass, began: &Recoveries, now: Timestamp) {
        let (request, _, mut memory) = pass.into_parts();
        let mut store = self.store();
        if store.recoveries != began.0 {
            memory.end_backoffs(now);
        }
        if store.cache.request(name).is_none() {
            // The watch was faster than the answer to the last call.
            store.forget(name, &self.queue);
        } else if memory == Memory::default() {
            store.memories.remove(name);
        } else {
            store
                .memories
                .insert(name.clone(), (request.identity.uid, memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use remediation_core::pass::{Outcome, RecordCall};
    use remediation_core::phase::{Phase, PhaseWord};
    use remediation_core::request::Request;
    use remediation_core::status::Status;

    use super::*;
    use crate::clock::SteadyClock;
    use crate::kubernetes::cache::Watched;
    use crate::kubernetes::events::announcer;
    use crate::kubernetes::executor::Observer;
    use crate::simulation::api_server::{ApiServer, Options, TokioClock};

    /// What an operator over one source shares.
    fn shared() -> (Shared, Source) {
        let start = Timestamp::UNIX_EPOCH;
        let server = ApiServer::new(Options::new(Arc::new(TokioClock::starting_at(start)), 7));
        let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_at(start));
        let metrics = Metrics::new();
        let (announcer, _poster) =
            announcer(server.client(), clock.clone(), metrics.clone(), "operator");
        let source = Source {
            watched: Watched::Request,
            namespace: None,
        };
        let sources = [source.clone()];
        let shared = Shared::new(clock, metrics, announcer, Settings::default(), &sources);
        (shared, source)
    }

    fn asked() -> Request {
        Request {
            identity: Identity {
                namespace: "shop".into(),
                name: "web".into(),
                uid: "u-1".into(),
            },
            resource_version: "1".into(),
            ..Request::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_that_is_not_kept_is_no_transition() {
        let (shared, _) = shared();
        let to = Status {
            phase: Some(PhaseWord::Known(Phase::Processing)),
            ..Status::default()
        };
        let record = RecordCall {
            from: Status::default(),
            to: to.clone(),
            resource_version: "1".into(),
            path: vec![Phase::Initializing, Phase::Processing],
        };
        let call = Call::Record(Box::new(record));
        let transitions = |stored: Status| {
            let mut request = asked();
            request.status = stored;
            let outcome = Outcome::Request(Box::new(request));
            shared.answered(&asked().identity, &call, &outcome, Timestamp::UNIX_EPOCH);
            let shown = shared.metrics.render();
            shown.matches("to=\"Processing\"").count()
        };
        assert_eq!(transitions(Status::default()), 0);
        assert_eq!(transitions(to), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_gone_before_its_deletion_is_answered_leaves_nothing_behind() {
        let start = Timestamp::UNIX_EPOCH;
        let (shared, source) = shared();
        let request = asked();
        let (identity, name) = (request.identity.clone(), ObjectName::of(&request));
        shared.apply(|store| store.cache.request_seen(&source, request));
        assert_eq!(shared.queue.next().await, name);
        let Beginning::Pass(pass, recoveries) = shared.begin(&name, true) else {
            panic!("there is a request");
        };
        shared.apply(|store| store.cache.request_gone(&source, &name, 2));
        let delete = Call::DeleteRequest {
            resource_version: "1".into(),
        };
        shared.answered(&identity, &delete, &Outcome::Deleted, start);
        shared.finish(&name, *pass, &recoveries, start);
        assert!(shared.store().overlay.is_empty());

        let later = start + SignedDuration::from_secs(10);
        shared.queue.done(&name, Some(later));
        assert_eq!(shared.queue.next().await, name);
        assert!(matches!(shared.begin(&name, true), Beginning::Gone));
        shared.queue.done(&name, None);
        assert!(shared.queue.is_empty());
    }
}
