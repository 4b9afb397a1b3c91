//! The server itself: what it is made of, and what tests may ask of it beside requests.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    builtin,
    checkpoint::Checkpoint,
    clock::{Clock, whole_seconds},
    commit::CommitObserver,
    crd, garbage,
    intercept::Interceptor,
    log::{RequestLog, RequestRecord},
    namespace,
    object::ObjectKey,
    serve,
    service::ApiService,
    store::Store,
};

/// How the server is set up.
#[derive(Clone)]
pub struct Options {
    /// Tells the time of timestamps.
    pub clock: Arc<dyn Clock>,
    /// The UIDs and generated names come from it: the same seed gives the same ones.
    pub seed: u64,
    /// Events of each resource that watches can still ask for.
    pub history_limit: usize,
    /// Requests that [`ApiServer::requests`] remembers; with 0 they are not counted either.
    pub request_log_limit: usize,
}

impl Options {
    /// The defaults: 10,000 events of each resource, 100,000 requests.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self {
            clock,
            seed,
            history_limit: 10_000,
            request_log_limit: 100_000,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            clock: _,
            seed,
            history_limit,
            request_log_limit,
        } = self;
        formatter
            .debug_struct("Options")
            .field("seed", seed)
            .field("history_limit", history_limit)
            .field("request_log_limit", request_log_limit)
            .finish_non_exhaustive()
    }
}

/// The resourceVersion before the first object.
const FIRST_REVISION: u64 = 100;

/// A Kubernetes API server in this process. Cloning it is cheap and gives the same server.
#[derive(Debug, Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
}

/// What the server's handles, requests and watches share.
pub(crate) struct Shared {
    store: Mutex<Store>,
    log: Mutex<RequestLog>,
    interceptor: RwLock<Option<Arc<dyn Interceptor>>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// What a request needs to know beside the store.
#[derive(Debug)]
pub(crate) struct Context {
    /// The time, as it goes into objects.
    pub(crate) now: String,
}

impl Shared {
    /// A panic while the lock was held leaves the store as it was: one write is one call.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, for a request of this client, which came then; of the server's own controllers where it is empty.
    pub(crate) fn store_for(
        &self,
        client: &str,
        received: jiff::Timestamp,
    ) -> MutexGuard<'_, Store> {
        let mut store = self.store();
        if store.witness.observer.is_some() {
            store.witness.received = received;
            store.witness.now = self.clock.now();
            if *store.witness.client != *client {
                store.witness.client = client.into();
            }
        }
        store
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, RequestLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn context(&self) -> Context {
        Context {
            now: whole_seconds(self.clock.now()),
        }
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    pub(crate) fn interceptor(&self) -> Option<Arc<dyn Interceptor>> {
        self.interceptor
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ApiServer {
    /// A server with the built-in kinds and the namespaces `default` and `kube-system`.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options {
            clock,
            seed,
            history_limit,
            request_log_limit,
        } = options;
        let mut store = Store::new(FIRST_REVISION, history_limit, seed);
        for definition in builtin::definitions() {
            store.define(Arc::clone(definition));
        }
        let created = whole_seconds(clock.now());
        for name in namespace::INITIAL {
            let mut value = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "uid": store.uids.next(), "creationTimestamp": created},
            });
            namespace::complete(&mut value, name);
            if let Some(namespaces) = store.resource("", "namespaces") {
                let definition = Arc::clone(&namespaces.definition);
                store.put(&definition, value);
            }
        }
        Self {
            shared: Arc::new(Shared {
                store: Mutex::new(store),
                log: Mutex::new(RequestLog::new(request_log_limit)),
                interceptor: RwLock::new(None),
                clock,
            }),
        }
    }

    /// A client of this server, with `default` as its namespace. Must be called within a tokio runtime.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), "default")
    }

    /// The server as a tower service, to put layers around it.
    #[must_use]
    pub fn service(&self) -> ApiService {
        ApiService::new(Arc::clone(&self.shared))
    }

    /// Serves HTTP/1.1 on `listener` until the future is dropped.
    pub fn serve(
        &self,
        listener: tokio::net::TcpListener,
    ) -> impl Future<Output = ()> + Send + use<> {
        serve::serve(listener, self.service())
    }

    /// Does what the garbage collector and the controllers of namespaces and definitions have to do now. Returns how many objects were
    /// written or deleted.
    pub fn collect_garbage(&self) -> usize {
        let mut store = self.shared.store_for("", self.shared.now());
        if store.is_collected() {
            return 0;
        }
        let context = self.shared.context();
        let mut total = 0;
        loop {
            let changes = namespace::finish(&mut store, &context)
                + crd::finish(&mut store, &context)
                + garbage::collect(&mut store, &context);
            total += changes;
            if changes == 0 {
                store.collected();
                return total;
            }
        }
    }

    /// Collects garbage every `interval` until the task is aborted. Must be called within a tokio runtime.
    pub fn spawn_garbage_collector(&self, interval: Duration) -> tokio::task::JoinHandle<()> {
        let server = self.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            loop {
                ticks.tick().await;
                server.collect_garbage();
            }
        })
    }

    /// The newest requests, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.log().records()
    }

    /// How many requests there were by verb and resource (`widgets`, `widgets/status`).
    #[must_use]
    pub fn request_counts(&self) -> BTreeMap<(String, String), u64> {
        self.shared.log().counts()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.log().clear();
    }

    /// Has every later request pass by `interceptor`, or by none.
    pub fn set_interceptor(&self, interceptor: Option<Arc<dyn Interceptor>>) {
        *self
            .shared
            .interceptor
            .write()
            .unwrap_or_else(PoisonError::into_inner) = interceptor;
    }

    /// Has every later committed write told to `observer`, or to none.
    pub fn set_commit_observer(&self, observer: Option<Arc<dyn CommitObserver>>) {
        self.shared.store().witness.observer = observer;
    }

    /// The object as it is now.
    #[must_use]
    pub fn object(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Value>> {
        let key = ObjectKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let store = self.shared.store();
        let object = store.resource(group, plural)?.objects.get(&key)?;
        Some(Arc::clone(&object.value))
    }

    /// How many objects of a resource there are.
    #[must_use]
    pub fn count(&self, group: &str, plural: &str) -> usize {
        let store = self.shared.store();
        store
            .resource(group, plural)
            .map_or(0, |resource| resource.objects.len())
    }

    /// Forgets all history: older resourceVersions and continue tokens are answered with 410 from now on.
    pub fn compact(&self) {
        self.shared.store().compact();
    }

    /// Cuts all open watches off, in the middle of their streams.
    pub fn disconnect_watches(&self) {
        self.shared.store().disconnect_watches();
    }

    /// Holds back what watches of a resource would see from now on, bookmarks too: clients' caches fall behind, or, as
    /// far as they can tell, their connection has silently died. Lists and gets stay up to date.
    pub fn hold_watches(&self, group: &str, plural: &str) {
        let mut store = self.shared.store();
        let revision = store.revision;
        if let Some(resource) = store.resource_mut(group, plural) {
            resource.held_at.get_or_insert(revision);
        }
    }

    /// Lets watches of a resource see everything again, what was held back first.
    pub fn release_watches(&self, group: &str, plural: &str) {
        if let Some(resource) = self.shared.store().resource_mut(group, plural) {
            resource.held_at = None;
            resource.wake();
        }
    }

    /// The state now, to come back to with [`restore`](Self::restore).
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint::take(&self.shared.store())
    }

    /// Goes back to an earlier state, as after etcd was restored from a backup: resourceVersions too go back, and all
    /// watches are cut off.
    pub fn restore(&self, checkpoint: &Checkpoint) {
        checkpoint.restore(&mut self.shared.store());
    }

    /// The newest resourceVersion.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.shared.store().revision
    }
}
