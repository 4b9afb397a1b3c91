//! Random contents for objects of each kind: such as the server takes, and such as it should refuse.

use serde_json::{Value, json};

use crate::{kinds::Kind, random::Random};

/// Fields of an object beside its metadata; now and then wrong ones.
pub(crate) fn fields(kind: &Kind, random: &mut Random) -> Value {
    let mut object = kind.plain("x");
    for _ in 0..random.below(4) {
        let change = random.pick(changes(kind));
        apply(&mut object, &change);
    }
    if random.percent(15) {
        let mistake = random.pick(mistakes(kind));
        apply(&mut object, &mistake);
    }
    if let Some(map) = object.as_object_mut() {
        map.retain(|field, _| !["apiVersion", "kind", "metadata"].contains(&field.as_str()));
    }
    object
}

/// A merge patch of an object, its metadata left out.
pub(crate) fn merge_patch(kind: &Kind, random: &mut Random) -> Value {
    let list = if random.percent(20) {
        mistakes(kind)
    } else {
        changes(kind)
    };
    let mut patch = json!({});
    for _ in 0..=random.below(2) {
        apply(&mut patch, &random.pick(list));
    }
    patch
}

/// A JSON patch: one or two operations.
pub(crate) fn json_patch(kind: &Kind, random: &mut Random) -> Value {
    let operations = (0..=random.below(2)).map(|_| {
        let (pointer, value) = change(&random.pick(changes(kind)));
        match random.below(10) {
            0 => json!({"op": "remove", "path": pointer}),
            1 => json!({"op": "test", "path": pointer, "value": without_null_members(value)}),
            2 => json!({"op": "replace", "path": pointer, "value": value}),
            3 => json!({"op": "copy", "from": "/metadata/name", "path": "/metadata/annotations"}),
            4 => json!({"op": "remove", "path": "/metadata/finalizers"}),
            _ => json!({"op": "add", "path": pointer, "value": value}),
        }
    });
    operations.collect()
}

/// What a real server can compare: a list that holds a null makes it panic, see
/// `known::a_null_in_a_list_that_a_patch_tests_breaks_the_connection`.
fn without_null_members(mut value: Value) -> Value {
    match &mut value {
        Value::Array(members) => {
            members.retain(|member| !member.is_null());
            for member in members {
                *member = without_null_members(member.take());
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                *field = without_null_members(field.take());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

/// A status to write: mostly one that the kind takes.
pub(crate) fn status(kind: &Kind, random: &mut Random) -> Value {
    let text = random.pick(match kind.kind {
        "Widget" => WIDGET_STATUS,
        "RemediationRequest" => REQUEST_STATUS,
        _ => OTHER_STATUS,
    });
    serde_json::from_str(text).unwrap_or_default()
}

const WIDGET_STATUS: &[&str] = &[
    r#"{"phase": "Pending"}"#,
    r#"{"phase": "Done", "observed": 2}"#,
    r#"{"conditions": [{"type": "Ready", "status": "True"}]}"#,
    r#"{}"#,
    r#"{"phase": "Lost"}"#,
    r#"{"observed": -1}"#,
    r#"{"observed": "one"}"#,
    r#"{"observed": 1.5}"#,
    r#"{"conditions": [{"type": "Ready"}]}"#,
    r#"{"conditions": [{"type": "A", "status": "x"}, {"type": "A", "status": "y"}]}"#,
    r#"{"unknown": 1}"#,
    r#""text""#,
    r#"null"#,
];

const REQUEST_STATUS: &[&str] = &[
    r#"{"phase": "Pending"}"#,
    r#"{"phase": "Processing", "attempt": 1, "overallProgress": 20}"#,
    r#"{"phase": "Completed", "completionTime": "2026-01-01T00:00:00.123Z"}"#,
    r#"{"phase": "Nonsense"}"#,
    r#"{"attempt": 0}"#,
    r#"{"attempt": 65}"#,
    r#"{"startTime": "yesterday"}"#,
    r#"{"conditions": [{"type": "Ready", "status": "True", "reason": "R", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]}"#,
    r#"{"conditions": [{"type": "Ready"}]}"#,
    r#"{"aiAnalysisRef": {"name": "x", "uid": "y"}}"#,
    r#"{"aiAnalysisRef": {"name": "x"}}"#,
];

const OTHER_STATUS: &[&str] = &[r#"{"phase": "Active"}"#, r#"{"phase": "Other"}"#, r#"{}"#];

/// A pointer and a JSON value.
type Change = (&'static str, &'static str);

fn changes(kind: &Kind) -> &'static [Change] {
    match kind.kind {
        "Widget" => &[
            ("/spec/colour", r#""green""#),
            ("/spec/colour", r#""blue""#),
            ("/spec/size", "3"),
            ("/spec/size", "5"),
            ("/spec/size", "60"),
            ("/spec/label", r#""ab""#),
            ("/spec/label", "null"),
            ("/spec/until", r#""2026-05-06T07:08:09Z""#),
            (
                "/spec/parts",
                r#"[{"name": "p"}, {"name": "q", "count": 4}]"#,
            ),
            ("/spec/parts", r#"[{"name": "p"}]"#),
            ("/spec/tags", r#"["x", "y"]"#),
            ("/spec/tags", "[]"),
            ("/spec/limits", r#"{"cpu": 1}"#),
            ("/spec/free", r#"{"any": {"thing": [1, null, "x"]}}"#),
            ("/spec/port", "80"),
            ("/spec/port", r#""http""#),
            ("/spec/note", "null"),
            ("/spec/note", r#""n""#),
            ("/spec/ratio", "1.5"),
            ("/spec/ratio", "2"),
            ("/spec/on", "true"),
            ("/status", r#"{"phase": "Done"}"#),
        ],
        "Gadget" => &[
            ("/spec", r#"{"mode": "fast"}"#),
            ("/spec", r#"{"other": [1, 2.5, {"deep": null}]}"#),
            ("/spec", "{}"),
            ("/status", r#"{"phase": "Done"}"#),
        ],
        "RemediationRequest" => &[
            ("/spec", "{}"),
            ("/spec", r#"{"suspend": true}"#),
            (
                "/spec",
                r#"{"targetingData": {"alertName": "Slow", "environment": "production",
                "signalFingerprint": "f", "severity": "critical",
                "targetResource": {"kind": "Deployment", "name": "shop"}}}"#,
            ),
            (
                "/spec",
                r#"{"targetingData": {"priority": null, "labels": {"a": "b"}}}"#,
            ),
            (
                "/spec",
                r#"{"timeouts": {"analyzing": "5m"}, "ttlSecondsAfterFinished": 60}"#,
            ),
            ("/status", r#"{"phase": "Pending"}"#),
        ],
        "WorkflowExecution" => &[
            ("/spec/notAfter", r#""2026-02-02T00:00:00Z""#),
            (
                "/spec/recommendations",
                r#"[{"action": "Scale", "parameters": {"replicas": 3, "deep": {"x": null}}}]"#,
            ),
            ("/status", r#"{"phase": "Pending"}"#),
        ],
        "Lease" => &[
            (
                "/spec",
                r#"{"holderIdentity": "me", "leaseDurationSeconds": 15, "leaseTransitions": 1}"#,
            ),
            (
                "/spec",
                r#"{"holderIdentity": "you", "renewTime": "2026-01-01T00:00:00.000000Z"}"#,
            ),
            ("/spec", r#"{"acquireTime": "2026-01-01T00:00:00.123456Z"}"#),
            ("/spec", "{}"),
        ],
        "Event" => &[
            ("/count", "2"),
            ("/message", r#""again""#),
            ("/type", r#""Warning""#),
            ("/reason", r#""Failed""#),
            ("/source", r#"{"component": "tests"}"#),
            ("/firstTimestamp", r#""2026-01-01T00:00:00Z""#),
            ("/lastTimestamp", r#""2026-01-01T00:00:01Z""#),
        ],
        "Namespace" => &[("/spec", "{}"), ("/status", r#"{"phase": "Active"}"#)],
        _ => &[
            ("/data", r#"{"k": "v"}"#),
            ("/data", r#"{"k": "w", "l": ""}"#),
            ("/data", "{}"),
            ("/binaryData", r#"{"b": "AAEC"}"#),
        ],
    }
}

fn mistakes(kind: &Kind) -> &'static [Change] {
    match kind.kind {
        "Widget" => &[
            ("/spec/colour", r#""pink""#),
            ("/spec/colour", "null"),
            ("/spec/colour", "7"),
            ("/spec/size", "0"),
            ("/spec/size", "101"),
            ("/spec/size", "2.5"),
            ("/spec/size", r#""big""#),
            ("/spec/label", r#""A""#),
            ("/spec/label", r#""abcdefghijkl""#),
            ("/spec/label", r#""a""#),
            ("/spec/until", r#""tomorrow""#),
            ("/spec/parts", r#"[{"name": "p"}, {"name": "p"}]"#),
            ("/spec/parts", r#"[{"count": 1}]"#),
            (
                "/spec/parts",
                r#"[{"name": "p"}, {"name": "q"}, {"name": "r"}, {"name": "s"}]"#,
            ),
            ("/spec/parts", r#"{"name": "p"}"#),
            ("/spec/tags", r#"["x", "x"]"#),
            ("/spec/tags", r#"[1]"#),
            ("/spec/limits", r#"{"a": 1, "b": 2, "c": 3}"#),
            ("/spec/limits", r#"{"a": "x"}"#),
            ("/spec/free", "3"),
            ("/spec/port", "true"),
            ("/spec/note", "1"),
            ("/spec/on", r#""yes""#),
            ("/spec/unknown", "1"),
            ("/spec/parts", r#"[{"name": "p", "unknown": 1}]"#),
            ("/other", r#"{"x": 1}"#),
            ("/spec", "null"),
            ("/spec", r#""text""#),
        ],
        "Gadget" => &[
            ("/spec/mode", "3"),
            ("/spec", "[]"),
            ("/other", "1"),
            ("/status/unknown", "1"),
        ],
        "RemediationRequest" => &[
            ("/spec", r#"{"suspend": "yes"}"#),
            ("/spec", r#"{"targetingData": {"severity": "bad"}}"#),
            (
                "/spec",
                r#"{"targetingData": {"targetResource": {"kind": ""}}}"#,
            ),
            ("/spec", r#"{"timeouts": {"analyzing": "0s"}}"#),
            ("/spec", r#"{"timeouts": {"analyzing": "soon"}}"#),
            ("/spec", r#"{"ttlSecondsAfterFinished": -1}"#),
            ("/spec/unknown", "true"),
        ],
        "WorkflowExecution" => &[
            ("/spec/notAfter", "null"),
            ("/spec/notAfter", r#""late""#),
            ("/spec/recommendations", "{}"),
            ("/spec/unknown", "{}"),
        ],
        "Lease" => &[
            ("/spec", r#"{"leaseDurationSeconds": 0}"#),
            ("/spec", r#"{"leaseTransitions": -1}"#),
            ("/spec", r#"{"unknown": 1}"#),
            ("/spec", r#"{"holderIdentity": 7}"#),
            ("/spec", r#"{"renewTime": "soon"}"#),
        ],
        "Event" => &[
            (
                "/involvedObject",
                r#"{"kind": "Pod", "name": "p", "namespace": "elsewhere"}"#,
            ),
            ("/unknown", "1"),
            ("/count", r#""many""#),
        ],
        "Namespace" => &[("/spec", r#"{"unknown": 1}"#), ("/other", "1")],
        _ => &[
            ("/data", r#"{"a b": "v"}"#),
            ("/data", r#"{"k": 1}"#),
            ("/data", "[]"),
            ("/unknown", "1"),
        ],
    }
}

fn change((pointer, text): &Change) -> (&'static str, Value) {
    (pointer, serde_json::from_str(text).unwrap_or_default())
}

/// Sets a field, and makes the objects on the way to it.
fn apply(object: &mut Value, wanted: &Change) {
    let (pointer, value) = change(wanted);
    let mut place = object;
    for field in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[field];
    }
    *place = value;
}
