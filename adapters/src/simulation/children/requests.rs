//! What the controllers know of the requests, and the contract: when an executor may start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Api;
use kube::core::Object;
use kube::runtime::watcher;
use remediation_core::phase::Phase;
use remediation_core::status::Status;
use remediation_core::time::Time;
use serde::Deserialize;
use serde_json::Value;

use super::Shared;
use super::script::Script;
use crate::kubernetes::api::request_resource;
use crate::simulation::board::Board;

/// How long to wait before a watch that broke off is begun again.
pub(super) const WATCH_RETRY: Duration = Duration::from_secs(1);

/// What a controller knows of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Empty until the request was seen.
    pub(super) uid: String,
    pub(super) script: Arc<Script>,
    suspended: bool,
    /// The UIDs of the executions that status names in its present phase.
    named: BTreeSet<String>,
    next_deadline: Option<Time>,
}

impl View {
    fn of(object: &Seen, script: Arc<Script>) -> Self {
        // A status that cannot be read names nothing, so that nothing starts from it.
        let status = object.status.as_ref();
        let status = status.and_then(|status| Status::deserialize(status).ok());
        let status = status.unwrap_or_default();
        Self {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            script,
            suspended: object
                .spec
                .as_ref()
                .is_some_and(|spec| spec.suspend == true),
            named: named(&status),
            next_deadline: status.next_deadline,
        }
    }

    /// The child contract: an executor starts only when the request's status names its UID in the present phase,
    /// while the request is not suspended, and never after the later of its own `notAfter` and the request's
    /// `nextDeadline`.
    pub(super) fn lets_start(&self, uid: &str, not_after: Option<Time>, now: Timestamp) -> bool {
        let latest = not_after.max(self.next_deadline);
        self.named.contains(uid)
            && !self.suspended
            && latest.is_none_or(|latest| now <= latest.moment())
    }
}

fn named(status: &Status) -> BTreeSet<String> {
    let workflow = || {
        status
            .workflow_execution_ref
            .iter()
            .map(|named| named.uid.clone())
    };
    match status.known_phase() {
        Some(Phase::WorkflowPlanning) => workflow().collect(),
        Some(Phase::Executing) => workflow()
            .chain(
                status
                    .kubernetes_execution_refs
                    .iter()
                    .map(|named| named.uid.clone()),
            )
            .collect(),
        Some(
            Phase::Pending
            | Phase::Initializing
            | Phase::Processing
            | Phase::Analyzing
            | Phase::Completed
            | Phase::Failed,
        )
        | None => BTreeSet::new(),
    }
}

/// The phase words of a request's KubernetesExecutions, by step.
pub(super) type Steps = BTreeMap<String, String>;

type Views = BTreeMap<(String, String), Arc<Board<View>>>;

/// All that is known of the requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// By namespace and name.
    views: Mutex<Views>,
    /// By the request's UID.
    steps: Mutex<BTreeMap<String, Arc<Board<Steps>>>>,
}

impl Requests {
    /// What is known of the request of this name, now and later.
    pub(super) fn subscribe(&self, namespace: &str, name: &str) -> Arc<Board<View>> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views
            .entry((namespace.to_owned(), name.to_owned()))
            .or_default()
            .clone()
    }

    /// What is known of the steps of the request of this UID, now and later.
    pub(super) fn subscribe_steps(&self, uid: &str) -> Arc<Board<Steps>> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.entry(uid.to_owned()).or_default().clone()
    }

    /// A KubernetesExecution of this request reported this phase.
    pub(super) fn report_step(&self, request_uid: &str, step: &str, phase: &str) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps
            .entry(request_uid.to_owned())
            .or_default()
            .change(|steps| {
                steps.insert(step.to_owned(), phase.to_owned());
            });
    }

    fn learn(&self, namespace: &str, name: &str, view: View) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views
            .entry((namespace.to_owned(), name.to_owned()))
            .or_default()
            .change(|known| *known = view);
    }

    fn forget(&self, namespace: &str, name: &str, uid: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = views.remove(&key) {
            view.close();
        }
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(steps) = steps.remove(uid) {
            steps.close();
        }
    }
}

/// Keeps what is known of the requests up to date, for ever.
pub(super) async fn watch(shared: Arc<Shared>) {
    let api: Api<Seen> = api(&shared, &request_resource());
    let mut events = std::pin::pin!(watcher::watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let (namespace, name) = key(&object.metadata);
                let script = shared
                    .options
                    .scripts
                    .of(&name, object.metadata.annotations.as_ref());
                let view = View::of(&object, script);
                shared.requests.learn(&namespace, &name, view);
            }
            Ok(watcher::Event::Delete(object)) => {
                let (namespace, name) = key(&object.metadata);
                let uid = object.metadata.uid.unwrap_or_default();
                shared.requests.forget(&namespace, &name, &uid);
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(error) => {
                tracing::debug!(%error, "the watch of the requests broke off");
                tokio::time::sleep(WATCH_RETRY).await;
            }
        }
    }
}

/// A request as a watch brings it, as far as it is looked at.
type Seen = Object<Option<Asked>, Value>;

/// What is looked at in the spec of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    suspend: Value,
}

/// The namespace and name of an object.
pub(super) fn key(metadata: &ObjectMeta) -> (String, String) {
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

/// The objects of a kind that the controllers look after.
pub(super) fn api<P: Clone, U: Clone>(
    shared: &Shared,
    resource: &kube::api::ApiResource,
) -> Api<Object<P, U>> {
    let client = shared.options.client.clone();
    match &shared.options.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, resource),
        None => Api::all_with(client, resource),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(spec: &serde_json::Value, status: &serde_json::Value) -> View {
        let object = serde_json::from_value(json!({
            "apiVersion": "remediation.kubernaut.ai/v1alpha1", "kind": "RemediationRequest",
            "metadata": { "name": "web", "namespace": "shop", "uid": "rr-1" },
            "spec": spec, "status": status,
        }))
        .unwrap();
        View::of(&object, Arc::default())
    }

    fn executing() -> serde_json::Value {
        json!({
            "phase": "Executing",
            "workflowExecutionRef": { "name": "web-workflow", "uid": "w" },
            "kubernetesExecutionRefs": [{ "step": "a", "name": "web-execution-a", "uid": "k" }],
            "nextDeadline": "2026-03-01T12:00:00.000Z",
        })
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_executor_starts_only_when_status_names_its_uid_in_the_present_phase() {
        let now = at("2026-03-01T11:00:00Z");
        let named = view(&json!({}), &executing());
        assert!(named.lets_start("w", None, now));
        assert!(named.lets_start("k", None, now));
        assert!(!named.lets_start("other", None, now));
        let mut status = executing();
        status["phase"] = json!("WorkflowPlanning");
        let planning = view(&json!({}), &status);
        assert!(planning.lets_start("w", None, now) && !planning.lets_start("k", None, now));
        for over in ["Failed", "Completed", "Analyzing", "Hibernating"] {
            status["phase"] = json!(over);
            assert!(
                !view(&json!({}), &status).lets_start("w", None, now),
                "{over}"
            );
        }
        assert!(!view(&json!({}), &json!("garbage")).lets_start("w", None, now));
    }

    #[test]
    fn an_executor_does_not_start_while_the_request_is_suspended() {
        let now = at("2026-03-01T11:00:00Z");
        assert!(!view(&json!({ "suspend": true }), &executing()).lets_start("w", None, now));
    }

    #[test]
    fn an_executor_never_starts_after_the_later_of_both_deadlines() {
        let named = view(&json!({}), &executing());
        let earlier = Some(Time::at(at("2026-03-01T11:00:00Z")));
        let later = Some(Time::at(at("2026-03-01T13:00:00Z")));
        assert!(named.lets_start("w", earlier, at("2026-03-01T12:00:00Z")));
        assert!(!named.lets_start("w", earlier, at("2026-03-01T12:00:00.001Z")));
        assert!(named.lets_start("w", later, at("2026-03-01T12:59:59Z")));
        assert!(!named.lets_start("w", later, at("2026-03-01T13:00:00.001Z")));
    }
}
