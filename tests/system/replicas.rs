//! Two replicas, one leader: the leader is killed, paused, or stopped in order, and the other goes on.

use std::time::{Duration, Instant};

use remediation_core::lease::LeaseTiming;

use crate::harness::{ControlPlane, Failure, Operator, Result, Signal, User, until};
use crate::stage::{AIA, NOTIF, RPROC, Stage, WFE};

const SHORT: [&str; 4] = ["--lease-duration", "3s", "--lease-retry", "500ms"];
const LEASE: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(500);
/// The promise has a second; the rest is for a busy machine.
const SLACK: Duration = Duration::from_secs(2);

struct Replicas {
    stage: Stage,
    leader: Option<Operator>,
    standby: Option<Operator>,
}

impl Replicas {
    async fn start(scenario: &str) -> Result<Self> {
        let mut stage = Stage::real(scenario).await?;
        stage.kill_operator().await?;
        let mut replicas = Self {
            stage,
            leader: None,
            standby: None,
        };
        replicas.leader = Some(replicas.replica().await?);
        replicas.until_leading(replicas.leader.as_ref()).await?;
        replicas.standby = Some(replicas.replica().await?);
        Ok(replicas)
    }

    async fn replica(&self) -> Result<Operator> {
        let plane = ControlPlane::shared().await?;
        let namespace = self.stage.namespace.as_str();
        let mut args = vec![
            "--namespace",
            namespace,
            "--leader-elect",
            "--lease-namespace",
            namespace,
        ];
        args.extend(SHORT);
        Operator::start(&plane.kubeconfig(User::Admin), &args).await
    }

    async fn until_leading(&self, replica: Option<&Operator>) -> Result {
        let replica = replica.ok_or_else(|| Failure::new("no such replica"))?;
        let leads = until(Duration::from_secs(30), async || {
            let leads = replica
                .metric("remediationorchestrator_leader", &[])
                .await
                .ok()?;
            (leads == 1.0).then_some(())
        });
        leads.await.ok_or_else(|| {
            Failure::new(format!(
                "does not lead:\n{}",
                replica.log().unwrap_or_default()
            ))
        })
    }

    async fn each_exists_once(&self, count: usize) -> Result {
        for kind in [RPROC, AIA, WFE, NOTIF] {
            assert_eq!(self.stage.count_now(kind).await?, count, "{kind}");
        }
        Ok(())
    }
}

/// Plays a scenario with two replicas, and judges it at rest.
async fn play(scenario: &str, life: impl AsyncFnOnce(&mut Replicas) -> Result) -> Result {
    let mut replicas = Replicas::start(scenario).await?;
    let outcome = match life(&mut replicas).await {
        Ok(()) => replicas.stage.come_to_rest().await,
        Err(failure) => Err(failure),
    };
    replicas.stage.close(outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_when_the_leader_is_killed() -> Result {
    play("leader-killed", async |replicas| {
        replicas.stage.request_in("web", "Analyzing").await?;
        replicas.stage.disturb();
        if let Some(leader) = replicas.leader.take() {
            leader.kill9();
        }
        let killed = Instant::now();
        replicas.until_leading(replicas.standby.as_ref()).await?;
        let took = killed.elapsed();
        println!("led by the standby {took:?} after the leader was killed");
        assert!(
            took < LEASE + RETRY + SLACK,
            "L11: the standby took over after {took:?}"
        );
        replicas.stage.take_to("web", "Completed").await?;
        replicas.each_exists_once(1).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_ends_in_order_releases_the_lease() -> Result {
    play("leader-ends", async |replicas| {
        replicas.stage.request_in("web", "Analyzing").await?;
        replicas.stage.disturb();
        if let Some(leader) = replicas.leader.take() {
            let end = leader.terminate(Duration::from_secs(10)).await?;
            assert!(end.success(), "{end}");
        }
        let ended = Instant::now();
        replicas.until_leading(replicas.standby.as_ref()).await?;
        let took = ended.elapsed();
        assert!(took < LEASE, "waited for the whole lease: {took:?}");
        replicas.stage.take_to("web", "Completed").await?;
        replicas.each_exists_once(1).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_paused_beyond_its_lease_does_nothing_when_it_wakes() -> Result {
    play("leader-paused", async |replicas| {
        replicas.stage.request_in("web", "Analyzing").await?;
        replicas.stage.disturb();
        if let Some(leader) = replicas.leader.as_mut() {
            leader.signal(Signal::Stop)?;
        }
        replicas.until_leading(replicas.standby.as_ref()).await?;
        replicas.stage.disturb();
        if let Some(leader) = replicas.leader.as_mut() {
            leader.signal(Signal::Continue)?;
        }
        replicas.stage.take_to("web", "Completed").await?;
        replicas.stage.request_in("other", "Completed").await?;
        replicas.each_exists_once(2).await
    })
    .await
}

#[test]
fn the_promised_takeover_is_what_the_default_timing_gives() {
    let timing = LeaseTiming::default();
    let most = timing.duration.plus(timing.retry);
    assert!(most.as_millis() + 1000 <= 13_000);
}
