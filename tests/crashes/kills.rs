//! SIGKILL, again and again: on each side of each call of a life in turn, at any moment, and while it starts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::crew::Replica;
use crate::harness::Result;
use crate::proxy::{Call, Place, Proxy};
use crate::random::Random;

/// The calls of a life, before, after and within which it must have been killed.
pub(crate) const POINTS: [&str; 12] = [
    "create remediationprocessings",
    "create aianalyses",
    "create workflowexecutions",
    "create kubernetesexecutions",
    "create notificationrequests",
    "record Processing",
    "record Analyzing",
    "record WorkflowPlanning",
    "record Executing",
    "record failure",
    "record Completed",
    "record Failed",
];

/// How long a call is waited for before it is killed where it is, where it works, and where it does not.
const PATIENCE: Duration = Duration::from_secs(4);
const LONGEST_PATIENCE: Duration = Duration::from_secs(15);
/// So many writes at most before a call is waited for.
const MOST_WORK: u64 = 30;

/// How often it was killed, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kills {
    /// By the call, and on which side of it.
    pub(crate) at: BTreeMap<(String, Place), u64>,
    /// At any moment.
    pub(crate) anywhere: u64,
    /// Before it can have been ready.
    pub(crate) starting: u64,
    /// Asked to end with SIGTERM, at any moment.
    pub(crate) asked: u64,
}

impl Kills {
    pub(crate) fn total(&self) -> u64 {
        self.at.values().sum::<u64>() + self.anywhere + self.starting + self.asked
    }

    /// How often it was killed at this call.
    pub(crate) fn of(&self, point: &str) -> u64 {
        let at = self.at.iter().filter(|((call, _), _)| call == point);
        at.map(|(_, count)| count).sum()
    }

    /// The calls at which it was not killed yet.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        POINTS
            .into_iter()
            .filter(|point| self.of(point) == 0)
            .collect()
    }
}

/// Kills the replica's process and starts it again until told to stop; it runs then. `told` hears of each kill.
pub(crate) async fn keep_killing(
    replica: &mut Replica,
    mut random: Random,
    progress: &watch::Sender<Kills>,
    mut stop: watch::Receiver<bool>,
    told: impl Fn(String),
) -> Result {
    let mut targets: Vec<(&str, Place)> = POINTS
        .into_iter()
        .flat_map(|point| Place::OF_DEATH.map(|place| (point, place)))
        .collect();
    random.shuffle(&mut targets);
    replica.start()?;
    let mut cycle = 0;
    while !*stop.borrow() {
        cycle += 1;
        if cycle % 10 == 3 {
            let after = random.millis(0, 300);
            tokio::time::sleep(after).await;
            replica.kill();
            progress.send_modify(|kills| kills.starting += 1);
            told(format!("killed {after:?} after its start"));
        } else if cycle % 10 == 7 {
            tokio::time::sleep(random.millis(500, 3_000)).await;
            replica.terminate().await?;
            progress.send_modify(|kills| kills.asked += 1);
            told("asked to end, and ended".to_owned());
        } else {
            // Calls at which it has not died yet first, then the other sides of calls, then any.
            let kills = progress.borrow().clone();
            let missing = kills.missing();
            let unseen = |(point, place): &&(&'static str, Place)| {
                !kills.at.contains_key(&((*point).to_owned(), *place))
            };
            let next = targets
                .iter()
                .find(|(point, _)| missing.contains(point))
                .or_else(|| targets.iter().find(unseen))
                .copied();
            let target = next.or_else(|| random.pick(&targets).copied());
            kill_at(replica, &mut random, target, progress, &mut stop, &told).await?;
            // One that does not come by now may come later.
            targets.rotate_left(1);
        }
        tokio::time::sleep(random.millis(0, 200)).await;
        replica.start()?;
    }
    Ok(())
}

/// Kills it at this call, or where it is when the call does not come; returns when it is dead.
async fn kill_at(
    replica: &mut Replica,
    random: &mut Random,
    target: Option<(&'static str, Place)>,
    progress: &watch::Sender<Kills>,
    stop: &mut watch::Receiver<bool>,
    told: &impl Fn(String),
) -> Result {
    let Some((point, place)) = target else {
        return Ok(());
    };
    // Now and then any call at all: lists, reads, leases, Events, patches of ownership.
    let any = random.per_mille(150);
    // Some work gets done in each life, however slow the machine is.
    let mut work = random.below(MOST_WORK);
    let catch = replica.proxy.trap(place, move |call: &Call| {
        if work > 0 {
            work -= u64::from(call.is_work());
            return false;
        }
        any || call.label() == point
    });
    let caught = tokio::select! {
        biased;
        caught = catch => caught.ok(),
        () = patience(replica.proxy.clone()) => None,
        _ = stop.wait_for(|stop| *stop) => None,
    };
    replica.proxy.disarm();
    replica.check_running()?;
    replica.kill();
    match caught {
        Some(caught) => {
            let at = (caught.call.label(), place);
            told(format!("killed {place:?} {} {}", at.0, caught.call.name));
            progress.send_modify(|kills| *kills.at.entry(at).or_default() += 1);
        }
        None => {
            told("killed where it was".to_owned());
            progress.send_modify(|kills| kills.anywhere += 1);
        }
    }
    Ok(())
}

/// How long a call is waited for.
async fn patience(proxy: Arc<Proxy>) {
    let worked = || {
        proxy
            .writes()
            .iter()
            .filter(|write| write.call.is_work())
            .count()
    };
    let before = worked();
    tokio::time::sleep(PATIENCE).await;
    if worked() == before {
        tokio::time::sleep(LONGEST_PATIENCE - PATIENCE).await;
    }
}
