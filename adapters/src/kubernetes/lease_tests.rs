//! One candidate against a Lease that the test holds: what it writes there, and what it does about refusals.

use std::sync::Mutex;

use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// The Lease, what was asked of it, and what every write is refused with.
#[derive(Default)]
struct Held {
    lease: Value,
    version: u64,
    asked: Vec<(String, Value)>,
    refusal: Option<u16>,
}

impl Held {
    fn answer(&mut self, method: &str, body: Value) -> (u16, Value) {
        self.asked.push((method.to_owned(), body.clone()));
        let refused = |code: u16| {
            let reason = if code == 404 { "NotFound" } else { "" };
            let status = json!({ "kind": "Status", "status": "Failure", "code": code,
                "reason": reason, "message": "refused" });
            (code, status)
        };
        match method {
            "GET" if self.lease.is_null() => refused(404),
            "GET" => (200, self.lease.clone()),
            _ if self.refusal.is_some() => refused(self.refusal.unwrap_or_default()),
            "PUT"
                if body["metadata"]["resourceVersion"]
                    != self.lease["metadata"]["resourceVersion"] =>
            {
                refused(409)
            }
            _ => (200, self.store(body)),
        }
    }

    fn store(&mut self, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        lease["metadata"]["managedFields"] = json!([{ "manager": "somebody" }]);
        self.lease = lease;
        self.lease.clone()
    }

    fn methods(&self) -> Vec<&str> {
        self.asked.iter().map(|(method, _)| &**method).collect()
    }
}

/// A candidate that runs, and the Lease that it asks for.
struct World {
    held: Arc<Mutex<Held>>,
    leading: watch::Receiver<Option<Renewal>>,
    recoveries: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn settings(identity: &str) -> LeaseSettings {
    LeaseSettings {
        namespace: "ops".into(),
        name: "orchestrator".into(),
        identity: identity.into(),
        timing: LeaseTiming::default(),
    }
}

fn runs(held: Arc<Mutex<Held>>, identity: &str) -> World {
    let service = tower::service_fn({
        let held = held.clone();
        move |request: http::Request<Body>| {
            let held = held.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let (code, answer) = held.lock().unwrap().answer(head.method.as_str(), body);
                let mut response = http::Response::new(Body::from(answer.to_string().into_bytes()));
                *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
                Ok::<_, std::io::Error>(response)
            }
        }
    });
    let clock = Arc::new(SteadyClock::starting_at(start()));
    let elector = Elector::new(
        Client::new(service, "default"),
        settings(identity),
        clock,
        Metrics::new(),
    );
    let (stop, stopped) = watch::channel(false);
    World {
        held,
        leading: elector.leading(),
        recoveries: elector.recoveries(),
        task: tokio::spawn(elector.run(stopped)),
        stop,
    }
}

impl World {
    async fn leads() -> Self {
        let mut world = runs(Arc::default(), "a");
        world.takes_the_lead().await;
        world
    }

    async fn takes_the_lead(&mut self) {
        let led = self.leading.wait_for(Option::is_some);
        let led = tokio::time::timeout(Duration::from_secs(20), led).await;
        assert!(led.is_ok(), "nobody leads");
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    async fn stops(self) -> Arc<Mutex<Held>> {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.held
    }
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_says_who_holds_it_since_when_and_how_often_it_changed_hands() {
    let world = World::leads().await;
    let labelled = {
        let mut held = world.held();
        let first = held.lease.clone();
        assert_eq!(
            first["metadata"]["name"], "orchestrator",
            "as kubectl shows it"
        );
        assert_eq!(first["metadata"]["namespace"], "ops");
        assert_eq!(
            first["spec"],
            json!({ "holderIdentity": "a", "leaseDurationSeconds": 10, "leaseTransitions": 0,
                "acquireTime": "2026-03-01T12:00:00.000000Z", "renewTime": "2026-03-01T12:00:00.000000Z" })
        );
        held.lease["metadata"]["labels"] = json!({ "team": "ops" });
        held.lease.clone()
    };
    // The label is seen by whoever reads the Lease next.
    let held = world.stops().await;
    assert_eq!(
        held.lock().unwrap().lease["spec"]["holderIdentity"],
        Value::Null
    );
    held.lock().unwrap().store(labelled);
    held.lock().unwrap().lease["spec"]["holderIdentity"] = json!("");
    let mut next = runs(held, "b");
    next.takes_the_lead().await;
    pass(2500).await;
    let spec = next.held().lease["spec"].clone();
    assert_eq!(
        (&spec["holderIdentity"], &spec["leaseTransitions"]),
        (&json!("b"), &json!(1))
    );
    assert_eq!(spec["acquireTime"], "2026-03-01T12:00:00.000000Z");
    assert_eq!(spec["renewTime"], "2026-03-01T12:00:02.000000Z");
    let held = next.stops().await;
    let held = held.lock().unwrap();
    assert_eq!(held.lease["metadata"]["labels"], json!({ "team": "ops" }));
    assert!(
        held.asked
            .iter()
            .all(|(_, body)| body["metadata"]["managedFields"].is_null())
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_conflict_the_lease_is_read_again_at_once_and_no_outage_is_counted() {
    let world = World::leads().await;
    let touched = world.held().lease.clone();
    world.held().store(touched);
    pass(2200).await;
    assert_eq!(
        world.held().methods(),
        ["GET", "POST", "PUT", "GET", "PUT"],
        "refused, read, renewed"
    );
    assert!(world.leading.borrow().is_some());
    assert_eq!(*world.recoveries.borrow(), 0);
    world.stops().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_with_a_read_before_each_write_and_its_end_is_told() {
    let world = World::leads().await;
    world.held().refusal = Some(503);
    pass(5000).await;
    assert_eq!(
        world.held().methods(),
        ["GET", "POST", "PUT", "GET", "PUT"],
        "a try every two seconds"
    );
    assert_eq!(*world.recoveries.borrow(), 0);
    world.held().refusal = None;
    pass(2000).await;
    assert_eq!(*world.recoveries.borrow(), 1);
    pass(2000).await;
    assert_eq!(*world.recoveries.borrow(), 1, "told once");
    world.stops().await;
}

/// S3: what it knows of the Lease may be out of date by then.
#[tokio::test(start_paused = true)]
async fn a_leader_whose_last_renewal_failed_leaves_the_lease_to_run_out() {
    let world = World::leads().await;
    world.held().refusal = Some(503);
    pass(3000).await;
    world.held().refusal = None;
    assert!(world.leading.borrow().is_some());
    let before = world.held().asked.len();
    let held = world.stops().await;
    let held = held.lock().unwrap();
    assert_eq!(held.asked.len(), before, "nothing was written");
    assert_eq!(held.lease["spec"]["holderIdentity"], "a");
}

/// S3: a lease that was edited by hand.
#[tokio::test(start_paused = true)]
async fn a_leader_stops_as_soon_as_it_sees_another_holder() {
    let world = World::leads().await;
    let mut taken = world.held().lease.clone();
    taken["spec"]["holderIdentity"] = json!("z");
    world.held().store(taken);
    pass(2200).await;
    assert!(world.leading.borrow().is_none());
    let held = world.stops().await;
    assert_eq!(
        held.lock().unwrap().lease["spec"]["holderIdentity"],
        "z",
        "not ours to release"
    );
}

#[test]
fn the_log_names_a_lease_as_people_look_for_it() {
    assert_eq!(settings("a").place(), "ops/orchestrator");
}

#[test]
fn no_two_processes_are_called_the_same() {
    let at = |seconds| start() + SignedDuration::from_secs(seconds);
    let all = [
        identity("node", 1, at(0)),
        identity("node", 2, at(0)),
        identity("node", 1, at(1)),
        identity("other", 1, at(0)),
    ];
    assert!(all[0].starts_with("node_"), "{}", all[0]);
    assert_eq!(
        all.iter().collect::<std::collections::BTreeSet<_>>().len(),
        4
    );
}
