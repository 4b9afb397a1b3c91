//! Mistakes made on purpose in what the simulated server is asked or answers: a comparison that does not notice each of
//! them within a few hundred sequences would not notice a wrong server.

use futures::StreamExt;
use serde_json::Value;

use crate::{
    compare::compare,
    generate,
    harness::{Failure, Result},
    request::{Body, Request, Step},
    run::{Transcript, run},
    server::{Answer, Server},
    stage::{Pair, new_namespace, simulated},
    story,
};

/// A wrong simulated server: a wrapper around the right one.
pub(crate) struct Tamper {
    pub(crate) name: &'static str,
    /// Changes a request before the simulated server sees it.
    pub(crate) request: fn(&mut Request),
    /// Changes what it answers.
    pub(crate) answer: fn(&Request, &mut Answer),
    /// Changes what a watch has seen.
    pub(crate) events: fn(&mut Vec<Value>),
}

const NOTHING: Tamper = Tamper {
    name: "",
    request: |_| {},
    answer: |_, _| {},
    events: |_| {},
};

const CANARIES: &[Tamper] = &[
    Tamper {
        name: "a lost update is answered with 412",
        answer: |_, answer| {
            if answer.code == 409 && answer.body["reason"] == "Conflict" {
                answer.code = 412;
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a lost update is told as AlreadyExists",
        answer: |_, answer| {
            if answer.body["reason"] == "Conflict" {
                answer.body["reason"] = "AlreadyExists".into();
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a watch misses one MODIFIED event",
        events: |events| lose(events, "MODIFIED"),
        ..NOTHING
    },
    Tamper {
        name: "a watch misses one DELETED event",
        events: |events| lose(events, "DELETED"),
        ..NOTHING
    },
    Tamper {
        name: "a watch tells an event twice",
        events: |events| {
            if let Some(event) = events.first().cloned() {
                events.insert(0, event);
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a watch tells of two versions in the wrong order",
        events: |events| {
            if events.len() > 2 {
                events.swap(0, 1);
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "the preconditions of a deletion are not read",
        request: |request| {
            if let Body::Json(body) = &mut request.body
                && let Some(body) = body.as_object_mut()
            {
                body.remove("preconditions");
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a field selector is ignored",
        request: |request| request.query.retain(|(name, _)| name != "fieldSelector"),
        ..NOTHING
    },
    Tamper {
        name: "a label selector is ignored",
        request: |request| request.query.retain(|(name, _)| name != "labelSelector"),
        ..NOTHING
    },
    Tamper {
        name: "a dry run is run",
        request: |request| request.query.retain(|(name, _)| name != "dryRun"),
        ..NOTHING
    },
    Tamper {
        name: "the limit of a list is ignored",
        request: |request| request.query.retain(|(name, _)| name != "limit"),
        ..NOTHING
    },
    Tamper {
        name: "fieldValidation is ignored",
        request: |request| request.query.retain(|(name, _)| name != "fieldValidation"),
        ..NOTHING
    },
    Tamper {
        name: "a finalizer is dropped as an object is made",
        request: |request| {
            if request.method == "POST"
                && let Body::Json(body) = &mut request.body
                && let Some(metadata) = body["metadata"].as_object_mut()
            {
                metadata.remove("finalizers");
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a write of the status writes the labels too",
        answer: |request, answer| {
            if request.path.ends_with("/status") && request.method == "PUT" && answer.code == 200 {
                answer.body["metadata"]["labels"] = serde_json::json!({"tier": "front"});
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a write that changes nothing makes a new version",
        answer: |request, answer| {
            if request.method == "PATCH" && answer.code == 200 {
                answer.body["metadata"]["resourceVersion"] = "9999999".into();
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "an object is made anew under its old UID",
        answer: |request, answer| {
            if request.method == "POST" && answer.code == 201 {
                let name = answer.body["metadata"]["name"].as_str().unwrap_or_default();
                let digits = name.bytes().map(u32::from).sum::<u32>();
                answer.body["metadata"]["uid"] =
                    format!("{digits:08x}-0000-4000-8000-000000000000").into();
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "an object in deletion has no deletionTimestamp",
        answer: |request, answer| {
            if request.method == "DELETE"
                && let Some(metadata) = answer.body.get_mut("metadata")
                && let Some(metadata) = metadata.as_object_mut()
            {
                metadata.remove("deletionTimestamp");
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "the generation is counted up by every write",
        answer: |request, answer| {
            if request.method == "PATCH"
                && let Some(generation) = answer.body["metadata"]["generation"].as_i64()
            {
                answer.body["metadata"]["generation"] = (generation + 1).into();
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a cause of an invalid object is left out",
        answer: |_, answer| {
            if answer.code == 422
                && let Some(causes) = answer.body.pointer_mut("/details/causes")
                && let Some(causes) = causes.as_array_mut()
            {
                causes.pop();
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a warning is not given",
        answer: |_, answer| {
            answer
                .headers
                .retain(|header| !header.starts_with("warning"));
        },
        ..NOTHING
    },
    Tamper {
        name: "a list tells of its objects in another order",
        answer: |_, answer| {
            if let Some(items) = answer.body.get_mut("items").and_then(Value::as_array_mut) {
                items.reverse();
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "a cell of a table is wrong",
        answer: |_, answer| {
            if let Some(cell) = answer.body.pointer_mut("/rows/0/cells/1") {
                *cell = "wrong".into();
            }
        },
        ..NOTHING
    },
    Tamper {
        name: "an object that cannot be read is told of as another kind",
        answer: |_, answer| {
            if let Some(Value::String(message)) = answer.body.get_mut("message") {
                *message = message.replace("cannot be handled as a ", "cannot be handled as an ");
            }
        },
        ..NOTHING
    },
];

/// Takes one such event out; the last event stays, as it ends the watch.
fn lose(events: &mut Vec<Value>, type_: &str) {
    let end = events.len().saturating_sub(1);
    if let Some(index) = events[..end]
        .iter()
        .position(|event| event["type"] == type_)
    {
        events.remove(index);
    }
}

/// Sequences at most in which every canary must be caught; most are caught within thirty.
const SEQUENCES: u64 = 400;

/// Sequences for which the real server is asked at the same time.
const AT_ONCE: usize = 16;

/// Sequences after which it is seen whether any canary is at large.
const BATCH: u64 = 48;

/// A wrong server, as long as nobody has noticed.
struct AtLarge {
    tamper: &'static Tamper,
    server: Server,
}

/// A sequence and what the real server and the honest one answered.
struct Tried {
    seed: u64,
    steps: Vec<Step>,
    namespace: String,
    real: Transcript,
    honest: Transcript,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_made_on_purpose_is_caught() -> Result {
    let pair = Pair::start().await?;
    let innocent = simulated().await?;
    let mut at_large = Vec::new();
    for tamper in CANARIES {
        let server = simulated().await?;
        at_large.push(AtLarge { tamper, server });
    }
    let mut caught = String::new();
    for first in (1..=SEQUENCES).step_by(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
        let mut batch: Vec<Tried> = futures::stream::iter(first..first + BATCH)
            .map(|seed| tried(&pair, seed))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        batch.sort_by_key(|tried| tried.seed);
        for tried in &batch {
            let Tried {
                seed,
                steps,
                namespace,
                real,
                honest,
            } = tried;
            if compare(steps, real, honest).difference.is_some() {
                // The random sequences' own test tells of it. Here it would catch what it should not.
                continue;
            }
            let wrapped = run(&innocent, steps, namespace, None, Some(&NOTHING)).await;
            if let Some(difference) = compare(steps, real, &wrapped).difference {
                let story = story::tell(steps, &difference);
                return Err(Failure::new(format!("caught without a mistake:\n{story}")));
            }
            let mut left = Vec::new();
            for canary in at_large {
                let wrong = run(&canary.server, steps, namespace, None, Some(canary.tamper)).await;
                if compare(steps, real, &wrong).difference.is_some() {
                    caught.push_str(&format!("  by sequence {seed}: {}\n", canary.tamper.name));
                } else {
                    left.push(canary);
                }
            }
            at_large = left;
            if at_large.is_empty() {
                println!("{} canaries caught:\n{caught}", CANARIES.len());
                return Ok(());
            }
        }
    }
    let names: Vec<&str> = at_large.iter().map(|canary| canary.tamper.name).collect();
    Err(Failure::new(format!(
        "not caught within {SEQUENCES} sequences: {}",
        names.join("; ")
    )))
}

async fn tried(pair: &Pair, seed: u64) -> Tried {
    let steps = generate::sequence(seed);
    let namespace = new_namespace();
    let (real, honest) = pair.run_in(&steps, &namespace).await;
    Tried {
        seed,
        steps,
        namespace,
        real,
        honest,
    }
}
