//! Children as they are seen. Their status is written by somebody else, perhaps by a version that is newer
//! or older than we know, so it is read leniently: a field that is missing or of another type counts as
//! empty, and no word is ever refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::kind::ChildKind;
use crate::request::Identity;

/// Which child is meant, within the request's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChildKey {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name.
    pub name: String,
}

impl ChildKey {
    /// The child of this kind and name.
    #[must_use]
    pub fn new(kind: ChildKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl std::fmt::Display for ChildKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl ChildKey {
    /// What [`Children`] know it by: as it is shown, but made in one piece, since every look at a child makes one.
    fn text(&self) -> KeyText {
        [self.kind.name(), "/", &self.name].concat()
    }
}

/// A child object as it was seen at one resource version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its kind and name.
    pub key: ChildKey,
    /// Its UID.
    pub uid: String,
    /// The version that was seen.
    pub resource_version: String,
    /// Whether a deletion timestamp is set.
    pub deleting: bool,
    /// Its controller owner, if it has one.
    pub owner: Option<Owner>,
    /// The value of [`crate::kind::REQUEST_LABEL`].
    pub request_label: Option<String>,
    /// The value of [`crate::kind::REQUEST_UID_LABEL`].
    pub request_uid_label: Option<String>,
    /// What it says of itself.
    pub status: ChildStatus,
}

/// The controller owner reference of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The owner's kind.
    pub kind: String,
    /// The owner's name.
    pub name: String,
    /// The owner's UID.
    pub uid: String,
}

/// To whom an object belongs that holds a name of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// To this request.
    Ours,
    /// To an earlier request of the same name; the garbage collector is about to take it.
    EarlierIncarnation,
    /// To somebody else. Never adopted, changed or deleted.
    Foreign,
}

impl Child {
    /// To whom it belongs: an owned child is ours when its controller owner is this request's UID, a
    /// NotificationRequest when its label holds this request's UID.
    #[must_use]
    pub fn belongs(&self, request: &Identity) -> Belongs {
        if self.key.kind == ChildKind::NotificationRequest {
            return if self.request_uid_label.as_deref() == Some(request.uid.as_str()) {
                Belongs::Ours
            } else {
                Belongs::Foreign
            };
        }
        match &self.owner {
            Some(owner) if owner.uid == request.uid => Belongs::Ours,
            Some(owner)
                if owner.kind == crate::kind::REQUEST_KIND && owner.name == request.name =>
            {
                Belongs::EarlierIncarnation
            }
            Some(_) | None => Belongs::Foreign,
        }
    }
}

/// What is seen of a request's children.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Children {
    /// Those that belong to the request by owner UID or that its status names, in the order of their keys; also
    /// any object that a live read found under a name of ours.
    pub seen: BTreeMap<KeyText, Child>,
    /// The names whose entry in `seen`, or whose absence from it, comes from the API server itself in this pass
    /// (a live read or the answer to a write), not from a cache.
    pub live: BTreeSet<KeyText>,
}

/// A [`ChildKey`] as `Kind/name`: a map key that JSON can hold.
pub type KeyText = String;

impl Children {
    /// The object under this name, whoever it belongs to.
    #[must_use]
    pub fn at(&self, key: &ChildKey) -> Option<&Child> {
        self.seen.get(&key.text())
    }

    /// Whether what is known of this name comes from the API server itself in this pass.
    #[must_use]
    pub fn is_live(&self, key: &ChildKey) -> bool {
        self.live.contains(&key.text())
    }

    /// Takes note of an object that a cache holds.
    pub fn cached(&mut self, child: Child) {
        self.seen.insert(child.key.text(), child);
    }

    /// Takes note of an object that the API server answered with, in this pass.
    pub fn learn(&mut self, child: Child) {
        let key = child.key.text();
        self.live.insert(key.clone());
        self.seen.insert(key, child);
    }

    /// Takes note of a live read that found nothing under this name.
    pub fn learn_absent(&mut self, key: &ChildKey) {
        let key = key.text();
        self.seen.remove(&key);
        self.live.insert(key);
    }

    /// All that is seen, in the order of kind and name.
    pub fn iter(&self) -> impl Iterator<Item = &Child> {
        self.seen.values()
    }
}

impl FromIterator<Child> for Children {
    /// What a cache holds.
    fn from_iter<I: IntoIterator<Item = Child>>(children: I) -> Self {
        let seen = children
            .into_iter()
            .map(|child| (child.key.text(), child))
            .collect();
        Self {
            seen,
            live: BTreeSet::new(),
        }
    }
}

/// What a child says of itself, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildStatus {
    /// Of a RemediationProcessing.
    Processing(ProcessingStatus),
    /// Of an AIAnalysis.
    Analysis(AnalysisStatus),
    /// Of a WorkflowExecution.
    Workflow(WorkflowStatus),
    /// Of a KubernetesExecution.
    Execution(ExecutionStatus),
    /// A NotificationRequest's own status decides nothing.
    Notification,
}

impl ChildStatus {
    /// Reads the `status` of an object of this kind; what is missing or of another type counts as empty.
    #[must_use]
    pub fn read(kind: ChildKind, status: Value) -> Self {
        match kind {
            ChildKind::RemediationProcessing => Self::Processing(read(status)),
            ChildKind::AIAnalysis => Self::Analysis(read(status)),
            ChildKind::WorkflowExecution => Self::Workflow(read(status)),
            ChildKind::KubernetesExecution => Self::Execution(read(status)),
            ChildKind::NotificationRequest => Self::Notification,
        }
    }

    /// What a RemediationProcessing says; empty for any other kind.
    #[must_use]
    pub fn processing(&self) -> &ProcessingStatus {
        static EMPTY: LazyLock<ProcessingStatus> = LazyLock::new(Default::default);
        match self {
            Self::Processing(status) => status,
            Self::Analysis(_) | Self::Workflow(_) | Self::Execution(_) | Self::Notification => {
                &EMPTY
            }
        }
    }

    /// What an AIAnalysis says; empty for any other kind.
    #[must_use]
    pub fn analysis(&self) -> &AnalysisStatus {
        static EMPTY: LazyLock<AnalysisStatus> = LazyLock::new(Default::default);
        match self {
            Self::Analysis(status) => status,
            Self::Processing(_) | Self::Workflow(_) | Self::Execution(_) | Self::Notification => {
                &EMPTY
            }
        }
    }

    /// What a WorkflowExecution says; empty for any other kind.
    #[must_use]
    pub fn workflow(&self) -> &WorkflowStatus {
        static EMPTY: LazyLock<WorkflowStatus> = LazyLock::new(Default::default);
        match self {
            Self::Workflow(status) => status,
            Self::Processing(_) | Self::Analysis(_) | Self::Execution(_) | Self::Notification => {
                &EMPTY
            }
        }
    }

    /// The phase word; empty where the child's controller has not begun.
    #[must_use]
    pub fn phase(&self) -> &str {
        match self {
            Self::Processing(status) => &status.phase,
            Self::Analysis(status) => &status.phase,
            Self::Workflow(status) => &status.phase,
            Self::Execution(status) => &status.phase,
            Self::Notification => "",
        }
    }

    /// The child's own reason and message.
    #[must_use]
    pub fn why(&self) -> (&str, &str) {
        match self {
            Self::Processing(status) => (&status.reason, &status.message),
            Self::Analysis(status) => (&status.reason, &status.message),
            Self::Workflow(status) => (&status.reason, &status.message),
            Self::Execution(status) => (&status.reason, &status.message),
            Self::Notification => ("", ""),
        }
    }
}

fn read<T: DeserializeOwned + Default>(status: Value) -> T {
    T::deserialize(status).unwrap_or_default()
}

/// A field of a child's status: anything that is not of its type counts as missing.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(read(Value::deserialize(deserializer)?))
}

fn lenient_plan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Plan>, D::Error> {
    let plan: Option<Plan> = lenient(deserializer)?;
    Ok(plan.filter(|plan| *plan != Plan::default()))
}

/// `status` of a RemediationProcessing: Pending, Processing, Completed, Failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessingStatus {
    /// The phase word.
    #[serde(deserialize_with = "lenient")]
    pub phase: String,
    /// Why: one word.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(deserialize_with = "lenient")]
    pub message: String,
    /// What was found out, handed to the analysis.
    #[serde(deserialize_with = "lenient")]
    pub enriched_data: BTreeMap<String, String>,
}

/// `status` of an AIAnalysis: Pending, Investigating, Approving, Ready, Completed, Rejected, Failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisStatus {
    /// The phase word.
    #[serde(deserialize_with = "lenient")]
    pub phase: String,
    /// Why: one word.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(deserialize_with = "lenient")]
    pub message: String,
    /// Whether a person must agree, and did.
    #[serde(deserialize_with = "lenient")]
    pub approval: Approval,
    /// What was found out, handed to the workflow.
    #[serde(deserialize_with = "lenient")]
    pub investigation_result: InvestigationResult,
}

/// Whether a person must agree to the analysis, and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Approval {
    /// Whether a person must agree.
    #[serde(deserialize_with = "lenient")]
    pub required: bool,
    /// `Approved` or `Rejected`; any other word is no decision.
    #[serde(deserialize_with = "lenient")]
    pub decision: String,
    /// Who decided.
    #[serde(deserialize_with = "lenient")]
    pub decided_by: String,
}

/// The result of an analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InvestigationResult {
    /// What happened.
    #[serde(deserialize_with = "lenient")]
    pub summary: String,
    /// Why it happened.
    #[serde(deserialize_with = "lenient")]
    pub root_cause: String,
    /// What to do about it.
    #[serde(deserialize_with = "lenient")]
    pub recommendations: Vec<Recommendation>,
}

/// An action that an analysis recommends; copied as it is into the workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Recommendation {
    /// The action, for example `ScaleDeployment`.
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub action: String,
    /// What it does, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32768)))]
    pub description: String,
    /// Its parameters, any JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Parameters"))]
    pub parameters: Option<Value>,
}

#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(inline, extend("x-kubernetes-preserve-unknown-fields" = true))]
struct Parameters {}

/// `status` of a WorkflowExecution: Pending, Planning, Validating, Executing, Running, Completed, Failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowStatus {
    /// The phase word.
    #[serde(deserialize_with = "lenient")]
    pub phase: String,
    /// Why: one word.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(deserialize_with = "lenient")]
    pub message: String,
    /// How many steps the workflow has.
    #[serde(deserialize_with = "lenient")]
    pub steps_total: i64,
    /// How many of them are completed.
    #[serde(deserialize_with = "lenient")]
    pub steps_completed: i64,
    /// The plan, once there is one. One without any content counts as none: a controller that writes only its phase
    /// may send it.
    #[serde(deserialize_with = "lenient_plan")]
    pub plan: Option<Plan>,
}

/// A workflow's plan: steps that depend on each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Plan {
    /// `Orchestrator` where the orchestrator runs the steps; else the workflow's own controller does.
    #[serde(deserialize_with = "lenient")]
    pub executed_by: String,
    /// The steps. A list that cannot be read counts as empty, and an empty plan cannot be run.
    #[serde(deserialize_with = "lenient")]
    pub steps: Vec<PlanStep>,
}

/// A step of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanStep {
    /// Its name, a DNS label.
    pub name: String,
    /// The action, for example `ScaleDeployment`.
    pub action: String,
    /// The action's parameters.
    pub parameters: BTreeMap<String, String>,
    /// The names of the steps that must be completed first.
    pub depends_on: Vec<String>,
    /// How long it may take, for the executor.
    pub timeout: Option<String>,
}

/// `status` of a KubernetesExecution: Pending, Validating, Executing, Running, Completed, Failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecutionStatus {
    /// The phase word.
    #[serde(deserialize_with = "lenient")]
    pub phase: String,
    /// Why: one word.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(deserialize_with = "lenient")]
    pub message: String,
}

#[cfg(test)]
#[path = "children_tests.rs"]
mod tests;
