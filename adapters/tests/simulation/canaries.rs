//! The simulation must notice mistakes that are made on purpose: each wrapper here is an executor with one bug.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use remediation_adapters::kubernetes::calls::Calls;
use remediation_adapters::simulation::children::Stage;
use remediation_adapters::simulation::promises::Promise;
use remediation_adapters::simulation::run::points::references;
use remediation_adapters::simulation::run::{Options, Plan, Trouble, run};
use remediation_core::children::{Child, ChildStatus, Owner};
use remediation_core::error::ApiFailure;
use remediation_core::kind::{ChildKind, REQUEST_KIND, REQUEST_LABEL, REQUEST_UID_LABEL};
use remediation_core::pass::{Call, Outcome};
use remediation_core::request::Identity;

pub(super) type Inner = Arc<dyn Calls>;
pub(super) type Mistake = fn(Inner, Identity, Call, u32) -> BoxFuture<'static, Outcome>;

/// Makes calls, with a mistake.
struct Wrong {
    inner: Inner,
    made: AtomicU32,
    mistake: Mistake,
}

impl Calls for Wrong {
    fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome> {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        (self.mistake)(self.inner.clone(), request.clone(), call.clone(), made)
    }
}

pub(super) fn with(mistake: Mistake) -> Options {
    Options {
        wrap: Arc::new(move |inner| {
            Arc::new(Wrong {
                inner,
                made: AtomicU32::new(0),
                mistake,
            })
        }),
        ..Options::default()
    }
}

/// The first of these seeds with which this mistake breaks one of these promises.
fn caught(mistake: Mistake, promises: &[Promise]) {
    caught_among((0..400).map(Plan::from_seed), mistake, promises);
}

pub(super) fn caught_among(
    plans: impl Iterator<Item = Plan>,
    mistake: Mistake,
    promises: &[Promise],
) {
    caught_with(plans, &with(mistake), promises);
}

pub(super) fn caught_with(
    plans: impl Iterator<Item = Plan>,
    options: &Options,
    promises: &[Promise],
) {
    for plan in plans {
        let seed = plan.seed;
        let report = run(&plan, options);
        let found = report
            .broken
            .iter()
            .find(|violation| promises.contains(&violation.promise));
        if let Some(violation) = found {
            println!("seed {seed}: {violation}");
            return;
        }
    }
    panic!("no seed shows the mistake");
}

/// Names another execution with each write.
pub(super) const ANOTHER_EXECUTION: Mistake = |inner, request, call, _| {
    let call = match call {
        Call::Record(mut record) if record.from.workflow_execution_ref.is_some() => {
            if let Some(named) = &mut record.to.workflow_execution_ref {
                named.uid += "-other";
            }
            Call::Record(record)
        }
        call => call,
    };
    inner.call(&request, &call)
};

#[test]
fn a_status_that_names_another_execution_than_before_is_caught() {
    caught(ANOTHER_EXECUTION, &[Promise::S1]);
}

/// Records another policy with each write.
pub(super) const GROWING_POLICY: Mistake = |inner, request, call, _| {
    let call = match call {
        Call::Record(mut record) if record.from.effective_policy.is_some() => {
            if let Some(policy) = &mut record.to.effective_policy {
                policy.ttl_seconds_after_finished += 1;
            }
            Call::Record(record)
        }
        call => call,
    };
    inner.call(&request, &call)
};

#[test]
fn a_policy_that_changes_under_way_is_caught() {
    caught(GROWING_POLICY, &[Promise::S27]);
}

#[test]
fn a_condition_of_a_newer_version_that_is_dropped_is_caught() {
    caught(
        |inner, request, call, _| {
            let call = match call {
                Call::Record(mut record) => {
                    record.to.conditions.retain(|c| c.kind != "Verified");
                    Call::Record(record)
                }
                call => call,
            };
            inner.call(&request, &call)
        },
        &[Promise::S14],
    );
}

/// Creates an execution again under another name when no answer came.
pub(super) fn repeated(
    inner: Inner,
    request: Identity,
    call: Call,
    _: u32,
) -> BoxFuture<'static, Outcome> {
    async move {
        let outcome = inner.call(&request, &call).await;
        match (call, outcome) {
            (Call::Create(mut child), Outcome::Failed(failure))
                if child.key.kind.executes() && failure.code == 0 =>
            {
                child.key.name += "-again";
                inner.call(&request, &Call::Create(child)).await
            }
            (_, outcome) => outcome,
        }
    }
    .boxed()
}

/// Says that a notification was created.
pub(super) const NEVER_TOLD: Mistake = |inner, request, call, _| match &call {
    Call::Create(child) if child.key.kind == ChildKind::NotificationRequest => {
        let made_up = Child {
            key: child.key.clone(),
            uid: "made-up".into(),
            resource_version: "1".into(),
            deleting: false,
            owner: None,
            request_label: child.labels.get(REQUEST_LABEL).cloned(),
            request_uid_label: child.labels.get(REQUEST_UID_LABEL).cloned(),
            status: ChildStatus::read(child.key.kind, serde_json::Value::Null),
        };
        async move { Outcome::Child(Box::new(made_up)) }.boxed()
    }
    _ => inner.call(&request, &call),
};

#[test]
fn a_notification_that_is_never_created_is_caught() {
    caught(NEVER_TOLD, &[Promise::L4]);
    // People are told of a success as well.
    caught(NEVER_TOLD, &[Promise::L2]);
}

#[test]
fn a_foreign_object_that_is_believed_is_caught() {
    caught(
        |inner, request, call, _| {
            async move {
                let mut outcome = inner.call(&request, &call).await;
                if let (Call::Read(_), Outcome::Child(child)) = (&call, &mut outcome) {
                    child.request_uid_label = Some(request.uid.clone());
                    child.owner = Some(Owner {
                        kind: REQUEST_KIND.to_owned(),
                        name: request.name.clone(),
                        uid: request.uid.clone(),
                    });
                }
                outcome
            }
            .boxed()
        },
        &[Promise::S15, Promise::S16, Promise::S14],
    );
}

#[test]
fn a_request_deleted_as_soon_as_it_ended_is_caught() {
    caught(
        |inner, request, call, _| {
            async move {
                let outcome = inner.call(&request, &call).await;
                if let (Call::Record(record), Outcome::Request(written)) = (&call, &outcome)
                    && record.to.completion_time.is_some()
                {
                    let resource_version = written.resource_version.clone();
                    let delete = Call::DeleteRequest { resource_version };
                    inner.call(&request, &delete).await;
                }
                outcome
            }
            .boxed()
        },
        &[Promise::S25],
    );
}

#[test]
fn a_status_that_is_said_to_be_written_and_is_not_is_caught() {
    caught(
        |inner, request, call, made| {
            async move {
                match (&call, made % 3) {
                    (Call::Record(record), 1) => {
                        match inner.call(&request, &Call::ReadRequest).await {
                            Outcome::Request(mut read) => {
                                read.status = record.to.clone();
                                Outcome::Request(read)
                            }
                            other => other,
                        }
                    }
                    _ => inner.call(&request, &call).await,
                }
            }
            .boxed()
        },
        &[
            Promise::S13,
            Promise::L1,
            Promise::L2,
            Promise::S2,
            Promise::S5,
            Promise::S4,
        ],
    );
}

/// Two replicas, the leader of which stands still for a minute from this moment on. Its workflow begins to execute 7 s after
/// the start, which leads to a status write and nothing else, and has long completed when the leader goes on.
pub(super) fn stopped_leader(at_ms: u64) -> Plan {
    let reference = references().into_iter().next().unwrap();
    let mut plan = reference.plan;
    plan.replicas = 2;
    plan.safety_ms = 90_000;
    let asked = &mut plan.requests[0];
    asked.at_ms = 1_000;
    asked.spec.ttl_seconds_after_finished = Some(100);
    asked.script.processing = Stage::lasting(Duration::from_millis(500));
    asked.script.analysis = Stage::lasting(Duration::from_millis(500));
    asked.script.planning = Stage::lasting(Duration::from_secs(5));
    asked.script.steps.clear();
    asked.script.executed_by_orchestrator = false;
    plan.troubles = vec![Trouble::Stall {
        replica: 0,
        at_ms,
        for_ms: 60_000,
    }];
    plan
}

/// Writes a status whatever the version is that it lands on, as a patch without a resourceVersion does. What is under
/// way goes on when nobody waits for the answer any more.
pub(super) fn unconditional(
    inner: Inner,
    request: Identity,
    call: Call,
    _: u32,
) -> BoxFuture<'static, Outcome> {
    let Call::Record(mut record) = call else {
        return inner.call(&request, &call);
    };
    let under_way = tokio::spawn(async move {
        match inner.call(&request, &Call::ReadRequest).await {
            Outcome::Request(newest) => {
                record.resource_version = newest.resource_version;
                inner.call(&request, &Call::Record(record)).await
            }
            other => other,
        }
    });
    async { under_way.await.unwrap() }.boxed()
}

#[test]
fn a_stopped_leader_that_writes_over_a_newer_status_is_caught() {
    let options = with(unconditional);
    let mut caught = BTreeSet::new();
    for at_ms in (4_000..8_000).step_by(500) {
        let plan = stopped_leader(at_ms);
        let sound = run(&plan, &Options::default());
        assert_eq!(
            sound.broken,
            [],
            "stopped at {at_ms} ms, without the mistake"
        );
        for violation in run(&plan, &options).broken {
            println!("stopped at {at_ms} ms: {violation}");
            caught.insert(violation.promise);
        }
    }
    assert!(
        caught.contains(&Promise::S7),
        "no moment shows the mistake: {caught:?}"
    );
}

#[test]
fn a_pass_that_panics_by_itself_is_caught() {
    caught(
        |inner, request, call, made| {
            if made == 3 {
                std::panic::resume_unwind(Box::new("a canary"));
            }
            inner.call(&request, &call)
        },
        &[Promise::S31],
    );
}

/// Makes a call that fails so many times more, with this pause.
fn insistent(
    (times, pause): (u32, Duration),
    (inner, request, call): (Inner, Identity, Call),
) -> BoxFuture<'static, Outcome> {
    async move {
        let mut outcome = inner.call(&request, &call).await;
        for _ in 0..times {
            if !matches!(outcome, Outcome::Failed(_)) {
                break;
            }
            tokio::time::sleep(pause).await;
            outcome = inner.call(&request, &call).await;
        }
        outcome
    }
    .boxed()
}

#[test]
fn a_refused_call_that_is_repeated_without_a_pause_that_grows_is_caught() {
    caught(
        |inner, request, call, _| insistent((10, Duration::ZERO), (inner, request, call)),
        &[Promise::S30],
    );
    caught(
        |inner, request, call, _| {
            insistent((100, Duration::from_millis(500)), (inner, request, call))
        },
        &[Promise::S30],
    );
}

/// Takes a refusal that passes for one that is for good.
fn never_again(inner: Inner, request: Identity, call: Call, _: u32) -> BoxFuture<'static, Outcome> {
    async move {
        match inner.call(&request, &call).await {
            Outcome::Failed(failure) if failure.code >= 500 => Outcome::Failed(ApiFailure {
                code: 422,
                reason: "Invalid".into(),
                ..failure
            }),
            outcome => outcome,
        }
    }
    .boxed()
}

/// What compares each life with the faultless one must see a second object, and another end.
#[test]
fn every_fault_at_every_point_notices_what_differs_from_the_faultless_life() {
    for (mistake, differs) in [
        (repeated as Mistake, "KubernetesExecution"),
        (never_again, "Failed"),
    ] {
        let options = with(mistake);
        let reference = references().into_iter().next().unwrap();
        let points = reference.points();
        let wrong = points.iter().find_map(|point| {
            let mut broken = reference.run(&[point], &options).broken.into_iter();
            broken.find(|violation| {
                violation.promise == Promise::S21 && violation.story.contains(differs)
            })
        });
        println!("{}", wrong.expect("no fault shows the mistake"));
    }
}
