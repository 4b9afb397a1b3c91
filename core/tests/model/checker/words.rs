//! The names and words of the model, and how its numbers become the core's own types.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use remediation_core::children::{Child, ChildKey, ChildStatus, Owner};
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::names::{self, Occasion};
use remediation_core::request::Identity;
use serde_json::{Value, json};

use super::state::{DELETING, FOREIGN, Obj, UNLABELLED};

/// The slots of children that a request owns: RP, AIA, WFE, step a, step b.
pub(crate) const REQUEST_SLOTS: usize = 5;
/// Those, three notifications for each of two requests of the name, and one under any other name.
pub(crate) const SLOTS: usize = REQUEST_SLOTS + 7;
pub(crate) const RP: usize = 0;
pub(crate) const AIA: usize = 1;
pub(crate) const WFE: usize = 2;
pub(crate) const STEP_A: usize = 3;
pub(crate) const STEP_B: usize = 4;
/// A notification under a name that no rule gives.
pub(crate) const ODD: usize = 11;

/// The first moment of the model.
pub(crate) const BEGINNING: i64 = 1_772_366_400_000;

pub(crate) fn moment(millis: u32) -> Timestamp {
    Timestamp::from_millisecond(BEGINNING + i64::from(millis)).expect("within the years of a model")
}

/// Milliseconds since the beginning; 0 for what lies before it.
pub(crate) fn millis(moment: i64) -> u32 {
    u32::try_from(moment - BEGINNING).unwrap_or(0)
}

pub(crate) fn kind(slot: usize) -> ChildKind {
    match slot {
        RP => ChildKind::RemediationProcessing,
        AIA => ChildKind::AIAnalysis,
        WFE => ChildKind::WorkflowExecution,
        STEP_A | STEP_B => ChildKind::KubernetesExecution,
        _ => ChildKind::NotificationRequest,
    }
}

/// The slot of an occasion's notification.
pub(crate) fn notification_slot(inc: u8, occasion: Occasion) -> usize {
    let of_occasion = match occasion {
        Occasion::Escalation => 0,
        Occasion::Success => 1,
        Occasion::Approval => 2,
    };
    REQUEST_SLOTS + 3 * (usize::from(inc) - 1) + of_occasion
}

/// The n-th request of the name.
pub(crate) fn identity(inc: u8) -> &'static Identity {
    static BOTH: LazyLock<[Identity; 2]> = LazyLock::new(|| {
        [1, 2].map(|inc| Identity {
            namespace: "shop".into(),
            name: "web".into(),
            uid: format!("{inc:08}-1111-4111-8111-000000000001"),
        })
    });
    &BOTH[usize::from(inc) - 1]
}

/// The key of each slot.
pub(crate) fn key(slot: usize) -> &'static ChildKey {
    static KEYS: LazyLock<Vec<ChildKey>> = LazyLock::new(|| {
        let web = identity(1);
        let stage = |kind| ChildKey::new(kind, names::stage(web, kind));
        let step = |name| ChildKey::new(ChildKind::KubernetesExecution, names::step(web, name, 1));
        let mut keys = vec![stage(kind(RP)), stage(kind(AIA)), stage(kind(WFE))];
        keys.extend([step("a"), step("b")]);
        for inc in [1, 2] {
            for occasion in [Occasion::Escalation, Occasion::Success, Occasion::Approval] {
                let name = names::notification(identity(inc), occasion);
                keys.push(ChildKey::new(ChildKind::NotificationRequest, name));
            }
        }
        keys.push(ChildKey::new(ChildKind::NotificationRequest, "web-odd"));
        keys
    });
    &KEYS[slot]
}

/// The slot of a key; a notification under no known name is the odd one.
pub(crate) fn slot(key_: &ChildKey) -> Option<usize> {
    let known = (0..SLOTS).find(|slot| key(*slot) == key_);
    known.or_else(|| (key_.kind == ChildKind::NotificationRequest).then_some(ODD))
}

pub(crate) fn uid(slot: usize, inc: u8) -> String {
    format!("{slot}-{inc}")
}

/// Which object of its slot a UID names; 0 where it names none.
pub(crate) fn inc_of(slot: usize, uid: &str) -> u8 {
    let parts = uid.split_once('-');
    let of_slot = parts.filter(|(of, _)| *of == slot.to_string());
    of_slot.and_then(|(_, inc)| inc.parse().ok()).unwrap_or(0)
}

pub(crate) fn version(inc: u8, rv: u8) -> String {
    format!("{inc}{rv:03}")
}

/// Back to object and version.
pub(crate) fn read_version(text: &str) -> (u8, u8) {
    let number: u32 = text.parse().unwrap_or(0);
    ((number / 1000) as u8, (number % 1000) as u8)
}

/// The words that a child of each kind can say; the first is nothing at all.
pub(crate) fn said(slot: usize, status: u8, uid: &str) -> Value {
    let steps = json!([{ "name": "a", "action": "Drain" }, { "name": "b", "action": "Restart", "dependsOn": ["a"] }]);
    let changed = json!([{ "name": "a", "action": "Drain" }, { "name": "b", "action": "Evict", "dependsOn": ["a"] }]);
    let plan = |steps: Value| json!({ "executedBy": "Orchestrator", "steps": steps });
    let recommends = json!({ "recommendations": [{ "action": format!("act-{uid}") }] });
    match (slot, status) {
        (RP, 1) => json!({ "phase": "Processing" }),
        (RP, 2) => json!({ "phase": "Completed", "enrichedData": { "by": uid } }),
        (RP, 3) => json!({ "phase": "Failed", "reason": "NoContext" }),
        (RP | AIA | WFE | STEP_A | STEP_B, UNKNOWN) => json!({ "phase": "Hibernating" }),
        (AIA, 1) => json!({ "phase": "Investigating" }),
        (AIA, 2) => json!({ "phase": "Approving", "approval": { "required": true } }),
        (AIA, 3) => json!({ "phase": "Ready", "investigationResult": recommends }),
        (AIA, 5) => {
            json!({ "phase": "Ready", "approval": { "required": true, "decision": "Approved" }, "investigationResult": recommends })
        }
        (AIA, 6) => {
            json!({ "phase": "Approving", "approval": { "required": true, "decision": "Rejected" } })
        }
        (AIA, 7) => json!({ "phase": "Failed" }),
        (AIA, 8) => json!({ "phase": "Ready" }),
        (WFE, 1) => json!({ "phase": "Planning" }),
        (WFE, 2) => json!({ "phase": "Executing", "stepsTotal": 1 }),
        (WFE, 3) => json!({ "phase": "Executing", "plan": plan(steps) }),
        (WFE, 5) => json!({ "phase": "Completed", "stepsTotal": 1, "stepsCompleted": 1 }),
        (WFE, 6) => json!({ "phase": "Completed", "plan": plan(steps) }),
        (WFE, 7) => json!({ "phase": "Failed", "reason": "Broken", "message": "a step broke" }),
        (WFE, 8) => json!({ "phase": "Executing", "plan": plan(changed) }),
        (WFE, 9) => json!({ "phase": "Executing", "plan": plan(json!([])) }),
        (STEP_A | STEP_B, 1) => json!({ "phase": "Running" }),
        (STEP_A | STEP_B, 2) => json!({ "phase": "Completed" }),
        (STEP_A | STEP_B, 3) => json!({ "phase": "Failed", "reason": "Crashed" }),
        _ => Value::Null,
    }
}

/// A word that no version knows, of every kind.
pub(crate) const UNKNOWN: u8 = 4;

/// Whether what an object says leads on to the next child.
pub(crate) fn leads(slot: usize, status: u8) -> bool {
    match slot {
        RP | STEP_A | STEP_B => status == 2,
        AIA => matches!(status, 3 | 5),
        WFE => matches!(status, 2 | 3 | 5 | 6 | 8 | 9),
        _ => false,
    }
}

/// Whether it is a failure.
pub(crate) fn fails(slot: usize, status: u8) -> bool {
    match slot {
        RP | STEP_A | STEP_B => status == 3,
        AIA => matches!(status, 6..=8),
        WFE => matches!(status, 7 | 9),
        _ => false,
    }
}

/// The object as the core sees it.
pub(crate) fn child(slot: usize, obj: Obj) -> Child {
    let uid = uid(slot, obj.inc);
    let owner = match obj.owner {
        0 => None,
        FOREIGN => Some(Owner {
            kind: "Deployment".into(),
            name: "theirs".into(),
            uid: "theirs".into(),
        }),
        inc => Some(Owner {
            kind: REQUEST_KIND.into(),
            name: identity(inc).name.clone(),
            uid: identity(inc).uid.clone(),
        }),
    };
    let labelled = !obj.is(UNLABELLED) && (1..FOREIGN).contains(&obj.owner);
    let notification = slot >= REQUEST_SLOTS;
    Child {
        key: key(slot).clone(),
        resource_version: version(obj.inc, obj.rv),
        deleting: obj.is(DELETING),
        owner: owner.filter(|_| !notification),
        request_label: labelled.then(|| names::label(&identity(1).name)),
        request_uid_label: labelled.then(|| identity(obj.owner).uid.clone()),
        status: ChildStatus::read(kind(slot), said(slot, obj.status, &uid)),
        uid,
    }
}

/// What an analysis is to find in its spec, where this processing led to it.
pub(crate) fn enriched_by(inc: u8) -> BTreeMap<String, String> {
    BTreeMap::from([("by".to_owned(), uid(RP, inc))])
}
