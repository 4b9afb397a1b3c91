//! Runs a sequence on one server and writes down everything that a client saw.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    canaries::Tamper,
    memory::Memory,
    request::{Request, Step},
    server::{Answer, Server, Stream},
};

/// How long the real controllers may take to reach the state that the simulated ones have reached.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

/// Stands in the place of the event that should have ended a watch.
pub(crate) const UNMARKED: &str = "the end, before the mark was seen";

/// What came of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Answered(Answer),
    /// The events of a watch, up to the one with its mark, in order.
    Watched(Vec<Value>),
    /// What was left in each collection, one line an object.
    Settled(Vec<String>),
}

/// What came of each step, in their order.
pub(crate) type Transcript = Vec<Outcome>;

/// Runs the steps in a namespace that must not exist yet. `expected` is a transcript of the same steps: what it says
/// of settled states is waited for.
pub(crate) async fn run(
    server: &Server,
    steps: &[Step],
    namespace: &str,
    expected: Option<&Transcript>,
    tamper: Option<&Tamper>,
) -> Transcript {
    let mut memory = Memory::new(namespace);
    let none = Memory::new(namespace);
    let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    let made = server
        .send(&Request::post("/api/v1/namespaces", own), &none)
        .await;
    memory.learn(&made.body);
    let mut transcript = Transcript::new();
    let mut watches: Vec<(usize, Stream, &str)> = Vec::new();
    let mut ends: Vec<&Request> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let outcome = match step {
            Step::Send(request) => {
                let answer = send(server, request, &mut memory, tamper).await;
                Outcome::Answered(answer)
            }
            Step::Watch {
                request,
                closing,
                mark,
            } => {
                let tampered = tampered(request, tamper);
                match server.watch(&tampered, &memory).await {
                    Ok(stream) => {
                        watches.push((index, stream, mark));
                        ends.extend(closing);
                        Outcome::Watched(Vec::new())
                    }
                    Err(answer) => Outcome::Answered(answer),
                }
            }
            Step::Settle(collections) => {
                let goal = expected.and_then(|transcript| transcript.get(index));
                Outcome::Settled(settle(server, collections, &memory, goal).await)
            }
        };
        transcript.push(outcome);
    }
    for request in ends {
        server.send(request, &memory).await;
    }
    for (index, mut stream, mark) in watches {
        let mut events = watched(server, &mut stream, mark).await;
        if let Some(tamper) = tamper {
            (tamper.events)(&mut events);
        }
        transcript[index] = Outcome::Watched(events);
    }
    transcript
}

async fn send(
    server: &Server,
    request: &Request,
    memory: &mut Memory,
    tamper: Option<&Tamper>,
) -> Answer {
    let tampered = tampered(request, tamper);
    let mut answer = server.send(&tampered, memory).await;
    if let Some(tamper) = tamper {
        (tamper.answer)(request, &mut answer);
    }
    if (200..300).contains(&answer.code) && !request.is_dry_run() {
        memory.learn(&answer.body);
    }
    answer
}

fn tampered(request: &Request, tamper: Option<&Tamper>) -> Request {
    let mut request = request.clone();
    if let Some(tamper) = tamper {
        (tamper.request)(&mut request);
    }
    request
}

/// All events up to the marked one.
async fn watched(server: &Server, stream: &mut Stream, mark: &str) -> Vec<Value> {
    let mark = json!({"mark": mark}).to_string();
    let mark = mark.trim_matches(['{', '}']).to_owned();
    let mut events = Vec::new();
    while let Some(event) = server.next_event(stream).await {
        let last = event["type"] != "DELETED" && event.to_string().contains(&mark);
        events.push(event);
        if last {
            return events;
        }
    }
    events.push(json!(UNMARKED));
    events
}

async fn settle(
    server: &Server,
    collections: &[String],
    memory: &Memory,
    goal: Option<&Outcome>,
) -> Vec<String> {
    if let Server::Simulated(simulated, _) = server {
        simulated.collect_garbage();
        let mut state = Vec::new();
        for collection in collections {
            state.extend(contents(server, collection, memory).await.0);
        }
        return state;
    }
    barrier(server, memory).await;
    let deadline = Instant::now() + SETTLE_DEADLINE;
    loop {
        let mut state = Vec::new();
        let mut versions = Vec::new();
        for collection in collections {
            let (lines, version) = contents(server, collection, memory).await;
            state.extend(lines);
            versions.push((collection, version));
        }
        let reached = goal.is_none_or(|goal| *goal == Outcome::Settled(state.clone()));
        if reached || Instant::now() > deadline {
            return state;
        }
        next_change(server, &versions, memory).await;
    }
}

/// Has the real garbage collector delete an object made for that, so that it has looked at what came before.
async fn barrier(server: &Server, memory: &Memory) {
    let collection = "/api/v1/namespaces/{ns}/secrets";
    let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "barrier", "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "b0000000-0000-4000-8000-000000000000"},
    ]}});
    let made = server.send(&Request::post(collection, body), memory).await;
    if made.code != 201 {
        return;
    }
    let version = made.body["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    let watch = Request::get(collection)
        .query("watch", "1")
        .query("resourceVersion", version)
        .query("timeoutSeconds", "30")
        .query("fieldSelector", "metadata.name=barrier");
    if let Ok(mut stream) = server.watch(&watch, memory).await {
        while let Some(event) = server.next_event(&mut stream).await {
            if event["type"] == "DELETED" {
                return;
            }
        }
    }
}

/// One line for each object, and the resourceVersion of the list.
async fn contents(server: &Server, collection: &str, memory: &Memory) -> (Vec<String>, String) {
    let list = match collection.split_once('?') {
        Some((path, selector)) => Request::get(path).query("labelSelector", selector),
        None => Request::get(collection),
    };
    let answer = server.send(&list, memory).await;
    let version = answer.body["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let none = Vec::new();
    let items = answer.body["items"].as_array().unwrap_or(&none);
    let lines = items.iter().map(|item| {
        let metadata = &item["metadata"];
        let owners: Vec<&Value> = metadata["ownerReferences"]
            .as_array()
            .unwrap_or(&none)
            .iter()
            .map(|owner| &owner["name"])
            .collect();
        // Of a namespace; it loses them as it is found empty.
        let kept = &item["spec"]["finalizers"];
        format!(
            "{} deleting={} finalizers={} kept={kept} owners={owners:?}",
            metadata["name"],
            metadata.get("deletionTimestamp").is_some(),
            metadata["finalizers"],
        )
    });
    (lines.collect(), version)
}

/// Waits for an event in any of the collections, at most for seconds.
async fn next_change(server: &Server, versions: &[(&String, String)], memory: &Memory) {
    let waits = versions.iter().map(|(collection, version)| {
        let (path, selector) = collection
            .split_once('?')
            .unwrap_or((collection.as_str(), ""));
        let watch = Request::get(path)
            .query("watch", "1")
            .query("labelSelector", selector)
            .query("resourceVersion", version)
            .query("timeoutSeconds", "5");
        Box::pin(async move {
            if let Ok(mut stream) = server.watch(&watch, memory).await {
                server.next_event(&mut stream).await;
            }
        })
    });
    futures::future::select_all(waits).await;
}
