//! Anything that could be seen: words, times, statuses and children, ordinary and hostile.

use proptest::option::of;
use proptest::prelude::*;
use remediation_core::children::{Child, ChildKey, ChildStatus, Owner};
use remediation_core::error::Category;
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::names::Occasion;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::{
    Condition, ExecutionRef, HistoryEntry, NotificationRef, ObjectRef, Status,
};
use remediation_core::time::{GoDuration, Time};
use serde_json::{Value, json};

use crate::world::World;

/// A phase word of some child, or something that is none.
pub(crate) fn word() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "Pending",
        "Processing",
        "Investigating",
        "Approving",
        "Ready",
        "Rejected",
        "Planning",
        "Validating",
        "Executing",
        "Running",
        "Hibernating",
        "completed",
    ];
    prop_oneof![
        4 => Just(json!("Completed")),
        3 => Just(json!("Executing")),
        1 => Just(json!("Failed")),
        4 => prop::sample::select(words.to_vec()).prop_map(|word| json!(word)),
        1 => text().prop_map(|word| json!(word)),
        1 => prop_oneof![Just(Value::Null), Just(json!(7)), Just(json!({ "phase": "Completed" }))],
    ]
}

/// A text of any kind and length.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{0,8}",
        2 => any::<String>(),
        1 => (0_usize..20_000).prop_map(|length| "\u{1}é\"".repeat(length / 4)),
    ]
}

/// A plan: sometimes one that can be run, sometimes not.
fn plan() -> impl Strategy<Value = Value> {
    let step = (0..4, prop::collection::vec(0..4, 0..2))
        .prop_map(|(name, after)| json!({ "name": format!("s{name}"), "dependsOn": after.iter().map(|n| format!("s{n}")).collect::<Vec<_>>() }));
    let runnable = json!([{ "name": "s0" }, { "name": "s1", "dependsOn": ["s0"] }]);
    let steps = prop_oneof![
        3 => Just(runnable),
        1 => prop::collection::vec(step, 0..5).prop_map(Value::from),
        1 => Just(json!("none")),
    ];
    let by =
        prop_oneof![3 => Just(json!("Orchestrator")), 1 => Just(json!("")), 1 => Just(json!([]))];
    (by, steps).prop_map(|(by, steps)| json!({ "executedBy": by, "steps": steps }))
}

/// What a child of any kind may say.
pub(crate) fn report() -> impl Strategy<Value = Value> {
    let decision = prop::sample::select(vec!["", "Approved", "Rejected", "Maybe"]);
    let recommends = prop_oneof![4 => Just(true), 1 => Just(false)];
    let approval = prop_oneof![
        3 => Just(json!({})),
        1 => (any::<bool>(), decision)
            .prop_map(|(required, decision)| json!({ "required": required, "decision": decision })),
    ];
    let counts = (of(any::<i64>()), of(-1_i64..5));
    (word(), recommends, approval, of(plan()), counts, of(text())).prop_map(
        |(phase, recommends, approval, plan, (total, completed), message)| {
            let recommendations = if recommends {
                json!([{ "action": "Scale" }])
            } else {
                json!([])
            };
            json!({
                "phase": phase,
                "reason": message,
                "message": message,
                "enrichedData": { "note": message },
                "approval": approval,
                "investigationResult": { "recommendations": recommendations },
                "plan": plan,
                "stepsTotal": total,
                "stepsCompleted": completed,
            })
        },
    )
}

/// A time near the beginning of the world, or anywhere.
pub(crate) fn time() -> impl Strategy<Value = Time> {
    let near = World::new().now.as_millisecond();
    prop_oneof![
        4 => (-4_000_000_i64..4_000_000).prop_map(move |off| Time::from_millis(near + off)),
        1 => any::<i64>().prop_map(Time::from_millis),
    ]
}

fn duration() -> impl Strategy<Value = GoDuration> {
    prop_oneof![0_i64..4_000_000, any::<i64>()].prop_map(GoDuration::from_millis)
}

fn phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(Phase::ALL.to_vec())
}

fn phase_word() -> impl Strategy<Value = PhaseWord> {
    prop_oneof![
        8 => phase().prop_map(PhaseWord::Known),
        1 => "[A-Z][a-z]{0,9}".prop_map(PhaseWord::Unknown),
    ]
}

/// One of a few UIDs of the objects of this name.
fn uid(name: &str) -> impl Strategy<Value = String> + use<> {
    let name = name.to_owned();
    (0..3).prop_map(move |n| format!("{name}/{n}"))
}

fn reference(name: &'static str) -> impl Strategy<Value = Option<ObjectRef>> {
    let shown = prop_oneof![4 => Just(name.to_owned()), 1 => text()];
    of((shown, uid(name)).prop_map(|(name, uid)| ObjectRef { name, uid }))
}

fn executions() -> impl Strategy<Value = Vec<ExecutionRef>> {
    let one = (0..4, 0..3, any::<bool>()).prop_map(|(step, uid, completed)| ExecutionRef {
        step: format!("s{step}"),
        name: format!("web-execution-s{step}"),
        uid: format!("web-execution-s{step}/{uid}"),
        completed,
    });
    prop::collection::vec(one, 0..4)
}

fn notifications() -> impl Strategy<Value = Vec<NotificationRef>> {
    let occasions = vec![Occasion::Escalation, Occasion::Success, Occasion::Approval];
    let one =
        (prop::sample::select(occasions), text(), uid("told")).prop_map(|(occasion, name, uid)| {
            NotificationRef {
                occasion,
                name,
                uid,
            }
        });
    prop::collection::vec(one, 0..3)
}

fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    let kinds = vec!["Escalated", "Suspended", "Stalled", "Failed", "Mine"];
    let values = vec!["True", "False", "Unknown"];
    let select = prop::sample::select::<&str>;
    let one = (select(kinds), select(values), text(), time()).prop_map(
        |(kind, status, message, last_transition_time)| Condition {
            kind: kind.into(),
            status: status.into(),
            reason: "Edited".into(),
            message,
            last_transition_time,
        },
    );
    prop::collection::vec(one, 0..4)
}

fn history() -> impl Strategy<Value = Vec<HistoryEntry>> {
    let one = (phase_word(), time(), text()).prop_map(|(phase, time, reason)| HistoryEntry {
        phase,
        time,
        reason,
        message: String::new(),
    });
    prop::collection::vec(one, 0..40)
}

/// A status with any combination of fields.
pub(crate) fn status() -> impl Strategy<Value = Status> {
    let times = (
        of(time()),
        of(time()),
        prop::option::weighted(0.2, time()),
        of(time()),
        of(time()),
        of(time()),
    );
    let pauses = (
        prop::option::weighted(0.3, time()),
        of(duration()),
        of(duration()),
    );
    let refs = (
        reference("web-processing"),
        reference("web-aianalysis"),
        reference("web-workflow"),
        executions(),
        notifications(),
    );
    let failure = (
        prop::option::weighted(0.3, phase()),
        prop::option::weighted(0.3, prop::sample::select(Category::ALL.to_vec())),
        prop::option::weighted(0.3, phase()),
    );
    let counts = (of(any::<i64>()), of(any::<i64>()), of(any::<i64>()));
    let rest = (
        of(phase_word()),
        of(text()),
        any::<bool>(),
        of(any::<u32>()),
    );
    let lists = (conditions(), history(), of(any::<i64>()));
    (times, pauses, refs, failure, counts, rest, lists).prop_map(
        |(times, pauses, refs, failure, counts, rest, lists)| Status {
            phase: rest.0,
            reason: rest.1.clone(),
            message: rest.1.clone(),
            waiting_for: rest.1.clone(),
            plan_hash: rest.1,
            approval_notification_sent: rest.2,
            attempt: rest.3,
            start_time: times.0,
            phase_start_time: times.1,
            completion_time: times.2,
            expiry_time: times.3,
            next_deadline: times.4,
            approval_requested_time: times.5,
            failure_time: times
                .3
                .filter(|_| failure.0.is_some() || failure.1.is_some()),
            suspended_since: pauses.0,
            suspended_in_phase: pauses.1,
            suspended_total: pauses.2,
            remediation_processing_ref: refs.0,
            ai_analysis_ref: refs.1,
            workflow_execution_ref: refs.2,
            kubernetes_execution_refs: refs.3,
            notification_refs: refs.4,
            failure_phase: failure.0,
            failure_category: failure.1,
            timeout_phase: failure.2,
            overall_progress: counts.0,
            steps_completed: counts.1,
            steps_total: counts.2,
            observed_generation: counts.0,
            conditions: lists.0,
            history: lists.1,
            history_dropped: lists.2,
            effective_policy: None,
        },
    )
}

/// A child under a name of ours or another, whoever it belongs to, whatever it says.
pub(crate) fn child() -> impl Strategy<Value = Child> {
    let world = World::new();
    let ours = world.owner().unwrap();
    let owners = vec![
        Some(ours.clone()),
        Some(ours.clone()),
        Some(Owner {
            kind: REQUEST_KIND.into(),
            name: ours.name.clone(),
            uid: "earlier".into(),
        }),
        None,
    ];
    let names = vec![
        (ChildKind::RemediationProcessing, "web-processing"),
        (ChildKind::AIAnalysis, "web-aianalysis"),
        (ChildKind::WorkflowExecution, "web-workflow"),
        (ChildKind::KubernetesExecution, "web-execution-s0"),
        (ChildKind::KubernetesExecution, "web-execution-s1"),
        (ChildKind::NotificationRequest, "web-escalation-0a1b2c3d"),
        (ChildKind::NotificationRequest, "web-success-0a1b2c3d"),
        (ChildKind::WorkflowExecution, "other"),
    ];
    let owner = prop::sample::select(owners);
    (
        prop::sample::select(names),
        owner,
        0..3,
        any::<bool>(),
        any::<bool>(),
        report(),
    )
        .prop_map(
            move |((kind, name), owner, uid, deleting, labelled, said)| Child {
                key: ChildKey::new(kind, name),
                uid: format!("{name}/{uid}"),
                resource_version: "1".into(),
                deleting,
                owner,
                request_label: labelled.then(|| "web".into()),
                request_uid_label: labelled.then(|| ours.uid.clone()),
                status: ChildStatus::read(kind, said),
            },
        )
}
