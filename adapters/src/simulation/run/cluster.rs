//! One run, from its plan to its report.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use remediation_core::kind::ChildKind;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::clock::WallClock;
use super::definitions::Definitions;
use super::faults::{Faults, agent};
use super::hand::Hand;
use super::link::{self, StreamFaults};
use super::panics::Panics;
use super::people::People;
use super::plan::{Plan, Trouble, When};
use super::reach::Reach;
use super::replica::{self, Replica};
use super::witness::{Seen, Witness};
use super::{Options, Report, expect, template};
use crate::clock::SteadyClock;
use crate::simulation::api_server::{ApiServer, TokioClock};
use crate::simulation::board::Board;
use crate::simulation::children::{self, Children, Scripts};
use crate::telemetry::Metrics;

/// Runs a plan. Blocks the thread, which must not be within a runtime.
#[must_use]
pub fn run(plan: &Plan, options: &Options) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async { Cluster::start(plan, options).live().await }),
        // Without sockets there is nothing that the system could refuse.
        Err(error) => unreachable!("a runtime without I/O: {error}"),
    }
}

struct Cluster<'a> {
    plan: &'a Plan,
    server: ApiServer,
    hand: Hand,
    people: People,
    witness: Arc<Witness>,
    faults: Arc<Faults>,
    streams: Arc<StreamFaults>,
    clocks: Vec<WallClock>,
    stops: Vec<mpsc::UnboundedSender<u64>>,
    /// By replica: whether its next process has other settings.
    reconfigured: Vec<Arc<AtomicBool>>,
    /// Whether a webhook changes what operators create.
    webhook: Arc<AtomicBool>,
    healed: Arc<Board<bool>>,
    metrics: Arc<Mutex<Vec<Metrics>>>,
    started: tokio::time::Instant,
    children: Children,
    /// What runs until the end.
    tasks: JoinSet<()>,
    /// What runs until everything heals.
    troubles: JoinSet<()>,
}

/// After so long without anything written, and with nothing left to wait for, a run is over.
const QUIET: Duration = Duration::from_secs(40);
/// After so long what is left only waits to expire: longer than a watch may be silent and a backoff last.
const SETTLED: Duration = Duration::from_secs(300);
/// How long requests may take to end once everything has healed, at most: all timeouts, retention, the longest
/// silence of a watch, and as much again for what was paused.
const PATIENCE: Duration = Duration::from_secs(900);

impl<'a> Cluster<'a> {
    fn start(plan: &'a Plan, options: &Options) -> Self {
        let clock = Arc::new(TokioClock::starting_at(template::start()));
        let steady = SteadyClock::starting_at(template::start());
        let server = template::server(clock.clone(), plan.seed);
        let hand = Hand::new(server.clone());
        let witness = Arc::new(Witness::new(options.trace, plan));
        let healed = Arc::new(Board::new(false));
        let people = People::new(hand.clone(), plan.requests.clone(), Arc::clone(&healed));
        let faults = Arc::new(Faults::new(plan, Arc::clone(&witness), people.clone()));
        server.set_commit_observer(Some(witness.clone()));
        server.set_interceptor(Some(faults.clone()));
        let stream_faults = plan.troubles.iter().filter_map(|trouble| match trouble {
            Trouble::Watch { nth, event, fault } => Some((*nth, (*event, *fault))),
            _ => None,
        });
        let mut cluster = Self {
            plan,
            children: Children::spawn(children::Options {
                client: link::client(server.service(), "children"),
                namespace: None,
                clock,
                scripts: Scripts::default(),
            }),
            hand,
            people,
            witness,
            faults,
            streams: Arc::new(StreamFaults::new(stream_faults.collect())),
            clocks: replica::clocks(plan, steady),
            stops: Vec::new(),
            reconfigured: Vec::new(),
            webhook: Arc::default(),
            healed,
            metrics: Arc::default(),
            started: tokio::time::Instant::now(),
            tasks: JoinSet::new(),
            troubles: JoinSet::new(),
            server,
        };
        cluster.begin(options);
        cluster
    }

    fn begin(&mut self, options: &Options) {
        let mut late = Duration::ZERO;
        for trouble in &self.plan.troubles {
            if let Trouble::Garbage { late_ms } = trouble {
                late = Duration::from_millis(*late_ms);
                self.witness.disturbs(None);
            }
        }
        let settings = replica::settings(self.plan);
        let panics = Arc::new(Panics::new(self.plan, Arc::clone(&self.witness)));
        for (index, clock) in self.clocks.iter().enumerate() {
            let (stop, stops) = mpsc::unbounded_channel();
            self.stops.push(stop);
            let reconfigured = Arc::<AtomicBool>::default();
            self.reconfigured.push(Arc::clone(&reconfigured));
            let replica = Replica {
                index,
                server: self.server.clone(),
                clock: clock.clone(),
                settings: settings.clone(),
                reconfigured,
                webhook: Arc::clone(&self.webhook),
                faults: Arc::clone(&self.faults),
                streams: Arc::clone(&self.streams),
                witness: Arc::clone(&self.witness),
                wrap: options.wrap.clone(),
                panics: Arc::clone(&panics),
                metrics: Arc::clone(&self.metrics),
                healed: Arc::clone(&self.healed),
                stops,
            };
            self.tasks.spawn(replica.run());
        }
        let witness = Arc::clone(&self.witness);
        self.tasks
            .spawn(collect(self.server.clone(), late, witness));
        for asked in &self.plan.requests {
            let (people, name) = (self.people.clone(), asked.name.clone());
            let at = Duration::from_millis(asked.at_ms);
            self.tasks.spawn(async move {
                tokio::time::sleep(at).await;
                people.ask(&name);
            });
        }
        for trouble in &self.plan.troubles {
            self.trouble(trouble.clone());
        }
    }

    /// Starts what makes this trouble at its time. Troubles with calls and watches are made where these pass.
    fn trouble(&mut self, trouble: Trouble) {
        let (witness, server, faults) = (
            Arc::clone(&self.witness),
            self.server.clone(),
            Arc::clone(&self.faults),
        );
        let sort = trouble.sort();
        let reached = move || witness.reach_about(&sort, None);
        let millis = Duration::from_millis;
        match trouble {
            Trouble::Call { .. }
            | Trouble::Calls { .. }
            | Trouble::Crash { .. }
            | Trouble::Panic { .. }
            | Trouble::Watch { .. }
            | Trouble::Garbage { .. } => {}
            Trouble::CrashAt {
                replica,
                at_ms,
                down_ms,
            } => {
                self.troubles.spawn(async move {
                    tokio::time::sleep(millis(at_ms)).await;
                    if let Some(life) = faults.life(&agent(replica)) {
                        reached();
                        life.end(down_ms);
                    }
                });
            }
            Trouble::Stop {
                replica,
                at_ms,
                down_ms,
            } => {
                let Some(stop) = self.stops.get(replica).cloned() else {
                    return;
                };
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    stop.send(down_ms).ok();
                });
            }
            Trouble::Stall {
                replica,
                at_ms,
                for_ms,
            } => {
                let healed = Arc::clone(&self.healed);
                let witness = Arc::clone(&self.witness);
                self.tasks.spawn(async move {
                    tokio::time::sleep(millis(at_ms)).await;
                    let Some(life) = faults.life(&agent(replica)) else {
                        return;
                    };
                    reached();
                    life.stall(true);
                    tokio::select! {
                        biased;
                        _ = healed.until(|healed| *healed) => {}
                        () = tokio::time::sleep(millis(for_ms)) => {}
                    }
                    witness.goes_on();
                    life.stall(false);
                });
            }
            Trouble::Clock {
                replica,
                at_ms,
                by_ms,
            } => {
                let Some(clock) = self.clocks.get(replica).cloned() else {
                    return;
                };
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    clock.set(by_ms);
                });
            }
            Trouble::Freeze {
                replica,
                at_ms,
                for_ms,
            } => {
                let Some(clock) = self.clocks.get(replica).cloned() else {
                    return;
                };
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    clock.freeze();
                    tokio::time::sleep(millis(for_ms)).await;
                    clock.thaw();
                });
            }
            Trouble::Cut { at_ms, compact } => {
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    if compact {
                        server.compact();
                    }
                    server.disconnect_watches();
                });
            }
            Trouble::Lag {
                plural,
                at_ms,
                for_ms,
                compact,
            } => {
                let group = group(&plural);
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    server.hold_watches(group, &plural);
                    tokio::time::sleep(millis(for_ms)).await;
                    if compact {
                        server.compact();
                    }
                    server.release_watches(group, &plural);
                });
            }
            Trouble::Outage { at_ms, for_ms } => {
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    faults.outage(true);
                    server.disconnect_watches();
                    tokio::time::sleep(millis(for_ms)).await;
                    faults.outage(false);
                });
            }
            Trouble::Restore { saved_ms, at_ms } => {
                let (rewritten, hand) = (Arc::clone(&self.witness), self.hand.clone());
                self.troubles.spawn(async move {
                    tokio::time::sleep(millis(saved_ms)).await;
                    let saved = server.checkpoint();
                    tokio::time::sleep(millis(at_ms.saturating_sub(saved_ms))).await;
                    reached();
                    server.restore(&saved);
                    rewritten.history_rewritten(hand.everything());
                });
            }
            Trouble::Namespace { at_ms } => {
                let hand = self.hand.clone();
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    let path = format!("/api/v1/namespaces/{}", super::hand::NAMESPACE);
                    hand.send("DELETE", &path, &serde_json::Value::Null);
                });
            }
            Trouble::Uninstalled { kind, until_ms } => {
                let definitions = self.definitions();
                let back = definitions.uninstall(kind, until_ms);
                self.server.collect_garbage();
                self.witness.disturbs(None);
                faults.installed(kind, false);
                self.tasks.spawn(async move {
                    back.await;
                    faults.installed(kind, true);
                });
            }
            Trouble::OlderDefinition { until_ms } => {
                self.witness.disturbs(None);
                let renewed = self.definitions().make_older(until_ms);
                faults.older(true);
                self.tasks.spawn(async move {
                    renewed.await;
                    faults.older(false);
                });
            }
            Trouble::Webhook { at_ms, for_ms } => {
                let webhook = Arc::clone(&self.webhook);
                self.troubles.spawn(async move {
                    tokio::time::sleep(millis(at_ms)).await;
                    webhook.store(true, Ordering::Relaxed);
                    tokio::time::sleep(millis(for_ms)).await;
                    webhook.store(false, Ordering::Relaxed);
                });
            }
            Trouble::Reconfigure { replica, at_ms } => {
                let (Some(stop), Some(other)) = (
                    self.stops.get(replica).cloned(),
                    self.reconfigured.get(replica).cloned(),
                ) else {
                    return;
                };
                self.troubles.spawn(async move {
                    due(at_ms, reached).await;
                    other.store(true, Ordering::Relaxed);
                    stop.send(0).ok();
                });
            }
            Trouble::Person {
                request,
                when,
                deed,
            } => {
                let (people, phases) = (self.people.clone(), self.witness.phases());
                let witness = Arc::clone(&self.witness);
                let name = request.clone();
                let act = move || {
                    witness.reach_deed(&request, &deed);
                    people.act(&request, &deed);
                };
                match when {
                    When::Call(_) => {}
                    When::At(at_ms) => {
                        self.troubles.spawn(async move {
                            tokio::time::sleep(millis(at_ms)).await;
                            act();
                        });
                    }
                    When::Phase(phase, after_ms) => {
                        self.troubles.spawn(async move {
                            phases
                                .until(|phases| phases.get(&name) == Some(&phase))
                                .await;
                            tokio::time::sleep(millis(after_ms)).await;
                            act();
                        });
                    }
                }
            }
        }
    }

    fn definitions(&self) -> Definitions {
        Definitions {
            hand: self.hand.clone(),
            healed: Arc::clone(&self.healed),
        }
    }

    async fn live(mut self) -> Report {
        tokio::time::sleep(Duration::from_millis(self.plan.safety_ms)).await;
        self.heal().await;
        self.rest().await;
        self.report()
    }

    /// From now on nothing goes wrong but what is said to last for ever.
    async fn heal(&mut self) {
        self.troubles.shutdown().await;
        self.healed.change(|healed| *healed = true);
        self.faults.heal();
        self.streams.heal();
        self.webhook.store(false, Ordering::Relaxed);
        for clock in &self.clocks {
            clock.heal();
        }
        for kind in ChildKind::ALL {
            self.server.release_watches(kind.group(), kind.plural());
        }
        let requests = remediation_core::kind::REQUEST_PLURAL;
        self.server.release_watches(group(requests), requests);
    }

    /// Waits until there is nothing left to wait for.
    async fn rest(&self) {
        let requests = remediation_core::kind::REQUEST_PLURAL;
        let patience = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < patience {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let last = self.witness.last_commit().unwrap_or(template::start());
            let now = template::start()
                .saturating_add(self.started.elapsed())
                .unwrap_or(jiff::Timestamp::MAX);
            let quiet = Duration::try_from(now.duration_since(last)).unwrap_or_default();
            let gone = || self.server.count(group(requests), requests) == 0;
            let settled = || {
                let left = self.hand.list(&super::hand::requests());
                left.iter().all(|request| expect::stays(request, now))
            };
            if quiet >= QUIET && (gone() || quiet >= SETTLED && settled()) {
                return;
            }
        }
    }

    fn report(mut self) -> Report {
        let lasted = self.started.elapsed();
        let now = template::start()
            .saturating_add(lasted)
            .unwrap_or(jiff::Timestamp::MAX);
        self.tasks.abort_all();
        self.server.collect_garbage();
        self.server.set_interceptor(None);
        self.server.set_commit_observer(None);
        let mut categories = Reach::default();
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        for metrics in metrics.iter() {
            categories.counted(&metrics.render());
        }
        let left = self.hand.list(&super::hand::requests());
        for violation in
            expect::unjudged(self.plan, now, &left, &self.children.started(), &categories)
        {
            self.witness.broken(violation);
        }
        let Seen {
            mut reach,
            trace,
            ends,
            lifecycles,
            broken,
        } = self.witness.finish(&expect::ending(self.plan, now));
        reach.add(&categories);
        Report {
            broken,
            reach,
            trace,
            ends,
            lifecycles,
            calls: self.faults.counted(),
            calls_to_first_end: self.faults.counted_to_first_end(),
            events: self.streams.shown(),
            lasted_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Waits until a trouble is due, and counts it as reached.
async fn due(at_ms: u64, reached: impl FnOnce()) {
    tokio::time::sleep(Duration::from_millis(at_ms)).await;
    reached();
}

/// The garbage collector, and the controllers of namespaces and definitions.
async fn collect(server: ApiServer, late: Duration, witness: Arc<Witness>) {
    let every = Duration::from_secs(1);
    tokio::time::sleep(late).await;
    loop {
        tokio::time::sleep(every.max(late)).await;
        let collected = server.collect_garbage();
        if collected > 0 && !late.is_zero() {
            witness.strikes("Garbage collector late", None);
        }
    }
}

/// The API group of one of our kinds.
pub(super) fn group(plural: &str) -> &'static str {
    super::witness::child_kind(plural)
        .map_or(remediation_core::kind::REQUEST_GROUP, ChildKind::group)
}
