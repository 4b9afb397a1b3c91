//! The workers: a bounded number of passes at once, each by itself, so that one that panics stops no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use remediation_core::error::backoff;
use remediation_core::pass::Outcome;
use remediation_core::request::Identity;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use super::health::Health;
use super::shared::{Beginning, Shared};
use super::{Election, GRACE, TICK};
use crate::kubernetes::cache::ObjectName;
use crate::kubernetes::executor::{End, Executor};
use crate::kubernetes::overlay::is_gone;

/// When a pass that found the gate closed is tried again.
const GATE_RETRY: SignedDuration = SignedDuration::from_secs(1);

pub(super) struct Workers {
    pub(super) shared: Arc<Shared>,
    pub(super) executor: Arc<Executor>,
    pub(super) health: Arc<Health>,
    pub(super) concurrency: usize,
}

/// What runs now.
#[derive(Default)]
struct Running {
    passes: JoinSet<Option<Timestamp>>,
    names: BTreeMap<Id, (ObjectName, Timestamp)>,
    /// How often in a row the passes over a request panicked.
    panics: BTreeMap<ObjectName, u32>,
}

impl Workers {
    /// Works until it is stopped (passes under way may end) or does not lead any more (they may not).
    pub(super) async fn run(self, election: Option<Election>, mut stopped: watch::Receiver<bool>) {
        let mut running = Running::default();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut leading, mut recoveries) = match election {
            Some(Election {
                leading,
                recoveries,
            }) => (Some(leading), Some(recoveries)),
            None => (None, None),
        };
        let mut synced = false;
        loop {
            if !synced {
                let missing = self.shared.missing();
                synced = missing.is_empty();
                self.health.missing(missing);
            }
            let free = synced && running.passes.len() < self.concurrency;
            tokio::select! {
                biased;
                () = told(&mut stopped) => return self.drain(running).await,
                () = lost(leading.as_mut()) => return running.passes.shutdown().await,
                () = recovered(recoveries.as_mut()) => self.shared.recovered(),
                Some(ended) = running.passes.join_next_with_id() => self.ended(&mut running, ended),
                _ = tick.tick() => self.look_after(&mut running),
                name = self.shared.queue.next(), if free => self.begin(&mut running, name),
                () = self.shared.listed.notified(), if !synced => {}
            }
        }
    }

    fn begin(&self, running: &mut Running, name: ObjectName) {
        let (shared, executor) = (self.shared.clone(), self.executor.clone());
        let began = self.shared.clock.now();
        let handle = running.passes.spawn({
            let name = name.clone();
            async move { pass(&shared, &executor, &name).await }
        });
        running.names.insert(handle.id(), (name, began));
    }

    fn ended(&self, running: &mut Running, ended: Result<(Id, Option<Timestamp>), JoinError>) {
        let now = self.shared.clock.now();
        let (id, wake) = match ended {
            Ok((id, wake)) => (id, Some(wake)),
            Err(error) => (error.id(), None),
        };
        let Some((name, began)) = running.names.remove(&id) else {
            return;
        };
        self.shared
            .metrics
            .reconciled(now.duration_since(began).as_secs_f64());
        let wake = match wake {
            Some(wake) => {
                running.panics.remove(&name);
                wake
            }
            None => Some(self.survive(&mut running.panics, &name, now)),
        };
        self.shared.queue.done(&name, wake);
    }

    /// A pass panicked: that is a bug, and it stays with this request.
    fn survive(
        &self,
        panics: &mut BTreeMap<ObjectName, u32>,
        name: &ObjectName,
        now: Timestamp,
    ) -> Timestamp {
        let tries = panics.entry(name.clone()).or_default();
        *tries += 1;
        let wait = backoff(*tries, None, &name.to_string());
        self.shared.metrics.panic();
        tracing::error!(
            namespace = name.namespace, rr = name.name, retry_in = %wait,
            "the pass over this request panicked: this is a bug, please report it with the lines above"
        );
        now.saturating_add(SignedDuration::from_millis(wait.as_millis()))
            .unwrap_or(now)
    }

    fn look_after(&self, running: &mut Running) {
        self.health.beat();
        let missing = self.shared.missing();
        if !missing.is_empty() {
            tracing::warn!(
                ?missing,
                "not listed yet; no request is looked at before all kinds are"
            );
        }
        let oldest = running.names.values().min_by_key(|(_, began)| *began);
        self.health
            .oldest_pass(oldest.map(|(name, began)| (name.to_string(), *began)));
        let store = self.shared.store();
        self.shared.metrics.active(store.cache.active());
        running
            .panics
            .retain(|name, _| store.cache.request(name).is_some());
        drop(store);
        self.shared.metrics.upkeep();
    }

    /// Lets what runs end, within the grace period.
    async fn drain(&self, mut running: Running) {
        let all_ended = async { while running.passes.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all_ended).await.is_err() {
            tracing::warn!(
                "passes were still running when the operator stopped; the next process goes on"
            );
        }
    }
}

/// Done once the operator is to stop.
pub(super) async fn told(stopped: &mut watch::Receiver<bool>) {
    // Whoever could say so is gone: that counts as saying it.
    stopped.wait_for(|stop| *stop).await.ok();
}

/// Done once this process does not lead any more; never without an election.
async fn lost(leading: Option<&mut watch::Receiver<Option<crate::kubernetes::gate::Renewal>>>) {
    match leading {
        Some(leading) => {
            // An elector that is gone renews no more.
            leading.wait_for(Option::is_none).await.ok();
        }
        None => std::future::pending().await,
    }
}

/// Done once a renewal succeeded after an outage; never without an election.
async fn recovered(recoveries: Option<&mut watch::Receiver<u64>>) {
    if let Some(recoveries) = recoveries
        && recoveries.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// One pass over one request; returns when it is to be looked at again at the latest.
async fn pass(shared: &Shared, executor: &Executor, name: &ObjectName) -> Option<Timestamp> {
    let mut beginning = shared.begin(name, true);
    if let Beginning::Overdue(request, reads) = beginning {
        for read in &reads {
            read_live(shared, executor, &request, name, read).await;
        }
        beginning = shared.begin(name, false);
    }
    match beginning {
        Beginning::Gone | Beginning::Overdue(..) => None,
        Beginning::Pass(mut pass, recoveries) => {
            let end = executor.run(&mut pass).await;
            let now = shared.clock.now();
            shared.finish(name, *pass, &recoveries, now);
            match end {
                End::Done(wake) => [wake, shared.look_again(name)].into_iter().flatten().min(),
                // Either all work is about to end, or a late renewal opens the gate again.
                End::NotLeading => Some(now.saturating_add(GATE_RETRY).unwrap_or(now)),
            }
        }
    }
}

/// Reads what the watches should have shown long ago. Where that fails too, what we wrote counts on.
async fn read_live(
    shared: &Shared,
    executor: &Executor,
    request: &Identity,
    name: &ObjectName,
    read: &remediation_core::pass::Call,
) {
    match executor.make(request, read).await {
        Outcome::Child(_) | Outcome::Request(_) | Outcome::Deleted => {}
        Outcome::Failed(failure) if is_gone(&failure) => {}
        Outcome::Failed(_) => {
            let now = shared.clock.now();
            shared.store().overlay.prolong(name, read, now);
        }
    }
}
