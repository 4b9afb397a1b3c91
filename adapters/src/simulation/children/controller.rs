//! One simulated controller: it watches the objects of one kind and plays each one's beats.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, Patch, PatchParams};
use kube::core::{Object, Request};
use kube::runtime::watcher;
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::time::Time;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};

use super::beats::{self, Beat, NOW};
use super::requests::{self, WATCH_RETRY, key};
use super::{Shared, Started};
use crate::kubernetes::api::api_resource;
use crate::kubernetes::calls::collection;

/// How long to wait before a status write that was not answered is tried again.
const WRITE_RETRY: Duration = Duration::from_secs(1);

/// An object as a watch brings it, as far as it is looked at.
type Seen = Object<Option<Value>, Reported>;

/// What is looked at in a status: the phase that was reported before.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Reported {
    phase: Value,
}

/// The object that is worked on under a name.
struct Acting {
    uid: String,
    task: AbortHandle,
}

/// Works on all objects of a kind, for ever.
pub(super) async fn run(shared: Arc<Shared>, kind: ChildKind) {
    let api: Api<Seen> = requests::api(&shared, &api_resource(kind));
    let mut events = std::pin::pin!(watcher::watcher(api, watcher::Config::default()));
    let mut tasks = JoinSet::new();
    let mut acting: BTreeMap<(String, String), Acting> = BTreeMap::new();
    while let Some(event) = events.next().await {
        while tasks.try_join_next().is_some() {}
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let key = key(&object.metadata);
                let uid = object.metadata.uid.clone().unwrap_or_default();
                if kind == ChildKind::KubernetesExecution {
                    report_step(&shared, &object);
                }
                let deleting = object.metadata.deletion_timestamp.is_some();
                match acting.get(&key) {
                    Some(known) if known.uid == uid => {
                        if deleting {
                            known.task.abort();
                        }
                    }
                    Some(_) | None if deleting => {}
                    known => {
                        if let Some(known) = known {
                            known.task.abort();
                        }
                        let task = tasks.spawn(act(Arc::clone(&shared), kind, object));
                        acting.insert(key, Acting { uid, task });
                    }
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                let key = key(&object.metadata);
                let gone = object.metadata.uid.unwrap_or_default();
                if acting.get(&key).is_some_and(|known| known.uid == gone)
                    && let Some(known) = acting.remove(&key)
                {
                    known.task.abort();
                }
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(error) => {
                tracing::debug!(%error, %kind, "a watch of a simulated controller broke off");
                tokio::time::sleep(WATCH_RETRY).await;
            }
        }
    }
}

/// Tells the workflow's controller how a step stands.
fn report_step(shared: &Shared, object: &Seen) {
    if let (Some(owner), Some(step), Some(phase)) =
        (owner(object), spec(object)["step"].as_str(), phase(object))
    {
        shared.requests.report_step(&owner.1, step, phase);
    }
}

/// The object's spec; null where it has none.
fn spec(object: &Seen) -> &Value {
    object.spec.as_ref().unwrap_or(&Value::Null)
}

/// The phase that was reported, if it is a word.
fn phase(object: &Seen) -> Option<&str> {
    object.status.as_ref()?.phase.as_str()
}

/// Name and UID of the request that owns an object.
fn owner(object: &Seen) -> Option<(String, String)> {
    object
        .metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.kind == REQUEST_KIND)
        .map(|owner| (owner.name.clone(), owner.uid.clone()))
}

/// Plays one object's beats to their end.
async fn act(shared: Arc<Shared>, kind: ChildKind, object: Seen) {
    let reported = phase(&object).unwrap_or_default();
    if matches!(reported, "Completed" | "Failed" | "Rejected" | "Sent") {
        return;
    }
    let spec = spec(&object);
    let (namespace, name) = key(&object.metadata);
    let beats = match owner(&object) {
        Some((request, request_uid)) => {
            let views = shared.requests.subscribe(&namespace, &request);
            let found =
                |view: &requests::View| (view.uid == request_uid).then(|| Arc::clone(&view.script));
            let Some(script) = views.find(found).await else {
                return;
            };
            let beats = beats::of(kind, &script, spec);
            let waits = !beats::is_eager(kind, &script, spec);
            if kind.executes() && reported.is_empty() && !beats.is_empty() && waits {
                let uid = object.metadata.uid.clone().unwrap_or_default();
                let not_after = spec["notAfter"]
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .map(Time::at);
                let clock = &shared.options.clock;
                let may_start = views
                    .until(|view| {
                        view.uid == request_uid && view.lets_start(&uid, not_after, clock.now())
                    })
                    .await;
                if !may_start {
                    return;
                }
                let started = Started {
                    kind,
                    namespace: namespace.clone(),
                    name: name.clone(),
                    uid,
                    request_uid,
                    at: clock.now(),
                };
                shared
                    .started
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(started);
            }
            beats
        }
        // Nobody's script: notifications outlive their requests, and are delivered all the same.
        None if kind == ChildKind::NotificationRequest => {
            beats::of(kind, &shared.options.scripts.of("", None), spec)
        }
        None => return,
    };
    let objects = collection(kind.group(), kind.plural(), Some(&namespace));
    for beat in beats::after(beats, reported) {
        let going_on = match beat {
            Beat::Wait(time) => {
                tokio::time::sleep(time).await;
                true
            }
            Beat::Write(status) => write(&shared, &objects, &object, status).await,
            Beat::CountSteps(total) => count_steps(&shared, &objects, &object, total).await,
        };
        if !going_on {
            return;
        }
    }
}

/// Counts completed steps in the status until all are; false where one failed or the object is gone.
async fn count_steps(shared: &Shared, objects: &str, object: &Seen, total: usize) -> bool {
    let Some((_, request_uid)) = owner(object) else {
        return false;
    };
    let steps = shared.requests.subscribe_steps(&request_uid);
    let mut told = 0;
    loop {
        let news = |steps: &requests::Steps| {
            let in_phase = |word: &str| steps.values().filter(|phase| *phase == word).count();
            let (completed, failed) = (in_phase("Completed"), in_phase("Failed"));
            (failed > 0 || completed >= total || completed > told).then_some((completed, failed))
        };
        match steps.find(news).await {
            None | Some((_, 1..)) => return false,
            Some((completed, 0)) if completed >= total => return true,
            Some((completed, 0)) => {
                told = completed;
                if !write(
                    shared,
                    objects,
                    object,
                    json!({ "stepsCompleted": completed }),
                )
                .await
                {
                    return false;
                }
            }
        }
    }
}

/// Merges this into the status of the object, which lies in this collection; false where the object is gone or the API server will never take it.
async fn write(shared: &Shared, objects: &str, object: &Seen, mut status: Value) -> bool {
    stamp(
        &mut status,
        &Time::at(shared.options.clock.now()).to_string(),
    );
    let name = object.metadata.name.as_deref().unwrap_or_default();
    // With the UID, so that another object of the same name is never written to.
    let patch =
        Patch::Merge(json!({ "metadata": { "uid": object.metadata.uid }, "status": status }));
    loop {
        let written = {
            let Ok(_place) = shared.writes.acquire().await else {
                return false;
            };
            let patching = PatchParams::default();
            match Request::new(objects).patch_subresource("status", name, &patching, &patch) {
                // What the object is now, the watch tells.
                Ok(request) => shared.options.client.request::<IgnoredAny>(request).await,
                Err(error) => Err(kube::Error::BuildRequest(error)),
            }
        };
        match written {
            Ok(_) => return true,
            Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => return false,
            Err(kube::Error::Api(answer)) if matches!(answer.code, 400 | 413 | 422) => {
                tracing::warn!(name, %answer, "a simulated controller's status was refused");
                return false;
            }
            Err(error) => {
                tracing::debug!(name, %error, "a simulated controller's status was not written");
                tokio::time::sleep(WRITE_RETRY).await;
            }
        }
    }
}

/// Puts the time wherever [`NOW`] stands for it.
fn stamp(value: &mut Value, now: &str) {
    match value {
        Value::String(text) if text == NOW => now.clone_into(text),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| stamp(entry, now)),
        Value::Object(fields) => fields.values_mut().for_each(|entry| stamp(entry, now)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
