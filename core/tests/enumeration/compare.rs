//! Whether an answer is what was forecast: equal in everything but texts for people, which must contain what was forecast.

use remediation_core::action::{Action, ChildSpec, NewChild};
use remediation_core::status::Status;

/// The first difference, in words. Each text of the forecast that the answer's contains becomes the answer's, so that the
/// rest can be compared as a whole.
pub(crate) fn difference(forecast: &mut [Action], answer: &[Action]) -> Option<String> {
    for (n, (forecast, answer)) in forecast.iter_mut().zip(answer).enumerate() {
        if let Some(what) = between(forecast, answer) {
            return Some(format!("action {n}: {what}"));
        }
    }
    match forecast.len().cmp(&answer.len()) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some(format!(
            "action {} is too much: {}",
            forecast.len(),
            kind(&answer[forecast.len()])
        )),
        std::cmp::Ordering::Greater => Some(format!(
            "action {} is missing: {}",
            answer.len(),
            kind(&forecast[answer.len()])
        )),
    }
}

/// The actions in short.
pub(crate) fn shown(actions: &[Action]) -> String {
    actions.iter().map(kind).collect::<Vec<_>>().join(", ")
}

fn kind(action: &Action) -> String {
    match action {
        Action::Create(new) => format!("Create {}", new.key),
        Action::Record(record) => format!("Record {:?}", record.path),
        Action::Read(key) => format!("Read {key}"),
        Action::RestoreOwnership(seen) => format!("RestoreOwnership {}", seen.key),
        Action::DeleteChild(seen) => format!("DeleteChild {}", seen.key),
        Action::DeleteRequest => "DeleteRequest".into(),
        Action::Announce(event) => format!("Announce {}", event.reason),
        Action::WakeAt(moment) => format!("WakeAt {moment}"),
    }
}

fn between(forecast: &mut Action, answer: &Action) -> Option<String> {
    match (forecast, answer) {
        (Action::Record(forecast), Action::Record(answer)) => {
            if forecast.path != answer.path {
                return Some(format!("path {:?}, not {:?}", answer.path, forecast.path));
            }
            of_status(&mut forecast.status, &answer.status)
        }
        (Action::Create(forecast), Action::Create(answer)) => of_child(forecast, answer),
        (Action::Announce(forecast), Action::Announce(answer)) => {
            let same = (forecast.severity, forecast.reason) == (answer.severity, answer.reason);
            if !same {
                return Some(format!(
                    "announces {}, not {}",
                    answer.reason, forecast.reason
                ));
            }
            contains("note", &mut forecast.note, &answer.note)
        }
        (forecast, answer) if forecast == answer => None,
        (forecast, answer) => Some(format!("{}, not {}", kind(answer), kind(forecast))),
    }
}

fn contains(what: &str, part: &mut String, whole: &str) -> Option<String> {
    if !whole.contains(part.as_str()) {
        return Some(format!("{what} `{whole}` does not contain `{part}`"));
    }
    whole.clone_into(part);
    None
}

fn of_child(forecast: &mut NewChild, answer: &NewChild) -> Option<String> {
    if (&forecast.key, &forecast.labels) != (&answer.key, &answer.labels) {
        return Some(format!(
            "creates {} with {:?}, not {}",
            answer.key, answer.labels, forecast.key
        ));
    }
    if let (ChildSpec::Notification(forecast), ChildSpec::Notification(answer)) =
        (&mut forecast.spec, &answer.spec)
    {
        let texts = contains("subject", &mut forecast.subject, &answer.subject)
            .or_else(|| contains("body", &mut forecast.body, &answer.body));
        if texts.is_some() {
            return texts;
        }
    }
    let (forecast, answer) = (&forecast.spec, &answer.spec);
    (forecast != answer).then(|| format!("spec {answer:?}, not {forecast:?}"))
}

/// Compares two statuses. The texts are compared by what they contain.
fn of_status(forecast: &mut Status, answer: &Status) -> Option<String> {
    match (&mut forecast.message, &answer.message) {
        (Some(forecast), Some(answer)) => {
            if let Some(what) = contains("message", forecast, answer) {
                return Some(what);
            }
        }
        (None, None) => {}
        (forecast, answer) => return Some(format!("message {answer:?}, not {forecast:?}")),
    }
    // Conditions are a map by their type: their order says nothing.
    let place = |kind: &str| answer.conditions.iter().position(|c| c.kind == kind);
    forecast.conditions.sort_by_key(|c| place(&c.kind));
    for (forecast, answer) in forecast.conditions.iter_mut().zip(&answer.conditions) {
        if forecast.kind != answer.kind {
            break;
        }
        if let Some(what) = contains("condition", &mut forecast.message, &answer.message) {
            return Some(what);
        }
    }
    for (forecast, answer) in forecast.history.iter_mut().zip(&answer.history) {
        if let Some(what) = contains("history", &mut forecast.message, &answer.message) {
            return Some(what);
        }
    }
    (forecast != answer).then(|| fields(forecast, answer))
}

/// The fields that differ.
fn fields(forecast: &Status, answer: &Status) -> String {
    let tree = |status: &Status| serde_json::to_value(status).unwrap();
    let (forecast, answer) = (tree(forecast), tree(answer));
    let mut keys: Vec<&String> = forecast
        .as_object()
        .into_iter()
        .chain(answer.as_object())
        .flat_map(|o| o.keys())
        .collect();
    keys.sort();
    keys.dedup();
    let differs = keys
        .into_iter()
        .filter(|key| forecast.get(key.as_str()) != answer.get(key.as_str()));
    let show = |key: &String| {
        let of = |tree: &serde_json::Value| {
            tree.get(key.as_str())
                .map_or("none".into(), ToString::to_string)
        };
        format!("{key}: {}, not {}", of(&answer), of(&forecast))
    };
    differs.map(show).collect::<Vec<_>>().join("; ")
}
