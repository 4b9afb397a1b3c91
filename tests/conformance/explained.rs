//! Differences that are meant to be, each masked by name and as narrowly as can be. The page on conformance gives the
//! reason of each.

use serde_json::Value;

use crate::request::{Body, Step};

/// A difference that is meant to be: where both answers are of its shape, it makes them equal in that one respect.
struct Explained {
    name: &'static str,
    level: fn(&Step, &mut Value, &mut Value) -> bool,
}

/// Comes once in thousands of sequences, so that a thousand need not meet it.
const RARE: &str = "headers-of-watched-tables";

const EXPLAINED: &[Explained] = &[
    Explained {
        name: RARE,
        level: |_, real, _| {
            let events = real.get_mut("events").and_then(Value::as_array_mut);
            let mut events = events.into_iter().flatten();
            let columns = |event: &Value| event["object"]["columnDefinitions"].clone();
            let Some(first) = events.next().map(|first| columns(first)) else {
                return false;
            };
            let mut repeated = false;
            for event in events.filter(|event| first.is_array() && columns(event) == first) {
                event["object"]["columnDefinitions"] = Value::Null;
                repeated = true;
            }
            repeated
        },
    },
    Explained {
        name: "json-parser-words",
        level: |_, real, simulated| same_up_to(real, simulated, 400, "json parse error: "),
    },
    Explained {
        name: "patch-parser-words",
        level: |step, real, simulated| {
            let unreadable = matches!(step, Step::Send(request)
                if request.method == "PATCH" && matches!(request.body, Body::Text(_)));
            let why = "error decoding patch: ";
            let real_words = [why, "Invalid JSON Patch", "unexpected end of JSON input"];
            let both = begins(real, &real_words) && begins(simulated, &[why]);
            unreadable && both && same_up_to(real, simulated, 400, "")
        },
    },
    Explained {
        name: "continue-token-words",
        level: |_, real, simulated| same_up_to(real, simulated, 400, "continue key is not valid"),
    },
    Explained {
        name: "label-selector-words",
        level: |step, real, simulated| {
            let selects = matches!(step, Step::Send(request) | Step::Watch { request, .. }
                if request.parameter("labelSelector").is_some());
            let why = "unable to parse requirement: ";
            let both = begins(real, &[why, "found '"]) && begins(simulated, &[why]);
            selects && both && same_up_to(real, simulated, 400, "")
        },
    },
    Explained {
        name: "order-of-causes",
        level: |step, real, simulated| {
            let built_in = is_built_in(step);
            let causes = |answer: &Value| {
                let causes = answer.pointer("/body/details/causes")?.as_array()?;
                let mut causes: Vec<String> = causes.iter().map(Value::to_string).collect();
                causes.sort();
                if built_in {
                    // Of these, a real server repeats some twice, and others three times.
                    causes.dedup();
                }
                Some(causes)
            };
            // But for the order, both tell the same of the same object.
            let about = |answer: &Value| {
                let mut message: Vec<char> = answer["body"]["message"].as_str()?.chars().collect();
                message.sort_unstable();
                let mut details = answer["body"]["details"].clone();
                details.as_object_mut()?.remove("causes");
                Some((message, details))
            };
            let same = causes(real).is_some()
                && causes(real) == causes(simulated)
                && about(real) == about(simulated);
            if same {
                for field in ["message", "details"] {
                    simulated["body"][field] = real["body"][field].clone();
                }
            }
            same
        },
    },
    Explained {
        name: "tables-of-built-in-kinds",
        level: |step, real, simulated| {
            let (Step::Send(request) | Step::Watch { request, .. }) = step else {
                return false;
            };
            let table = request
                .accept
                .as_deref()
                .is_some_and(|form| form.contains("as=Table"));
            let built_in = !request.path.contains("kubernaut.ai");
            let refused = real["code"].as_u64().is_some_and(|code| code >= 300);
            if table && built_in && !refused {
                strip_table(real);
                strip_table(simulated);
            }
            table && built_in && !refused
        },
    },
    Explained {
        name: "conditions-of-ending-namespaces",
        level: |step, real, simulated| {
            let (Step::Send(request) | Step::Watch { request, .. }) = step else {
                return false;
            };
            let about = "/api/v1/namespaces";
            let namespaces = request.path.strip_prefix(about);
            let namespaces = namespaces.map(|rest| rest.trim_end_matches("/status"));
            let of_content = namespaces.is_none_or(|rest| rest.matches('/').count() > 1);
            if of_content {
                return false;
            }
            let before = real.clone();
            for answer in [&mut *real, simulated] {
                level_endings(answer);
                answer.get_mut("body").map(strip_conditions);
                let items = answer.pointer_mut("/body/items");
                for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
                    strip_conditions(item);
                }
            }
            *real != before
        },
    },
    Explained {
        name: "storage-version-hash",
        level: |_, real, _| {
            let list = real
                .pointer_mut("/body/resources")
                .and_then(Value::as_array_mut);
            let mut found = false;
            for entry in list.into_iter().flatten().filter_map(Value::as_object_mut) {
                found |= entry.remove("storageVersionHash").is_some();
            }
            found
        },
    },
    Explained {
        name: "decoder-words",
        level: |_, real, simulated| {
            // Behind the patched object; of unknown fields both must tell in the same words.
            let told = |answer: &Value| {
                let message = answer["body"]["message"].as_str().unwrap_or_default();
                let start = message.rfind("strict decoding error: ");
                start.map(|start| message[start..].to_owned())
            };
            let same = told(real) == told(simulated);
            let begins = |answer: &Value, sorts: &[&str]| {
                let message = answer["body"]["message"].as_str().unwrap_or_default();
                let detail = message.split_once("cannot be handled as a ");
                let detail = detail.and_then(|(_, detail)| detail.split_once(": "));
                detail.is_some_and(|(_, detail)| sorts.iter().any(|sort| detail.starts_with(sort)))
            };
            let unread =
                begins(real, &["json: ", "parsing time "]) && begins(simulated, &["json: "]);
            (unread && same_up_to(real, simulated, 400, "cannot be handled as a "))
                || (same && same_up_to(real, simulated, 422, "patch: Invalid value: "))
        },
    },
    Explained {
        name: "discovery-order",
        level: |step, real, simulated| {
            let sorted = |answer: &mut Value| {
                if let Some(list) = answer.pointer_mut("/body/resources") {
                    for list in list.as_array_mut().into_iter() {
                        list.sort_by_key(|entry| entry["name"].to_string());
                        let verbs = list
                            .iter_mut()
                            .filter_map(|entry| entry["verbs"].as_array_mut());
                        verbs.for_each(|verbs| verbs.sort_by_key(Value::to_string));
                    }
                }
            };
            let discovery = matches!(step, Step::Send(request) if request.method == "GET");
            if discovery {
                sorted(real);
                sorted(simulated);
            }
            discovery && real["body"]["kind"] == "APIResourceList"
        },
    },
    Explained {
        name: "server-address",
        level: |_, real, simulated| {
            let place = "/body/serverAddressByClientCIDRs/0/serverAddress";
            match (real.pointer(place).cloned(), simulated.pointer_mut(place)) {
                (Some(address), Some(simulated)) => {
                    *simulated = address;
                    true
                }
                _ => false,
            }
        },
    },
];

/// The message begins with one of these.
fn begins(answer: &Value, beginnings: &[&str]) -> bool {
    let message = answer["body"]["message"].as_str().unwrap_or_default();
    beginnings
        .iter()
        .any(|beginning| message.starts_with(beginning))
}

fn is_built_in(step: &Step) -> bool {
    match step {
        Step::Send(request) | Step::Watch { request, .. } => !request.path.contains("kubernaut.ai"),
        Step::Settle(_) => false,
    }
}

/// Takes out the events of a namespace in deletion that tell of nothing but its conditions.
fn level_endings(answer: &mut Value) {
    let Some(events) = answer.get_mut("events").and_then(Value::as_array_mut) else {
        return;
    };
    for event in events.iter_mut() {
        let gone = event["type"] == "DELETED";
        let Some(object) = event.get_mut("object").filter(|object| object.is_object()) else {
            continue;
        };
        strip_conditions(object);
        let rows = object.get_mut("rows").and_then(Value::as_array_mut);
        for row in rows.into_iter().flatten() {
            row.get_mut("object").map(strip_conditions);
        }
        if gone {
            // The last finalizer has been taken out of it.
            object["spec"] = Value::Null;
        }
    }
    // They come object by object: controllers act in between.
    let mut last = Value::Null;
    events.retain(|event| {
        let object = &event["object"];
        let ends = [object, &object["rows"][0]["object"]]
            .iter()
            .any(|object| object["metadata"]["deletionTimestamp"].is_string());
        let repeated = event["type"] == "MODIFIED" && *object == last;
        last = object.clone();
        !(repeated && ends)
    });
}

/// A namespace in deletion, without the conditions that tell how far it is.
fn strip_conditions(namespace: &mut Value) {
    let ending = namespace
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(Value::is_string);
    if ending && let Some(status) = namespace.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("conditions");
    }
}

/// Takes the columns and the cells out of all tables.
fn strip_table(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|field, _| field != "columnDefinitions" && field != "cells");
            map.values_mut().for_each(strip_table);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_table),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Both messages are the same up to and with `text`; what follows is the parser's own. Levels it, and the cause that
/// repeats it.
fn same_up_to(real: &mut Value, simulated: &mut Value, code: u16, text: &str) -> bool {
    let message = |answer: &Value| answer["body"]["message"].as_str().map(str::to_owned);
    let (Some(left), Some(right)) = (message(real), message(simulated)) else {
        return false;
    };
    let cut = |message: &str| {
        let end = message.find(text)? + text.len();
        Some(message[..end].to_owned())
    };
    let same = real["code"] == code && simulated["code"] == code && cut(&left).is_some();
    if !same || cut(&left) != cut(&right) || left == right {
        return false;
    }
    for place in ["/body/message", "/body/details/causes/0/message"] {
        let words = real.pointer(place).cloned();
        if let (Some(words), Some(place)) = (words, simulated.pointer_mut(place)) {
            *place = words;
        }
    }
    true
}

/// The names of the explained differences that a thousand sequences meet.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let names = EXPLAINED.iter().map(|explained| explained.name);
    names.filter(|name| *name != RARE)
}

/// Makes the answers equal where an explained difference lies, and names those that were met.
pub(crate) fn level(step: &Step, real: &mut Value, simulated: &mut Value) -> Vec<&'static str> {
    EXPLAINED
        .iter()
        .filter(|explained| (explained.level)(step, real, simulated))
        .map(|explained| explained.name)
        .collect()
}
