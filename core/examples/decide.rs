//! What one decision costs, in nanoseconds, with nothing to do: the case that an operator with thousands of
//! remediations meets most. `cargo run --release -p remediation-core --example decide`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use remediation_core::action::NewChild;
use remediation_core::children::{Child, ChildStatus, Children, Owner};
use remediation_core::decide::{State, decide};
use remediation_core::error::ApiFailure;
use remediation_core::kind::{ChildKind, REQUEST_KIND, REQUEST_LABEL, REQUEST_UID_LABEL};
use remediation_core::memory::Memory;
use remediation_core::pass::{Call, Outcome, Pass, Step};
use remediation_core::phase::Phase;
use remediation_core::policy::Settings;
use remediation_core::request::{Identity, Request, RequestSpec};
use remediation_core::targeting::TargetingData;
use serde_json::{Value, json};

/// Decisions that one figure is the mean of.
const ROUNDS: u32 = 200_000;
/// The best of so many figures is printed: whatever else the machine does only ever adds.
const FIGURES: u32 = 7;

fn main() {
    let now = Timestamp::UNIX_EPOCH;
    let mut state = State {
        request: request(),
        settings: Arc::new(Settings::default()),
        memory: Memory::default(),
    };
    let mut children = Children::default();
    let steps: Vec<Value> = (0..8).map(|n| json!({ "name": format!("s{n}") })).collect();
    let plan = json!({ "executedBy": "Orchestrator", "steps": steps });
    let result = json!({ "recommendations": [{ "action": "Scale" }] });
    settle(&mut state, &mut children, now);
    for (kind, working, done) in [
        (
            ChildKind::RemediationProcessing,
            "Processing",
            json!({ "phase": "Completed" }),
        ),
        (
            ChildKind::AIAnalysis,
            "Investigating",
            json!({ "phase": "Ready", "investigationResult": result }),
        ),
        (
            ChildKind::WorkflowExecution,
            "Planning",
            json!({ "phase": "Executing" }),
        ),
        (
            ChildKind::WorkflowExecution,
            "Executing",
            json!({ "phase": "Executing", "plan": plan }),
        ),
    ] {
        says(&mut children, kind, &json!({ "phase": working }));
        settle(&mut state, &mut children, now);
        measure(&state, &children, now, "");
        says(&mut children, kind, &done);
        settle(&mut state, &mut children, now);
    }
    measure(&state, &children, now, ", a plan of 8 steps");
    says(
        &mut children,
        ChildKind::WorkflowExecution,
        &json!({ "phase": "Failed" }),
    );
    settle(&mut state, &mut children, now);
    measure(&state, &children, now, "");
}

fn measure(state: &State, children: &Children, now: Timestamp, what: &str) {
    let figure = || {
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            black_box(decide(black_box(state), black_box(children), now));
        }
        begun.elapsed() / ROUNDS
    };
    let best = (0..FIGURES).map(|_| figure()).min().unwrap_or_default();
    let phase = state.request.status.known_phase().map_or("?", Phase::name);
    println!("{:>6} ns  {phase}{what}", best.as_nanos());
}

fn says(children: &mut Children, kind: ChildKind, status: &Value) {
    for child in children
        .seen
        .values_mut()
        .filter(|child| child.key.kind == kind)
    {
        child.status = ChildStatus::read(kind, status.clone());
    }
}

/// Runs a pass to its end, with an API server that accepts everything; what is known then comes from a cache.
fn settle(state: &mut State, children: &mut Children, now: Timestamp) {
    let mut pass = Pass::new(state.clone(), children.clone());
    loop {
        let call = match pass.next(now) {
            Step::Call(call) => call,
            Step::Announce(_) => continue,
            Step::Done(_) => break,
        };
        let outcome = match call {
            Call::Create(new) => Outcome::Child(Box::new(created(*new, &pass.view().0.request))),
            Call::Record(record) => Outcome::Request(Box::new(Request {
                status: record.to,
                ..pass.view().0.request.clone()
            })),
            Call::Read(_) | Call::ReadRequest => Outcome::Failed(ApiFailure {
                code: 404,
                reason: "NotFound".into(),
                ..ApiFailure::default()
            }),
            Call::RestoreOwnership(_) | Call::DeleteChild(_) | Call::DeleteRequest { .. } => {
                Outcome::Deleted
            }
        };
        pass.learn(outcome, now);
    }
    let (request, known, memory) = pass.into_parts();
    *children = known.seen.into_values().collect();
    (state.request, state.memory) = (request, memory);
}

fn created(new: NewChild, request: &Request) -> Child {
    let owner = Owner {
        kind: REQUEST_KIND.into(),
        name: request.identity.name.clone(),
        uid: request.identity.uid.clone(),
    };
    Child {
        uid: format!("uid-{}", new.key),
        resource_version: "1".into(),
        deleting: false,
        owner: new.is_owned().then_some(owner),
        request_label: new.labels.get(REQUEST_LABEL).cloned(),
        request_uid_label: new.labels.get(REQUEST_UID_LABEL).cloned(),
        status: ChildStatus::read(new.key.kind, Value::Null),
        key: new.key,
    }
}

fn request() -> Request {
    Request {
        identity: Identity {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "0a1b2c3d-1111-4111-8111-000000000001".into(),
        },
        resource_version: "1".into(),
        generation: 1,
        spec: RequestSpec {
            targeting_data: Some(TargetingData {
                signal_fingerprint: "fp-1".into(),
                alert_name: "HighMemoryUsage".into(),
                environment: "production".into(),
                ..TargetingData::default()
            }),
            ..RequestSpec::default()
        },
        ..Request::default()
    }
}
