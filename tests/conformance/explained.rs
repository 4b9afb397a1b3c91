//! Differences that are meant to be, each masked by name and as narrowly as can be. The page on conformance gives the
//! reason of each.

use serde_json::Value;

use crate::request::{Body, Step};

/// A difference that is meant to be: where both answers are of its shape, it makes them equal in that one respect.
struct Explained {
    name: &'static str,
    level: fn(&Step, &mut Value, &mut Value) -> bool,
}

const EXPLAINED: &[Explained] = &[
    Explained {
        name: "json-parser-words",
        level: |_, real, simulated| same_up_to(real, simulated, 400, "json parse error: "),
    },
    Explained {
        name: "patch-parser-words",
        level: |step, real, simulated| {
            let unreadable = matches!(step, Step::Send(request)
                if request.method == "PATCH" && matches!(request.body, Body::Text(_)));
            unreadable && same_up_to(real, simulated, 400, "")
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
            selects && same_up_to(real, simulated, 400, "")
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
            let same = causes(real).is_some() && causes(real) == causes(simulated);
            if same {
                for field in ["message", "details"] {
                    simulated["body"][field] = real["body"][field].clone();
                }
            }
            same
        },
    },
    Explained {
        name: "field-selector-words",
        level: |step, real, simulated| {
            let selects = matches!(step, Step::Send(request) | Step::Watch { request, .. }
                if request.parameter("fieldSelector").is_some());
            selects && is_built_in(step) && same_up_to(real, simulated, 400, "")
        },
    },
    Explained {
        name: "conditions-of-ending-namespaces",
        level: |step, real, simulated| {
            let namespaces = matches!(step, Step::Watch { request, .. }
                if request.path == "/api/v1/namespaces");
            if namespaces {
                level_endings(real);
                level_endings(simulated);
            }
            namespaces
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
            if table && built_in {
                strip_table(real);
                strip_table(simulated);
            }
            table && built_in
        },
    },
    Explained {
        name: "decoder-words",
        level: |_, real, simulated| {
            same_up_to(real, simulated, 400, "cannot be handled as a ")
                || same_up_to(real, simulated, 422, "patch: Invalid value: ")
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

fn is_built_in(step: &Step) -> bool {
    match step {
        Step::Send(request) | Step::Watch { request, .. } => !request.path.contains("kubernaut.ai"),
        Step::Settle(_) => false,
    }
}

/// Keeps the first event of a namespace in deletion and the last, without its conditions.
fn level_endings(answer: &mut Value) {
    let Some(events) = answer["events"].as_array_mut() else {
        return;
    };
    let mut ending = Vec::new();
    events.retain(|event| {
        let metadata = &event["object"]["metadata"];
        let repeated = ending.contains(&metadata["uid"]);
        let ends = event["type"] == "MODIFIED" && metadata["deletionTimestamp"].is_string();
        if ends {
            ending.push(metadata["uid"].clone());
        }
        !(ends && repeated)
    });
    for event in events {
        let object = &mut event["object"];
        if object["metadata"]["deletionTimestamp"].is_string() {
            for field in ["spec", "status"] {
                object[field] = Value::Null;
            }
        }
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

/// Makes the answers equal where an explained difference lies, and names those that were met.
pub(crate) fn level(step: &Step, real: &mut Value, simulated: &mut Value) -> Vec<&'static str> {
    EXPLAINED
        .iter()
        .filter(|explained| (explained.level)(step, real, simulated))
        .map(|explained| explained.name)
        .collect()
}
