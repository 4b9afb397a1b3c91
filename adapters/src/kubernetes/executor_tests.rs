//! The executor against a mocked API server: one call a step, each outcome learned, nothing without leave.

use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use mockall::mock;
use mockall::predicate::always;
use remediation_core::children::{Child, ChildStatus, Children, Owner};
use remediation_core::decide::State;
use remediation_core::error::ApiFailure;
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::lease::LeaseTiming;
use remediation_core::phase::Phase;
use remediation_core::request::{Request, RequestSpec};
use remediation_core::targeting::TargetingData;
use tokio::sync::watch;

use super::*;
use crate::clock::SteadyClock;
use crate::kubernetes::calls::verb_and_resource;

mock! {
    Api {}
    impl Calls for Api {
        fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome>;
    }
}

/// Notes what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn answered(&self, _: &Identity, call: &Call, outcome: &Outcome, _: Timestamp) {
        let (verb, resource) = verb_and_resource(call);
        let came = match outcome {
            Outcome::Child(_) | Outcome::Request(_) | Outcome::Deleted => "ok".to_owned(),
            Outcome::Failed(failure) if failure.timed_out => "timeout".to_owned(),
            Outcome::Failed(failure) => failure.code.to_string(),
        };
        self.0
            .lock()
            .unwrap()
            .push(format!("{verb} {resource}: {came}"));
    }
    fn announce(&self, _: &Identity, event: Event) {
        self.0
            .lock()
            .unwrap()
            .push(format!("event {}", event.reason));
    }
}

impl Notes {
    fn taken(&self) -> Vec<String> {
        let notes = self.0.lock().unwrap();
        notes
            .iter()
            .filter(|note| !note.starts_with("event"))
            .cloned()
            .collect()
    }
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn new_request() -> Request {
    Request {
        identity: Identity {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u-1".into(),
        },
        resource_version: "10".into(),
        generation: 1,
        spec: RequestSpec {
            targeting_data: Some(TargetingData {
                signal_fingerprint: "fp".into(),
                alert_name: "HighLoad".into(),
                environment: "production".into(),
                ..TargetingData::default()
            }),
            ..RequestSpec::default()
        },
        ..Request::default()
    }
}

fn pass() -> Pass {
    let state = State {
        request: new_request(),
        ..State::default()
    };
    Pass::new(state, Children::default())
}

/// What a well-behaved API server answers.
fn applied(request: &Identity, call: &Call) -> Outcome {
    match call {
        Call::Create(new) => Outcome::Child(Box::new(Child {
            key: new.key.clone(),
            uid: format!("uid-of-{}", new.key.name),
            resource_version: "11".into(),
            deleting: false,
            owner: new.is_owned().then(|| Owner {
                kind: REQUEST_KIND.into(),
                name: request.name.clone(),
                uid: request.uid.clone(),
            }),
            request_label: Some(request.name.clone()),
            request_uid_label: Some(request.uid.clone()),
            status: ChildStatus::read(new.key.kind, serde_json::Value::Null),
        })),
        Call::Record(record) => Outcome::Request(Box::new(Request {
            resource_version: "12".into(),
            status: record.to.clone(),
            ..new_request()
        })),
        Call::ReadRequest => Outcome::Request(Box::new(new_request())),
        Call::Read(_)
        | Call::RestoreOwnership(_)
        | Call::DeleteChild(_)
        | Call::DeleteRequest { .. } => Outcome::Deleted,
    }
}

fn executor(api: MockApi, gate: Gate) -> (Executor, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let executor = Executor {
        calls: Arc::new(api),
        clock: Arc::new(SteadyClock::starting_at(start())),
        gate,
        observer: notes.clone(),
        call_timeout: Duration::from_secs(10),
    };
    (executor, notes)
}

#[tokio::test(start_paused = true)]
async fn a_new_request_costs_one_creation_and_one_status_write() {
    let mut api = MockApi::new();
    api.expect_call()
        .with(always(), always())
        .returning(|request, call| futures::future::ready(applied(request, call)).boxed());
    let (executor, notes) = executor(api, Gate::open());
    let mut pass = pass();
    let End::Done(wake) = executor.run(&mut pass).await else {
        panic!("it leads")
    };
    assert_eq!(
        notes.taken(),
        [
            "create remediationprocessings: ok",
            "patch remediationrequests/status: ok"
        ]
    );
    let (request, children, _) = pass.into_parts();
    assert_eq!(request.status.known_phase(), Some(Phase::Processing));
    assert_eq!(children.seen.len(), 1);
    assert!(
        wake.is_some_and(|wake| wake > start()),
        "the next deadline: {wake:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_an_unknown_outcome_and_is_tried_again_later() {
    let mut api = MockApi::new();
    api.expect_call().returning(|request, call| match call {
        Call::Create(_) => futures::future::pending().boxed(),
        _ => futures::future::ready(applied(request, call)).boxed(),
    });
    let (executor, notes) = executor(api, Gate::open());
    let End::Done(wake) = executor.run(&mut pass()).await else {
        panic!("it leads")
    };
    assert_eq!(notes.taken()[0], "create remediationprocessings: timeout");
    let now = executor.clock.now();
    assert_eq!(now.duration_since(start()).as_secs(), 10);
    let pause = wake.expect("it is tried again").duration_since(now);
    assert!((5..=6).contains(&pause.as_secs()), "{pause}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_looked_at_before_anything_else() {
    let mut api = MockApi::new();
    api.expect_call().returning(|request, call| {
        let outcome = match call {
            Call::Create(_) => Outcome::Failed(ApiFailure {
                code: 409,
                reason: "AlreadyExists".into(),
                ..ApiFailure::default()
            }),
            Call::Read(key) => {
                assert_eq!(key.kind, ChildKind::RemediationProcessing);
                let mut ours = Child {
                    key: key.clone(),
                    uid: "c-1".into(),
                    resource_version: "9".into(),
                    deleting: false,
                    owner: None,
                    request_label: Some(request.name.clone()),
                    request_uid_label: Some(request.uid.clone()),
                    status: ChildStatus::read(key.kind, serde_json::Value::Null),
                };
                ours.owner = Some(Owner {
                    kind: REQUEST_KIND.into(),
                    name: request.name.clone(),
                    uid: request.uid.clone(),
                });
                Outcome::Child(Box::new(ours))
            }
            other => applied(request, other),
        };
        futures::future::ready(outcome).boxed()
    });
    let (executor, notes) = executor(api, Gate::open());
    executor.run(&mut pass()).await;
    assert_eq!(
        notes.taken(),
        [
            "create remediationprocessings: 409",
            "get remediationprocessings: ok",
            "patch remediationrequests/status: ok"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_called_without_the_lease() {
    let mut api = MockApi::new();
    api.expect_call().never();
    let (_renewals, renewed) = watch::channel(None);
    let gate = Gate::held(
        renewed,
        SteadyClock::starting_at(start()),
        LeaseTiming::default(),
    );
    let (executor, notes) = executor(api, gate);
    assert_eq!(executor.run(&mut pass()).await, End::NotLeading);
    assert!(notes.taken().is_empty());
}
