//! Events have two APIs over one store: the core group's, in which they are kept, and `events.k8s.io`.

use serde_json::{Map, Value};

/// The newer API's group.
pub(crate) const GROUP: &str = "events.k8s.io";

/// Fields by their names in the newer API and in the core one.
const RENAMED: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// From `events.k8s.io` into the form in which it is kept. Another API version is left for the caller to refuse.
pub(crate) fn to_core(event: &mut Value) {
    if event.get("apiVersion").and_then(Value::as_str) == Some("events.k8s.io/v1") {
        rename(event, "v1", RENAMED);
    }
}

/// Into the form of `events.k8s.io`.
pub(crate) fn from_core(event: &mut Value) {
    rename(
        event,
        "events.k8s.io/v1",
        RENAMED.map(|(newer, core)| (core, newer)),
    );
}

/// Fields that are there even when they say nothing.
pub(crate) fn complete(event: &mut Value) {
    let Some(fields) = event.as_object_mut() else {
        return;
    };
    for field in ["eventTime", "firstTimestamp", "lastTimestamp"] {
        fields.entry(field).or_insert(Value::Null);
    }
    fields
        .entry("source")
        .or_insert_with(|| Value::Object(Map::new()));
}

/// A field selector in core terms.
pub(crate) fn core_selector(selector: &str) -> String {
    let requirement = |requirement: &str| match requirement.strip_prefix("regarding.") {
        Some(rest) => format!("involvedObject.{rest}"),
        None => requirement.replacen("reportingController", "reportingComponent", 1),
    };
    selector
        .split(',')
        .map(requirement)
        .collect::<Vec<_>>()
        .join(",")
}

fn rename(event: &mut Value, api_version: &str, names: [(&str, &str); 7]) {
    let Some(fields) = event.as_object_mut() else {
        return;
    };
    fields.insert("apiVersion".to_owned(), api_version.into());
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_comes_back_as_it_was() {
        let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "regarding": {"name": "a"}, "note": "hi"});
        let mut kept = event.clone();
        to_core(&mut kept);
        assert_eq!(
            kept,
            json!({"apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "a"}, "message": "hi"})
        );
        from_core(&mut kept);
        assert_eq!(kept, event);
        assert_eq!(
            core_selector("regarding.name=a,type=Normal"),
            "involvedObject.name=a,type=Normal"
        );
    }
}
