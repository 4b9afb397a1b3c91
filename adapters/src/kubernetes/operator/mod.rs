//! The operator: watches, queue, workers, executor, Events and the election, wired together for one client.
//!
//! ```text
//! watch → Sink → Store + Queue → worker: view → Pass → Executor → API call → Observer → Store
//! ```
//!
//! The watches begin when leadership is won, with a consistent list each, so a new leader never decides from
//! what a standby saw; that costs well under a second of the takeover, and a standby costs nothing.

mod health;
mod observer;
mod shared;
mod sinks;
mod worker;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use remediation_core::kind::{ChildKind, REQUEST_GROUP, REQUEST_PLURAL};
use remediation_core::policy::Settings;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cache::{Source, Watched};
use super::calls::{Calls, KubeCalls, collection};
use super::events::announcer;
use super::executor::Executor;
use super::gate::{Gate, Renewal};
use super::lease::{Elector, LeaseSettings};
use super::read::{ChildWire, RequestWire};
use super::watch::{Watch, WatchTiming};
use crate::clock::Clock;
use crate::telemetry::Metrics;

pub use health::Health;
use shared::Shared;
use sinks::{ChildSink, RequestSink};
use worker::Workers;

/// How often the operator looks after itself: gauges, and the heartbeat that `/healthz` listens to.
const TICK: Duration = Duration::from_secs(5);
/// How long passes under way may take to end when the operator stops.
const GRACE: Duration = Duration::from_secs(8);

/// How an operator runs, apart from what it decides.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// What it decides by.
    pub policy: Settings,
    /// The namespaces that it looks at; none means all.
    pub namespaces: Vec<String>,
    /// How many requests are worked on at once. Default 16: one connection each.
    pub concurrency: usize,
    /// How long one call may take. Default 10 s.
    pub call_timeout: Duration,
    /// How watches are timed.
    pub watch: WatchTiming,
    /// The Lease that is held while it acts; `None` where it is the only one.
    pub lease: Option<LeaseSettings>,
    /// What this process is called in Events.
    pub instance: String,
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            policy: Settings::default(),
            namespaces: Vec::new(),
            concurrency: 16,
            call_timeout: Duration::from_secs(10),
            watch: WatchTiming::default(),
            lease: None,
            instance: "remediation-orchestrator".to_owned(),
        }
    }
}

/// The operator, ready to run.
pub struct Operator {
    client: Client,
    calls: Arc<dyn Calls>,
    clock: Arc<dyn Clock>,
    settings: OperatorSettings,
    metrics: Metrics,
    health: Arc<Health>,
}

impl Operator {
    /// An operator that talks through this client and believes this clock.
    #[must_use]
    pub fn new(
        client: Client,
        clock: Arc<dyn Clock>,
        settings: OperatorSettings,
        metrics: Metrics,
    ) -> Self {
        let health = Arc::new(Health::new(clock.clone(), settings.lease.is_some()));
        Self {
            calls: Arc::new(KubeCalls::new(client.clone())),
            client,
            clock,
            settings,
            metrics,
            health,
        }
    }

    /// Replaces the way in which calls are made, for tests that stand between.
    #[must_use]
    pub fn with_calls(mut self, calls: Arc<dyn Calls>) -> Self {
        self.calls = calls;
        self
    }

    /// How it is; for `/healthz` and `/readyz`.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Runs until `shutdown` is done: passes under way end, the Lease is given up.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let work = async {
            match self.settings.lease.clone() {
                None => {
                    self.lead(Gate::open(), None, stopped.clone()).await;
                }
                Some(lease) => self.take_part(lease, stopped.clone()).await,
            }
        };
        tokio::pin!(work);
        tokio::select! {
            biased;
            () = shutdown => {
                stop.send_replace(true);
                work.await;
            }
            () = &mut work => {}
        }
    }

    /// Leads whenever the Lease is held. The election goes on until all work has ended.
    async fn take_part(&self, lease: LeaseSettings, mut stopped: watch::Receiver<bool>) {
        let elector = Elector::new(
            self.client.clone(),
            lease,
            self.clock.clone(),
            self.metrics.clone(),
        );
        let (gate, recoveries) = (elector.gate(), elector.recoveries());
        let mut leading = elector.leading();
        let (end, ended) = watch::channel(false);
        let mut election = JoinSet::new();
        election.spawn(elector.run(ended));
        loop {
            let won = async {
                let mut beat = tokio::time::interval(TICK);
                loop {
                    tokio::select! {
                        biased;
                        won = leading.wait_for(Option::is_some) => return won.is_ok(),
                        _ = beat.tick() => self.health.beat(),
                    }
                }
            };
            let won = tokio::select! {
                biased;
                () = worker::told(&mut stopped) => false,
                won = won => won,
            };
            if !won {
                break;
            }
            let election = Election {
                leading: leading.clone(),
                recoveries: recoveries.clone(),
            };
            self.lead(gate.clone(), Some(election), stopped.clone())
                .await;
            if *stopped.borrow() {
                break;
            }
        }
        end.send_replace(true);
        while election.join_next().await.is_some() {}
    }

    /// Does the work, from a fresh view of everything, until it is stopped or does not lead any more.
    async fn lead(&self, gate: Gate, election: Option<Election>, stopped: watch::Receiver<bool>) {
        self.metrics.leader(true);
        self.health.leading(true);
        let (announcer, poster) = announcer(
            self.client.clone(),
            self.clock.clone(),
            self.metrics.clone(),
            &self.settings.instance,
        );
        let sources = self.sources();
        let shared = Arc::new(Shared::new(
            self.clock.clone(),
            self.metrics.clone(),
            announcer,
            self.settings.policy.clone(),
            &sources,
        ));
        let executor = Arc::new(Executor {
            calls: self.calls.clone(),
            clock: self.clock.clone(),
            gate,
            observer: shared.clone(),
            call_timeout: self.settings.call_timeout,
        });
        let mut background = JoinSet::new();
        background.spawn(poster.run());
        for source in sources {
            self.watch(source, &shared, &mut background);
        }
        let workers = Workers {
            shared,
            executor,
            health: self.health.clone(),
            concurrency: self.settings.concurrency,
        };
        workers.run(election, stopped).await;
        background.shutdown().await;
        self.health.leading(false);
        self.metrics.leader(false);
    }

    fn sources(&self) -> Vec<Source> {
        let namespaces: Vec<Option<String>> = if self.settings.namespaces.is_empty() {
            vec![None]
        } else {
            self.settings.namespaces.iter().cloned().map(Some).collect()
        };
        let kinds = std::iter::once(Watched::Request).chain(ChildKind::OWNED.map(Watched::Child));
        kinds
            .flat_map(|watched| {
                namespaces.iter().map(move |namespace| Source {
                    watched,
                    namespace: namespace.clone(),
                })
            })
            .collect()
    }

    fn watch(&self, source: Source, shared: &Arc<Shared>, background: &mut JoinSet<()>) {
        let (client, timing) = (self.client.clone(), self.settings.watch);
        let namespace = source.namespace.clone();
        let shared = shared.clone();
        match source.watched {
            Watched::Request => {
                let watch: Watch<RequestWire, RequestSink> = Watch {
                    client,
                    path: collection(REQUEST_GROUP, REQUEST_PLURAL, namespace.as_deref()),
                    timing,
                    sink: Arc::new(RequestSink { shared, source }),
                    object: std::marker::PhantomData,
                };
                background.spawn(watch.run());
            }
            Watched::Child(kind) => {
                let watch: Watch<ChildWire, ChildSink> = Watch {
                    client,
                    path: collection(kind.group(), kind.plural(), namespace.as_deref()),
                    timing,
                    sink: Arc::new(ChildSink {
                        shared,
                        source,
                        kind,
                    }),
                    object: std::marker::PhantomData,
                };
                background.spawn(watch.run());
            }
        }
    }
}

/// What the work needs to know of the election.
#[derive(Clone)]
struct Election {
    leading: watch::Receiver<Option<Renewal>>,
    recoveries: watch::Receiver<u64>,
}

#[cfg(test)]
#[cfg(feature = "simulation")]
mod tests;
