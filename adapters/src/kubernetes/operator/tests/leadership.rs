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

/// Who holds the Lease; nobody after it was released.
async fn holder(world: &World) -> Option<String> {
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
        Api::namespaced(world.client.clone(), "kube-system");
    let lease = leases.get("remediation-orchestrator").await.unwrap();
    lease.spec.and_then(|spec| spec.holder_identity)
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_stops_leaves_the_lease_to_its_holder() {
    let world = World::new().await;
    let first = world.operator(elected("a"));
    first.synced().await;
    let second = world.operator(elected("b"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    second.stop().await;
    assert_eq!(holder(&world).await.as_deref(), Some("a"));
    assert!(first.health.is_leading());
    first.stop().await;
    assert_eq!(holder(&world).await, None, "released by its holder");
}

#[tokio::test(start_paused = true)]
async fn of_two_standbys_that_reach_for_a_lease_at_once_one_gets_it() {
    let world = World::new().await;
    let first = world.operator(elected("a"));
    first.synced().await;
    let standbys = [world.operator(elected("b")), world.operator(elected("c"))];
    tokio::time::sleep(Duration::from_secs(5)).await;
    first.task.abort();
    let leading = || standbys.iter().filter(|s| s.health.is_leading()).count();
    let mut led = 0;
    for _ in 0..3000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(leading() <= 1, "two leaders at once");
        led += leading();
    }
    assert!(led > 0, "nobody took over");
    for standby in standbys {
        standby.stop().await;
    }
}
