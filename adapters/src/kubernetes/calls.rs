//! The calls of the executor, as a port, and their implementation over HTTP: one call, one request (giving
//! ownership back takes a read before it). Nothing here retries or waits: that is the core's decision.

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use kube::Client;
use kube::api::{DeleteParams, GetParams, Patch, PatchParams, PostParams, Preconditions};
use kube::client::Body;
use kube::core::Request as Requests;
use kube::core::params::PropagationPolicy;
use remediation_core::action::{NewChild, Precondition};
use remediation_core::children::ChildKey;
use remediation_core::error::ApiFailure;
use remediation_core::kind::{
    API_VERSION, ChildKind, REQUEST_GROUP, REQUEST_KIND, REQUEST_LABEL, REQUEST_PLURAL,
    REQUEST_UID_LABEL,
};
use remediation_core::pass::{Call, Outcome, RecordCall};
use remediation_core::request::Identity;
use remediation_core::{names, status};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{failure, read};

/// The name under which the API server records who wrote a field.
pub const FIELD_MANAGER: &str = "remediation-orchestrator";

/// The API server, as the executor sees it.
pub trait Calls: Send + Sync + 'static {
    /// Makes this call on behalf of this request, once.
    fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome>;
}

/// What a call does, in the words of a role: for metrics, and for what a 403 tells people.
#[must_use]
pub fn verb_and_resource(call: &Call) -> (&'static str, &'static str) {
    match call {
        Call::Create(child) => ("create", child.key.kind.plural()),
        Call::Record(_) => ("patch", "remediationrequests/status"),
        Call::Read(key) => ("get", key.kind.plural()),
        Call::ReadRequest => ("get", REQUEST_PLURAL),
        Call::RestoreOwnership(child) => ("patch", child.key.kind.plural()),
        Call::DeleteChild(child) => ("delete", child.key.kind.plural()),
        Call::DeleteRequest { .. } => ("delete", REQUEST_PLURAL),
    }
}

/// The path of a collection: `/apis/<group>/v1alpha1[/namespaces/<namespace>]/<plural>`.
#[must_use]
pub fn collection(group: &str, plural: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("/apis/{group}/{API_VERSION}/namespaces/{namespace}/{plural}"),
        None => format!("/apis/{group}/{API_VERSION}/{plural}"),
    }
}

/// The API server over HTTP.
#[derive(Clone)]
pub struct KubeCalls {
    client: Client,
}

impl KubeCalls {
    /// Calls through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
        what: &str,
    ) -> Result<T, ApiFailure> {
        let request = request.map_err(|error| failure::unreadable(what, &error))?;
        let answer = self.client.send(request.map(Body::from)).await;
        let (head, body) = answer
            .map_err(|error| failure::from_transport(&error))?
            .into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| failure::from_transport(&error))?;
        let body = body.to_bytes();
        if !head.status.is_success() {
            let retry_after = head.headers.get(http::header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| value.to_str().ok());
            return Err(failure::from_answer(
                head.status.as_u16(),
                retry_after,
                &body,
            ));
        }
        serde_json::from_slice(&body).map_err(|error| failure::unreadable(what, &error))
    }

    async fn create(&self, owner: &Identity, child: &NewChild) -> Result<Outcome, ApiFailure> {
        let kind = child.key.kind;
        let mut metadata = json!({
            "name": child.key.name,
            "namespace": owner.namespace,
            "labels": child.labels,
        });
        if child.is_owned() {
            metadata["ownerReferences"] = json!([owner_reference(owner)]);
        }
        let body = json!({
            "apiVersion": format!("{}/{API_VERSION}", kind.group()),
            "kind": kind.name(),
            "metadata": metadata,
            "spec": child.spec,
        });
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let request =
            children(kind, &owner.namespace).create(&parameters, body.to_string().into_bytes());
        let wire = self.send(request, "the creation").await?;
        Ok(Outcome::Child(Box::new(read::child(kind, wire).1)))
    }

    async fn record(&self, whose: &Identity, record: &RecordCall) -> Result<Outcome, ApiFailure> {
        let patch = json!({
            "metadata": { "resourceVersion": record.resource_version, "uid": whose.uid },
            "status": status::merge_patch(&record.from, &record.to),
        });
        let request = requests(&whose.namespace).patch_subresource(
            "status",
            &whose.name,
            &patching(),
            &Patch::Merge(patch),
        );
        request_outcome(self.send(request, "the status write").await?)
    }

    async fn read_request(&self, whose: &Identity) -> Result<Outcome, ApiFailure> {
        let request = requests(&whose.namespace).get(&whose.name, &GetParams::default());
        request_outcome(self.send(request, "the read of the request").await?)
    }

    async fn read_child(&self, whose: &Identity, key: &ChildKey) -> Result<Outcome, ApiFailure> {
        let request = children(key.kind, &whose.namespace).get(&key.name, &GetParams::default());
        let wire = self.send(request, "the read of a child").await?;
        Ok(Outcome::Child(Box::new(read::child(key.kind, wire).1)))
    }

    /// Adds our owner reference and labels. The other owners are kept, so they are read first; what is read and
    /// is no longer the version that was decided from is a conflict, as it would be for the API server.
    async fn restore(&self, owner: &Identity, child: &Precondition) -> Result<Outcome, ApiFailure> {
        let (kind, name) = (child.key.kind, &child.key.name);
        let request = children(kind, &owner.namespace).get(name, &GetParams::default());
        let present: Value = self.send(request, "the read of a child").await?;
        let metadata = &present["metadata"];
        if metadata["uid"] != child.uid.as_str()
            || metadata["resourceVersion"] != child.resource_version.as_str()
        {
            return Err(ApiFailure {
                code: 409,
                reason: "Conflict".to_owned(),
                message: format!("{} has been modified since it was seen", child.key),
                ..ApiFailure::default()
            });
        }
        let mut owners: Vec<Value> = metadata["ownerReferences"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        owners.retain(|reference| reference["uid"] != owner.uid.as_str());
        owners.push(owner_reference(owner));
        let patch = json!({ "metadata": {
            "uid": child.uid,
            "resourceVersion": child.resource_version,
            "ownerReferences": owners,
            "labels": {
                REQUEST_LABEL: names::label(&owner.name),
                REQUEST_UID_LABEL: owner.uid,
            },
        } });
        let request =
            children(kind, &owner.namespace).patch(name, &patching(), &Patch::Merge(patch));
        let wire = self.send(request, "the restored ownership").await?;
        Ok(Outcome::Child(Box::new(read::child(kind, wire).1)))
    }

    async fn delete(
        &self,
        collection: Requests,
        name: &str,
        uid: &str,
        resource_version: &str,
    ) -> Result<Outcome, ApiFailure> {
        let parameters = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(resource_version.to_owned()),
            }),
            ..DeleteParams::default()
        };
        let request = collection.delete(name, &parameters);
        self.send::<serde::de::IgnoredAny>(request, "the deletion")
            .await?;
        Ok(Outcome::Deleted)
    }
}

impl Calls for KubeCalls {
    fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome> {
        let (calls, request, call) = (self.clone(), request.clone(), call.clone());
        async move {
            calls
                .make(&request, &call)
                .await
                .unwrap_or_else(Outcome::Failed)
        }
        .boxed()
    }
}

impl KubeCalls {
    async fn make(&self, request: &Identity, call: &Call) -> Result<Outcome, ApiFailure> {
        match call {
            Call::Create(child) => self.create(request, child).await,
            Call::Record(record) => self.record(request, record).await,
            Call::Read(key) => self.read_child(request, key).await,
            Call::ReadRequest => self.read_request(request).await,
            Call::RestoreOwnership(child) => self.restore(request, child).await,
            Call::DeleteChild(child) => {
                let collection = children(child.key.kind, &request.namespace);
                self.delete(
                    collection,
                    &child.key.name,
                    &child.uid,
                    &child.resource_version,
                )
                .await
            }
            Call::DeleteRequest { resource_version } => {
                let collection = requests(&request.namespace);
                self.delete(collection, &request.name, &request.uid, resource_version)
                    .await
            }
        }
    }
}

fn requests(namespace: &str) -> Requests {
    Requests::new(collection(REQUEST_GROUP, REQUEST_PLURAL, Some(namespace)))
}

fn children(kind: ChildKind, namespace: &str) -> Requests {
    Requests::new(collection(kind.group(), kind.plural(), Some(namespace)))
}

fn patching() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

fn owner_reference(owner: &Identity) -> Value {
    json!({
        "apiVersion": format!("{REQUEST_GROUP}/{API_VERSION}"),
        "kind": REQUEST_KIND,
        "name": owner.name,
        "uid": owner.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

fn request_outcome(wire: read::RequestWire) -> Result<Outcome, ApiFailure> {
    match read::request(wire) {
        Ok(request) => Ok(Outcome::Request(Box::new(request))),
        Err(error) => Err(failure::unreadable("a call", &error)),
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
