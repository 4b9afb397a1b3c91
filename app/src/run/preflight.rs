//! What is looked at before the operator begins: is the cluster there, are the kinds installed as this version
//! needs them, may the operator do what it has to?
//!
//! All of it needs no right that every account does not have: discovery, the published schemas, and questions
//! about one's own rights.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use remediation_adapters::kubernetes::crd;
use serde_json::Value;

use super::access::{self, Access};
use crate::config::Operator;

/// The command that installs the definitions of this version.
const INSTALL: &str = "remediation-orchestrator crd | kubectl apply --server-side -f -";

/// Asks the cluster questions, each bounded in time.
pub(crate) struct Preflight {
    pub(crate) client: kube::Client,
    pub(crate) call_timeout: Duration,
}

impl Preflight {
    /// Why the operator cannot begin; what is wrong, where, and what to do.
    pub(crate) async fn blockers(&self) -> Vec<String> {
        if let Err(blocker) = self.reach().await {
            return vec![blocker];
        }
        let (mut absent, mut blockers) = (Vec::new(), Vec::new());
        for definition in crd::all() {
            match self.check_definition(&definition).await {
                Verdict::Fits => {}
                Verdict::Absent(name) => absent.push(name),
                Verdict::Unfit(blocker) => blockers.push(blocker),
            }
        }
        if !absent.is_empty() {
            blockers.push(format!(
                "these CustomResourceDefinitions are not installed, or not established yet: {}; install them: {INSTALL}",
                absent.join(", ")
            ));
        }
        blockers
    }

    /// The rights that are missing, each with the command to look further.
    pub(crate) async fn missing_rights(
        &self,
        operator: &Operator,
        lease_namespace: &str,
    ) -> Vec<String> {
        let who = self.who().await;
        let mut missing = Vec::new();
        for access in access::on_requests() {
            missing.extend(self.refused(&access, &operator.namespace, &who).await);
        }
        if operator.leader_elect {
            missing.extend(
                self.refused(&access::on_leases(), lease_namespace, &who)
                    .await,
            );
        }
        missing
    }

    async fn reach(&self) -> Result<(), String> {
        match self.bounded(self.client.apiserver_version()).await {
            Ok(version) => {
                tracing::info!(version = version.git_version, "the API server answers");
                Ok(())
            }
            Err(error) => Err(format!(
                "the API server does not answer: {error}; check the kubeconfig and its context with `kubectl cluster-info`"
            )),
        }
    }

    /// Whether a kind is served, with its status subresource, and with every field that this version needs.
    async fn check_definition(&self, definition: &CustomResourceDefinition) -> Verdict {
        let spec = &definition.spec;
        let Some(version) = spec.versions.first() else {
            return Verdict::Fits;
        };
        let plural = &spec.names.plural;
        let group_version = format!("{}/{}", spec.group, version.name);
        let name = format!("{plural}.{}", spec.group);
        let answer = self
            .bounded(self.client.list_api_group_resources(&group_version))
            .await;
        let served = match answer {
            Ok(list) => list.resources,
            Err(Answer::NotFound) => return Verdict::Absent(name),
            Err(error) => {
                return Verdict::Unfit(format!(
                    "whether the CustomResourceDefinition {name} is installed is not known: {error}; it is asked again"
                ));
            }
        };
        let serves = |resource: &str| served.iter().any(|found| found.name == resource);
        if !serves(plural) {
            return Verdict::Absent(name);
        }
        if !serves(&format!("{plural}/status")) {
            return Verdict::Unfit(format!(
                "the CustomResourceDefinition {name} has no status subresource; install this version's: {INSTALL}"
            ));
        }
        let published = self.published_schema(&group_version, &spec.names.kind);
        let Some(published) = published.await else {
            return Verdict::Fits;
        };
        let ours = version
            .schema
            .as_ref()
            .and_then(|schema| schema.open_api_v3_schema.as_ref())
            .and_then(|schema| serde_json::to_value(schema).ok())
            .unwrap_or_default();
        let mut lacking = BTreeSet::new();
        for part in ["spec", "status"] {
            let (ours, published) = (&ours["properties"][part], &published["properties"][part]);
            compare(ours, published, part, &mut lacking);
        }
        if lacking.is_empty() {
            return Verdict::Fits;
        }
        let lacking: Vec<String> = lacking.into_iter().collect();
        Verdict::Unfit(format!(
            "the CustomResourceDefinition {name} is older than this version: it lacks {}; install this version's: {INSTALL}",
            lacking.join(", ")
        ))
    }

    /// The schema that the API server publishes for a kind; none where it publishes none.
    async fn published_schema(&self, group_version: &str, kind: &str) -> Option<Value> {
        let request = http::Request::get(format!("/openapi/v3/apis/{group_version}"))
            .body(Vec::new())
            .ok()?;
        let document: Value = self.bounded(self.client.request(request)).await.ok()?;
        let schemas = document["components"]["schemas"].as_object()?;
        schemas
            .values()
            .find(|schema| {
                let kinds = schema["x-kubernetes-group-version-kind"].as_array();
                kinds.is_some_and(|kinds| kinds.iter().any(|found| found["kind"] == kind))
            })
            .cloned()
    }

    /// The name of this account, as the API server knows it.
    async fn who(&self) -> String {
        let reviews: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let parameters = PostParams::default();
        let asked = SelfSubjectReview::default();
        self.bounded(reviews.create(&parameters, &asked))
            .await
            .ok()
            .and_then(|review| review.status?.user_info?.username)
            .unwrap_or_else(|| "this account".to_owned())
    }

    /// What of this is not granted, in one sentence.
    async fn refused(&self, access: &Access, namespace: &str, who: &str) -> Option<String> {
        let mut refused = Vec::new();
        for verb in access.verbs {
            match self.is_granted(access, verb, namespace).await {
                Ok(true) => {}
                Ok(false) => refused.push(*verb),
                // A server without this API, or a hiccup: the first refused call will tell.
                Err(error) => {
                    tracing::debug!(%error, verb, access.resource, "whether this is granted is not known");
                }
            }
        }
        if refused.is_empty() {
            return None;
        }
        let (place, option) = if namespace.is_empty() {
            ("in all namespaces".to_owned(), String::new())
        } else {
            (
                format!("in namespace {namespace}"),
                format!(" -n {namespace}"),
            )
        };
        Some(format!(
            "{who} may not {} {} of {} {place}; grant it: kubectl apply -f deploy/manifests/rbac.yaml; see what is granted: kubectl auth can-i --list --as={who}{option}",
            refused.join(", "),
            access.resource,
            access.group,
        ))
    }

    async fn is_granted(
        &self,
        access: &Access,
        verb: &str,
        namespace: &str,
    ) -> Result<bool, Answer> {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let (resource, subresource) = match access.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (access.resource.as_str(), None),
        };
        let asked = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(access.group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource,
                    verb: Some(verb.to_owned()),
                    namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let parameters = PostParams::default();
        let review = self.bounded(reviews.create(&parameters, &asked)).await?;
        Ok(review.status.is_none_or(|status| status.allowed))
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Answer> {
        match tokio::time::timeout(self.call_timeout, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(kube::Error::Api(status))) => Err(match status.code {
                404 => Answer::NotFound,
                code => Answer::Refused(code, status.message.clone()),
            }),
            Ok(Err(error)) => Err(Answer::Transport(describe(&error))),
            Err(_) => Err(Answer::Transport(format!(
                "no answer within {} s",
                self.call_timeout.as_secs_f64()
            ))),
        }
    }
}

/// Whether a kind is there as this version needs it.
enum Verdict {
    Fits,
    /// It is not installed, or not established: its definition's name.
    Absent(String),
    /// It is there, and this is wrong with it.
    Unfit(String),
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
enum Answer {
    #[error("not found")]
    NotFound,
    #[error("refused with {0}: {1}")]
    Refused(u16, String),
    #[error("{0}")]
    Transport(String),
}

/// An error with its causes: the outermost alone (`client error`) tells nobody anything.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    // kube's name for whatever its HTTP client says.
    if let Some(rest) = text.strip_prefix("ServiceError: ") {
        text = rest.to_owned();
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// Collects the paths of properties that `ours` declares and `theirs` would drop.
fn compare(ours: &Value, theirs: &Value, path: &str, lacking: &mut BTreeSet<String>) {
    if theirs["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    if let Some(properties) = ours["properties"].as_object() {
        for (name, property) in properties {
            let path = format!("{path}.{name}");
            match theirs["properties"].get(name) {
                None => {
                    lacking.insert(path);
                }
                Some(found) => compare(property, found, &path, lacking),
            }
        }
    }
    if ours["items"].is_object() {
        compare(
            &ours["items"],
            &theirs["items"],
            &format!("{path}[]"),
            lacking,
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lacking(ours: &Value, theirs: &Value) -> Vec<String> {
        let mut lacking = BTreeSet::new();
        compare(ours, theirs, "spec", &mut lacking);
        lacking.into_iter().collect()
    }

    #[test]
    fn fields_that_an_older_definition_lacks_are_named() {
        let ours = json!({ "properties": {
            "suspend": { "type": "boolean" },
            "timeouts": { "properties": { "overall": {}, "approval": {} } },
            "steps": { "items": { "properties": { "name": {}, "timeout": {} } } },
        }});
        let theirs = json!({ "properties": {
            "timeouts": { "properties": { "overall": {} } },
            "steps": { "items": { "properties": { "name": {} } } },
            "extra": {},
        }});
        assert_eq!(
            lacking(&ours, &theirs),
            [
                "spec.steps[].timeout",
                "spec.suspend",
                "spec.timeouts.approval"
            ]
        );
        assert_eq!(lacking(&ours, &ours), Vec::<String>::new());
        let open = json!({ "x-kubernetes-preserve-unknown-fields": true });
        assert_eq!(lacking(&ours, &open), Vec::<String>::new());
    }
}
