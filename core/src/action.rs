//! What `decide` asks for: plain data, in the order in which it must happen. It is safe to stop after any of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::children::{ChildKey, Recommendation};
use crate::kind::ChildKind;
use crate::names::Occasion;
use crate::phase::Phase;
use crate::status::Status;
use crate::targeting::{TargetResource, TargetingData};
use crate::time::Time;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Action {
    /// Create this child. Its name is deterministic: creating it twice is impossible.
    Create(Box<NewChild>),
    /// Record this status, against the resource version that was decided from. If it is not applied, nothing
    /// that follows in the list is done.
    Record(Box<Record>),
    /// Read this object from the API server: absence from a cache alone proves nothing.
    Read(ChildKey),
    /// Give a child of ours its owner reference and labels back.
    RestoreOwnership(Precondition),
    /// Delete a child that status does not name and whose phase is over.
    DeleteChild(Precondition),
    /// Delete the request: it ended and its time to live is over.
    DeleteRequest,
    /// Write an Event about the request. Only done if what precedes it was.
    Announce(Event),
    /// Decide again at this moment at the latest.
    WakeAt(Timestamp),
}

/// A status to record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The whole new status.
    pub status: Status,
    /// The phases that are entered by it, in order; each edge is in [`crate::phase::TRANSITIONS`].
    pub path: Vec<Phase>,
}

/// A child that may be changed or deleted only as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Precondition {
    /// Its kind and name.
    pub key: ChildKey,
    /// The UID that was seen.
    pub uid: String,
    /// The resource version that was seen.
    pub resource_version: String,
}

/// A child to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewChild {
    /// Its kind and name.
    pub key: ChildKey,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its spec.
    pub spec: ChildSpec,
}

impl NewChild {
    /// Whether the request is its controller owner. A NotificationRequest is not owned: it outlives the request.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.key.kind != ChildKind::NotificationRequest
    }
}

/// The spec of a child, by kind; serialises as the `spec` of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ChildSpec {
    /// Of a RemediationProcessing.
    Processing(ProcessingSpec),
    /// Of an AIAnalysis.
    Analysis(AnalysisSpec),
    /// Of a WorkflowExecution.
    Workflow(WorkflowSpec),
    /// Of a KubernetesExecution.
    Execution(ExecutionSpec),
    /// Of a NotificationRequest.
    Notification(NotificationSpec),
}

/// `spec` of a RemediationProcessing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProcessingSpec {
    /// The alert, unchanged.
    pub targeting_data: TargetingData,
}

/// `spec` of an AIAnalysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSpec {
    /// The alert, unchanged.
    pub targeting_data: TargetingData,
    /// What the processing found out, unchanged.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 1024, "x-longest-value" = 16384)))]
    pub enriched_data: BTreeMap<String, String>,
    /// Which attempt this is, from 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 64)))]
    pub attempt: u32,
}

/// `spec` of a WorkflowExecution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkflowSpec {
    /// The alert, unchanged.
    pub targeting_data: TargetingData,
    /// What the analysis recommends, unchanged.
    #[cfg_attr(feature = "schema", schemars(length(max = 1024)))]
    pub recommendations: Vec<Recommendation>,
    /// After this time, or the request's `status.nextDeadline` where that is later, nothing may be started.
    pub not_after: Time,
}

/// `spec` of a KubernetesExecution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExecutionSpec {
    /// The step of the plan that it runs.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 63)))]
    pub step: String,
    /// The action, for example `ScaleDeployment`.
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub action: String,
    /// The action's parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 1024, "x-longest-value" = 16384)))]
    pub parameters: BTreeMap<String, String>,
    /// After this time, or the request's `status.nextDeadline` where that is later, nothing may be started.
    pub not_after: Time,
    /// How long the step may take, for its executor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub timeout: Option<String>,
    /// What is broken, as the alert said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_resource: Option<TargetResource>,
}

/// `spec` of a NotificationRequest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NotificationSpec {
    /// What it is about.
    #[serde(rename = "type")]
    pub occasion: Occasion,
    /// `high` or `low`.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub priority: String,
    /// Where it goes.
    #[cfg_attr(
        feature = "schema",
        schemars(length(max = 32), inner(length(max = 253)))
    )]
    pub channels: Vec<String>,
    /// One line.
    #[cfg_attr(feature = "schema", schemars(length(max = 512)))]
    pub subject: String,
    /// The text, 4,096 bytes at most.
    #[cfg_attr(feature = "schema", schemars(length(max = 4096)))]
    pub body: String,
    /// For programs: remediation_request, environment, failure_reason, …
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 32, "x-longest-value" = 1024)))]
    pub metadata: BTreeMap<String, String>,
}

/// An Event about the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Whether something is wrong.
    pub severity: EventSeverity,
    /// A stable word; the page of Events lists them all.
    pub reason: &'static str,
    /// A sentence for people, 1,024 bytes at most.
    pub note: String,
}

/// The type of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EventSeverity {
    /// `Normal`
    Normal,
    /// `Warning`
    Warning,
}
