//! Leader election with a Lease: reads it, asks the core what to write, writes it against the version that was
//! read. The decision is in [`remediation_core::lease`].

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use remediation_core::lease::{
    LeaseAction, LeaseRecord, LeaseTiming, Sighting, decide_lease, may_act, released,
};
use remediation_core::time::{GoDuration, Time};
use tokio::sync::watch;

use super::gate::{Gate, Renewal};
use crate::clock::{Clock, SteadyClock};
use crate::telemetry::Metrics;

/// Which Lease is held, by whom.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// Who we are: unique for each process, never used again.
    pub identity: String,
    /// How it is timed.
    pub timing: LeaseTiming,
}

impl LeaseSettings {
    /// How the log names it: `namespace/name`.
    fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// An identity that no other process has: the host's name, the process's number, and when it began.
#[must_use]
pub fn identity(host: &str, process: u32, began: Timestamp) -> String {
    let unique = format!("{host}/{process}/{}", began.as_nanosecond());
    format!("{host}_{}", remediation_core::names::hash(&unique, 12))
}

/// Takes part in the election for one process.
pub struct Elector {
    leases: Api<Lease>,
    settings: LeaseSettings,
    wall: Arc<dyn Clock>,
    steady: SteadyClock,
    metrics: Metrics,
    renewed: watch::Sender<Option<Renewal>>,
    outages: watch::Sender<u64>,
    known: Option<Known>,
}

/// The Lease as it was last seen.
struct Known {
    lease: Lease,
    sighting: Sighting,
}

impl Elector {
    /// A candidate that has not begun. To be made within the runtime that runs it.
    #[must_use]
    pub fn new(
        client: Client,
        settings: LeaseSettings,
        wall: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            steady: SteadyClock::starting_at(wall.now()),
            settings,
            wall,
            metrics,
            renewed: watch::Sender::new(None),
            outages: watch::Sender::new(0),
            known: None,
        }
    }

    /// The gate that this election opens and closes.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::held(self.renewed.subscribe(), self.steady, self.settings.timing)
    }

    /// When the lease was last renewed; `None` while somebody else holds it.
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<Option<Renewal>> {
        self.renewed.subscribe()
    }

    /// Counts the renewals that succeeded after one that did not: the API server answers again.
    #[must_use]
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.outages.subscribe()
    }

    /// Takes part until `stop` says so, and gives the lease up then, so that a standby takes over at once.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            let next = match self.turn().await {
                Ok(next) => {
                    if failing {
                        self.outages.send_modify(|count| *count += 1);
                    }
                    failing = false;
                    next
                }
                Err(error) => {
                    failing = true;
                    tracing::warn!(lease = %self.settings.place(), %error, "the lease could not be read or written");
                    // What was known may be out of date.
                    self.forget_version();
                    self.step_down_in_time();
                    self.later(self.settings.timing.retry)
                }
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.steady.sleep_until(next) => {}
            }
        }
        self.release().await;
    }

    /// One look at the Lease, and one write if it is due. Returns when to look again.
    async fn turn(&mut self) -> Result<Timestamp, kube::Error> {
        if !self.is_ours() {
            self.look().await?;
        }
        let sent = Renewal {
            steady: self.steady.now(),
            wall: self.wall.now(),
        };
        let seen = self.known.as_ref().map(|known| &known.sighting);
        let action = decide_lease(
            seen,
            &self.settings.identity,
            sent.steady,
            &self.settings.timing,
        );
        let written = match action {
            LeaseAction::WaitUntil(moment) => {
                self.step_down();
                // Looked at twice as often as asked for, so that a lease that was given up is taken within one
                // retry, the list of everything included.
                let half = GoDuration::from_millis(self.settings.timing.retry.as_millis() / 2);
                return Ok(moment.min(self.later(half)));
            }
            LeaseAction::Create(record) => {
                let lease = self.lease(&record);
                self.call("create", self.leases.create(&PostParams::default(), &lease))
                    .await
            }
            LeaseAction::Replace(record) => {
                let lease = self.lease(&record);
                let name = &self.settings.name;
                self.call(
                    "update",
                    self.leases.replace(name, &PostParams::default(), &lease),
                )
                .await
            }
        };
        match written {
            Ok(lease) => {
                self.see(lease);
                if self.renewed.send_replace(Some(sent)).is_none() {
                    tracing::info!(lease = %self.settings.place(), identity = %self.settings.identity, "leading");
                }
                Ok(self.later(self.settings.timing.retry))
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                // Somebody else wrote first: look again, and believe what is there.
                self.known = None;
                self.step_down_in_time();
                Ok(self.later(GoDuration::from_millis(100)))
            }
            Err(error) => Err(error),
        }
    }

    async fn look(&mut self) -> Result<(), kube::Error> {
        let name = &self.settings.name;
        match self.call("get", self.leases.get_opt(name)).await? {
            Some(lease) => self.see(lease),
            None => self.known = None,
        }
        Ok(())
    }

    /// Remembers the Lease; a record that is the same as before keeps the time at which it was first seen.
    fn see(&mut self, lease: Lease) {
        let record = record(&lease);
        let since = match &self.known {
            Some(known) if known.sighting.record == record => known.sighting.since,
            Some(_) | None => self.steady.now(),
        };
        self.known = Some(Known {
            lease,
            sighting: Sighting { record, since },
        });
    }

    fn is_ours(&self) -> bool {
        self.known.as_ref().is_some_and(|known| {
            known.sighting.record.holder == self.settings.identity
                && known.lease.resource_version().is_some()
        })
    }

    /// The next turn reads before it writes. The time at which a rival's record was first seen is kept.
    fn forget_version(&mut self) {
        if let Some(known) = &mut self.known {
            known.lease.metadata.resource_version = None;
        }
    }

    /// Stops leading once the last renewal is too old to act on.
    fn step_down_in_time(&self) {
        let renewal = *self.renewed.borrow();
        if renewal.is_some_and(|renewal| {
            !may_act(renewal.steady, self.steady.now(), &self.settings.timing)
        }) {
            self.step_down();
        }
    }

    fn step_down(&self) {
        if self.renewed.send_replace(None).is_some() {
            tracing::warn!(lease = %self.settings.place(), "not leading any more");
        }
    }

    async fn release(self) {
        let leading = self.renewed.send_replace(None).is_some();
        if !leading || !self.is_ours() {
            return;
        }
        let Some(known) = &self.known else {
            return;
        };
        let record = released(&known.sighting.record, self.wall.now());
        let lease = self.lease(&record);
        let name = &self.settings.name;
        match self
            .call(
                "update",
                self.leases.replace(name, &PostParams::default(), &lease),
            )
            .await
        {
            Ok(_) => tracing::info!(lease = %self.settings.place(), "lease released"),
            Err(error) => {
                tracing::warn!(lease = %self.settings.place(), %error, "the lease was not released; it runs out by itself");
            }
        }
    }

    /// One call, which may take no longer than a retry: a second try must fit before the lease is lost.
    async fn call<T>(
        &self,
        verb: &'static str,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, kube::Error> {
        let retry = u64::try_from(self.settings.timing.retry.as_millis()).unwrap_or(2000);
        let limit = Duration::from_millis(retry.max(500));
        let answer = tokio::time::timeout(limit, call).await;
        let answer = answer.unwrap_or_else(|_| {
            let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
            Err(kube::Error::Service(Box::new(late)))
        });
        let code = match &answer {
            Ok(_) => 200,
            Err(kube::Error::Api(status)) => status.code,
            Err(_) => 0,
        };
        self.metrics.api_request(verb, "leases", code);
        answer
    }

    /// The Lease to be written: against the version that was read, and with the rest of the object kept as it was, for
    /// labels and owners are other people's.
    fn lease(&self, record: &LeaseRecord) -> Lease {
        let metadata = match &self.known {
            Some(known) => known.lease.metadata.clone(),
            None => ObjectMeta::default(),
        };
        Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                managed_fields: None,
                ..metadata
            },
            spec: Some(LeaseSpec {
                holder_identity: (!record.holder.is_empty()).then(|| record.holder.clone()),
                lease_duration_seconds: i32::try_from(record.duration_seconds.max(1)).ok(),
                acquire_time: record.acquired.map(|time| MicroTime(time.moment())),
                renew_time: record.renewed.map(|time| MicroTime(time.moment())),
                lease_transitions: i32::try_from(record.transitions).ok(),
                ..LeaseSpec::default()
            }),
        }
    }

    fn later(&self, wait: GoDuration) -> Timestamp {
        let wait = SignedDuration::from_millis(wait.as_millis());
        self.steady
            .now()
            .saturating_add(wait)
            .unwrap_or(Timestamp::MAX)
    }
}

fn record(lease: &Lease) -> LeaseRecord {
    let spec = lease.spec.clone().unwrap_or_default();
    LeaseRecord {
        holder: spec.holder_identity.unwrap_or_default(),
        duration_seconds: spec.lease_duration_seconds.map_or(0, i64::from),
        acquired: spec.acquire_time.map(|time| Time::at(time.0)),
        renewed: spec.renew_time.map(|time| Time::at(time.0)),
        transitions: spec.lease_transitions.map_or(0, i64::from),
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
