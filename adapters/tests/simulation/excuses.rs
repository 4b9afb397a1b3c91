//! What excuses much excuses no more than it must: mistakes that show only in runs in which something else goes wrong as
//! well, or after it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use remediation_adapters::kubernetes::calls::Calls;
use remediation_adapters::simulation::promises::Promise;
use remediation_adapters::simulation::run::points::references;
use remediation_adapters::simulation::run::{CallFault, Options, Plan, Stream, Trouble, run};
use remediation_core::error::ApiFailure;
use remediation_core::kind::ChildKind;
use remediation_core::pass::{Call, Outcome};
use remediation_core::request::Identity;

use super::canaries::{
    ANOTHER_EXECUTION, GROWING_POLICY, Inner, NEVER_TOLD, caught_among, caught_with,
};

const LATE: Duration = Duration::from_secs(3);

/// Makes this call only after a while.
fn delayed(inner: Inner, request: Identity, call: Call) -> BoxFuture<'static, Outcome> {
    async move {
        tokio::time::sleep(LATE).await;
        inner.call(&request, &call).await
    }
    .boxed()
}

/// Whatever else goes wrong in a run, only the time in which it held the operator up excuses anything.
#[test]
fn what_is_done_some_seconds_late_is_caught_also_where_calls_fail() {
    let with_calls_that_fail = || {
        let plans = (0..2_000).map(Plan::from_seed);
        plans.filter(|plan| {
            plan.troubles
                .iter()
                .any(|trouble| matches!(trouble, Trouble::Call { .. }))
        })
    };
    caught_among(
        with_calls_that_fail(),
        |inner, request, call, _| match &call {
            Call::Create(child) if child.key.kind != ChildKind::NotificationRequest => {
                delayed(inner, request, call)
            }
            _ => inner.call(&request, &call),
        },
        &[Promise::S5],
    );
    caught_among(
        with_calls_that_fail(),
        |inner, request, call, _| match &call {
            Call::Record(record) if record.to.timeout_phase != record.from.timeout_phase => {
                delayed(inner, request, call)
            }
            _ => inner.call(&request, &call),
        },
        &[Promise::L1],
    );
}

/// Makes one call at a time, and nothing for a while after one that failed, whichever request it was about.
struct OneAtATime {
    inner: Inner,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Calls for OneAtATime {
    fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome> {
        let (inner, turn) = (self.inner.clone(), self.turn.clone());
        let (request, call) = (request.clone(), call.clone());
        async move {
            let _turn = turn.lock().await;
            let outcome = inner.call(&request, &call).await;
            if matches!(outcome, Outcome::Failed(_)) {
                tokio::time::sleep(LATE).await;
            }
            outcome
        }
        .boxed()
    }
}

#[test]
fn a_request_whose_failing_calls_hold_up_another_is_caught() {
    let options = Options {
        wrap: Arc::new(|inner| {
            Arc::new(OneAtATime {
                inner,
                turn: Arc::default(),
            })
        }),
        ..Options::default()
    };
    let plans = (0..4_000).map(Plan::from_seed).filter(|plan| {
        let only_calls = |trouble: &Trouble| {
            matches!(trouble, Trouble::Call { stream, .. } if *stream == Stream::Work)
        };
        plan.requests.len() > 1 && !plan.troubles.is_empty() && plan.troubles.iter().all(only_calls)
    });
    caught_with(plans, &options, &[Promise::L1]);
}

/// Some requests outlast their run: what happens after their end is judged there.
#[test]
fn what_is_left_undone_after_the_end_is_caught() {
    caught_among(
        (0..10_000).map(Plan::from_seed),
        |inner, request, call, _| match &call {
            Call::DeleteChild { .. } => async { Outcome::Deleted }.boxed(),
            _ => inner.call(&request, &call),
        },
        &[Promise::L14],
    );
    // The notification is refused while the request ends, and nobody asks again.
    let mut plan = references().into_iter().next().unwrap().plan;
    plan.requests[0].spec.ttl_seconds_after_finished = Some(7200);
    plan.troubles = vec![Trouble::Calls {
        verb: "create".to_owned(),
        plural: ChildKind::NotificationRequest.plural().to_owned(),
        fault: CallFault::Denied,
        at_ms: 0,
        for_ms: Some(90_000),
    }];
    assert_eq!(run(&plan, &Options::default()).broken, []);
    caught_among(
        [plan].into_iter(),
        |inner, request, call, _| match &call {
            Call::Create(child) if child.key.kind == ChildKind::NotificationRequest => {
                let refused = ApiFailure {
                    code: 403,
                    reason: "Forbidden".into(),
                    message: "cannot create resource".into(),
                    ..ApiFailure::default()
                };
                async move { Outcome::Failed(refused) }.boxed()
            }
            _ => inner.call(&request, &call),
        },
        &[Promise::L2],
    );
}

#[test]
fn what_becomes_of_a_request_that_is_created_after_a_restore_is_judged_in_full() {
    let mut plan = references().into_iter().next().unwrap().plan;
    plan.requests[0].at_ms = 2_000;
    plan.troubles = vec![Trouble::Restore {
        saved_ms: 500,
        at_ms: 1_000,
    }];
    assert_eq!(run(&plan, &Options::default()).broken, []);
    for (mistake, promise) in [
        (ANOTHER_EXECUTION, Promise::S1),
        (GROWING_POLICY, Promise::S27),
        (NEVER_TOLD, Promise::L2),
    ] {
        caught_among([plan.clone()].into_iter(), mistake, &[promise]);
    }
}

/// Clocks are set right before a run ends, and what is stored tells when a request expires.
#[test]
fn a_request_that_is_not_deleted_after_a_clock_was_set_is_caught() {
    let plans = (0..2_000).map(Plan::from_seed).filter(|plan| {
        let set = |trouble: &Trouble| matches!(trouble, Trouble::Clock { .. });
        plan.troubles.iter().any(set)
    });
    caught_among(
        plans,
        |inner, request, call, _| match &call {
            Call::DeleteRequest { .. } => async { Outcome::Deleted }.boxed(),
            _ => inner.call(&request, &call),
        },
        &[Promise::L5],
    );
}
