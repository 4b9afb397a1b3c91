//! Whether an answer is what was forecast: equal in everything but texts for people, which must contain what was forecast.

use remediation_core::action::{Action, ChildSpec, NewChild, NotificationSpec};
use remediation_core::status::Status;

/// The first difference, in words.
pub(crate) fn difference(forecast: &[Action], answer: &[Action]) -> Option<String> {
    for (n, pair) in forecast.iter().zip(answer).enumerate() {
        if let Some(what) = between(pair.0, pair.1) {
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

fn between(forecast: &Action, answer: &Action) -> Option<String> {
    match (forecast, answer) {
        (Action::Record(forecast), Action::Record(answer)) => {
            if forecast.path != answer.path {
                return Some(format!("path {:?}, not {:?}", answer.path, forecast.path));
            }
            of_status(&forecast.status, &answer.status)
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
            contains("note", &forecast.note, &answer.note)
        }
        (forecast, answer) if forecast == answer => None,
        (forecast, answer) => Some(format!("{}, not {}", kind(answer), kind(forecast))),
    }
}

fn contains(what: &str, part: &str, whole: &str) -> Option<String> {
    (!whole.contains(part)).then(|| format!("{what} `{whole}` does not contain `{part}`"))
}

fn of_child(forecast: &NewChild, answer: &NewChild) -> Option<String> {
    if (&forecast.key, &forecast.labels) != (&answer.key, &answer.labels) {
        return Some(format!(
            "creates {} with {:?}, not {}",
            answer.key, answer.labels, forecast.key
        ));
    }
    match (&forecast.spec, &answer.spec) {
        (ChildSpec::Notification(forecast), ChildSpec::Notification(answer)) => {
            let masked = NotificationSpec {
                subject: forecast.subject.clone(),
                body: forecast.body.clone(),
                ..answer.clone()
            };
            if masked != *forecast {
                return Some(format!("tells {answer:?}, not {forecast:?}"));
            }
            contains("subject", &forecast.subject, &answer.subject)
                .or_else(|| contains("body", &forecast.body, &answer.body))
        }
        (forecast, answer) if forecast == answer => None,
        (forecast, answer) => Some(format!("spec {answer:?}, not {forecast:?}")),
    }
}

/// Compares two statuses. The texts are compared by what they contain.
fn of_status(forecast: &Status, answer: &Status) -> Option<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    if forecast.message.is_some() != answer.message.is_some() {
        return Some(format!(
            "message {:?}, not {:?}",
            answer.message, forecast.message
        ));
    }
    let mut masked = answer.clone();
    // Conditions are a map by their type: their order says nothing.
    let mut forecast = forecast.clone();
    forecast.conditions.sort_by(|a, b| a.kind.cmp(&b.kind));
    masked.conditions.sort_by(|a, b| a.kind.cmp(&b.kind));
    let forecast = &forecast;
    if let Some(what) = contains("message", &text(&forecast.message), &text(&answer.message)) {
        return Some(what);
    }
    masked.message.clone_from(&forecast.message);
    for (forecast, answer) in forecast.conditions.iter().zip(&mut masked.conditions) {
        if forecast.kind != answer.kind {
            break;
        }
        if let Some(what) = contains("condition", &forecast.message, &answer.message) {
            return Some(what);
        }
        answer.message.clone_from(&forecast.message);
    }
    for (forecast, answer) in forecast.history.iter().zip(&mut masked.history) {
        if let Some(what) = contains("history", &forecast.message, &answer.message) {
            return Some(what);
        }
        answer.message.clone_from(&forecast.message);
    }
    (masked != *forecast).then(|| fields(forecast, &masked))
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
