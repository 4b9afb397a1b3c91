//! One replica of the operator: processes that follow one another, each with a client, a clock and a memory of its
//! own. A crash is the process's whole task dropped, wherever it stands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use remediation_core::lease::LeaseTiming;
use remediation_core::policy::{DefaultTimeouts, EventSettings, Retention, Settings};
use remediation_core::time::GoDuration;
use tokio::sync::{mpsc, oneshot};

use super::clock::WallClock;
use super::expect;
use super::faults::{Faults, agent};
use super::hand::NAMESPACE;
use super::link::{Life, Link, StreamFaults};
use super::panics::Panics;
use super::plan::{Plan, StreamFault};
use super::witness::Witness;
use crate::clock::{Clock, SteadyClock};
use crate::kubernetes::calls::{Calls, KubeCalls};
use crate::kubernetes::lease::LeaseSettings;
use crate::kubernetes::operator::{Operator, OperatorSettings};
use crate::kubernetes::watch::WatchTiming;
use crate::simulation::api_server::ApiServer;
use crate::simulation::board::Board;
use crate::telemetry::Metrics;

/// Puts something between the operator and its calls.
pub type Wrap = Arc<dyn Fn(Arc<dyn Calls>) -> Arc<dyn Calls> + Send + Sync>;

/// A replica.
pub(super) struct Replica {
    pub(super) index: usize,
    pub(super) server: ApiServer,
    pub(super) clock: WallClock,
    pub(super) settings: OperatorSettings,
    /// Whether the next process starts with other settings.
    pub(super) reconfigured: Arc<AtomicBool>,
    /// Whether a webhook changes what is created.
    pub(super) webhook: Arc<AtomicBool>,
    pub(super) faults: Arc<Faults>,
    pub(super) streams: Arc<StreamFaults>,
    pub(super) witness: Arc<Witness>,
    pub(super) wrap: Wrap,
    pub(super) panics: Arc<Panics>,
    /// The metrics of every process so far.
    pub(super) metrics: Arc<Mutex<Vec<Metrics>>>,
    pub(super) healed: Arc<Board<bool>>,
    /// Told to stop in good order, and for how long.
    pub(super) stops: mpsc::UnboundedReceiver<u64>,
}

impl Replica {
    /// Runs one process after the other.
    pub(super) async fn run(mut self) {
        for process in 0_u64.. {
            let life = Arc::new(Life::default());
            let (stop, stopped) = oneshot::channel::<()>();
            let mut task = tokio::spawn(self.operator(process, &life).run(async {
                stopped.await.ok();
            }));
            let down_ms = tokio::select! {
                biased;
                down_ms = life.ended() => {
                    task.abort();
                    task.await.ok();
                    down_ms
                }
                Some(down_ms) = self.stops.recv() => {
                    stop.send(()).ok();
                    tokio::select! {
                        biased;
                        _ = life.ended() => {
                            task.abort();
                            task.await.ok();
                        }
                        _ = &mut task => {}
                    }
                    life.end(0);
                    down_ms
                }
                // Whatever made it end, a supervisor starts it again.
                _ = &mut task => 1000,
            };
            tokio::select! {
                biased;
                _ = self.healed.until(|healed| *healed) => {}
                () = tokio::time::sleep(Duration::from_millis(down_ms)) => {}
            }
        }
    }

    fn operator(&self, process: u64, life: &Arc<Life>) -> Operator {
        let agent = agent(self.index);
        self.faults.born(&agent, Arc::clone(life));
        let witness = Arc::clone(&self.witness);
        let link = Link {
            server: self.server.service(),
            // Letters, a hyphen and a digit.
            agent: HeaderValue::from_str(&agent)
                .unwrap_or(HeaderValue::from_static("remediation-orchestrator-")),
            life: Arc::clone(life),
            streams: Arc::clone(&self.streams),
            webhook: Arc::clone(&self.webhook),
            mutated: {
                let witness = Arc::clone(&self.witness);
                Arc::new(move || witness.reach_about("Webhook", None))
            },
            told: Arc::new(move |fault: StreamFault| {
                witness.reach_about(&format!("Stream {fault:?}"), None);
                witness.held_up(expect::held_up_by_watch(fault));
            }),
        };
        let client = kube::Client::new(link, NAMESPACE);
        let metrics = Metrics::new();
        self.metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(metrics.clone());
        let mut settings = self.settings.clone();
        if self.reconfigured.load(Ordering::Relaxed) {
            settings.policy = other_policy();
        }
        settings.instance.clone_from(&agent);
        if let Some(lease) = &mut settings.lease {
            lease.identity = format!("{agent}-{process}");
        }
        let calls = (self.wrap)(Arc::new(KubeCalls::new(client.clone())));
        let calls = Arc::clone(&self.panics).wrap(calls);
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        Operator::new(client, clock, settings, metrics).with_calls(calls)
    }
}

/// What all replicas of a plan are configured to.
pub(super) fn settings(plan: &Plan) -> OperatorSettings {
    let seconds = GoDuration::from_secs;
    let lease = LeaseSettings {
        namespace: "default".to_owned(),
        name: "remediation-orchestrator".to_owned(),
        identity: String::new(),
        timing: LeaseTiming::default(),
    };
    OperatorSettings {
        policy: Settings {
            timeouts: DefaultTimeouts {
                processing: seconds(30),
                analyzing: seconds(30),
                approval: seconds(30),
                workflow_planning: seconds(30),
                executing: seconds(60),
                overall: None,
            },
            retention: Retention {
                ttl_seconds_after_finished: 20,
            },
            ..Settings::default()
        },
        concurrency: plan.concurrency.max(1),
        watch: WatchTiming {
            page_size: plan.page_size.max(1),
            ..WatchTiming::default()
        },
        lease: (plan.replicas > 1).then_some(lease),
        ..OperatorSettings::default()
    }
}

/// Other settings, which count for requests that begin from now on.
fn other_policy() -> Settings {
    let seconds = GoDuration::from_secs;
    Settings {
        timeouts: DefaultTimeouts {
            processing: seconds(12),
            analyzing: seconds(14),
            approval: seconds(10),
            workflow_planning: seconds(13),
            executing: seconds(25),
            overall: Some(seconds(50)),
        },
        retention: Retention {
            ttl_seconds_after_finished: 5,
        },
        events: EventSettings { transitions: true },
        ..Settings::default()
    }
}

/// The replicas' clocks.
pub(super) fn clocks(plan: &Plan, steady: SteadyClock) -> Vec<WallClock> {
    (0..plan.replicas).map(|_| WallClock::new(steady)).collect()
}
