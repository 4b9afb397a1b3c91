//! Two replicas and one Lease.

use super::*;

fn elected(identity: &str) -> OperatorSettings {
    OperatorSettings {
        lease: Some(LeaseSettings {
            namespace: "kube-system".into(),
            name: "remediation-orchestrator".into(),
            identity: identity.into(),
            timing: remediation_core::lease::LeaseTiming::default(),
        }),
        ..OperatorSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_at_once_from_a_leader_that_stops() {
    let world = World::new().await;
    let first = world.operator(elected("a"));
    first.synced().await;
    let second = world.operator(elected("b"));
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    assert!(!second.health.is_leading());
    assert!(
        second.health.unready().is_none(),
        "standing by is being ready"
    );
    first.stop().await;
    let stopped = world.clock.now();
    second.synced().await;
    let took = world.clock.now().duration_since(stopped);
    assert!(took <= SignedDuration::from_secs(2), "{took}");
    assert!(
        second
            .metrics
            .render()
            .contains("remediationorchestrator_leader 1")
    );
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_begins() {
    let world = World::new().await;
    let first = world.operator(elected("a"));
    first.synced().await;
    let second = world.operator(elected("b"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    // From now on the first one's renewals do not arrive; the second's do.
    world.faults(|request| {
        let renewal = request.resource == "leases" && request.verb == "update";
        let by_first = String::from_utf8_lossy(&request.body).contains("\"holderIdentity\":\"a\"");
        if renewal && by_first {
            Intercept::Drop
        } else {
            Intercept::Pass
        }
    });
    let cut = world.clock.now();
    let mut stopped_at = None;
    loop {
        if stopped_at.is_none() && !first.health.is_leading() {
            stopped_at = Some(world.clock.now());
        }
        if second.health.is_leading() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = world.clock.now().duration_since(cut);
    assert!(took <= SignedDuration::from_secs(13), "{took}");
    let stopped_at = stopped_at.expect("the first one stopped before the second began");
    assert!(stopped_at < world.clock.now());
    first.stop().await;
    second.stop().await;
}
