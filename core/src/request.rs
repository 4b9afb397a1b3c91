//! The remediation request as the core sees it: who it is, what was asked, what is recorded.

use serde::{Deserialize, Serialize};

use crate::status::Status;
use crate::targeting::TargetingData;
use crate::time::Time;

/// Who a request is. The UID tells two requests of one name apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The namespace that it and its children live in.
    pub namespace: String,
    /// Its name, up to 253 characters.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// A request as it was seen at one resource version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who it is.
    pub identity: Identity,
    /// The version that was seen; status is written against it.
    pub resource_version: String,
    /// The generation of its spec.
    pub generation: i64,
    /// When the API server created it, in whole seconds. Requests are worked on in this order; no rule looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
    /// Whether a deletion timestamp is set.
    pub deleting: bool,
    /// What was asked.
    pub spec: RequestSpec,
    /// What is recorded.
    pub status: Status,
}

/// What was asked. Immutable but for `suspend`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct RequestSpec {
    /// The alert. Optional in the schema, so that a request without it fails visibly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targeting_data: Option<TargetingData>,
    /// Limits that differ from the operator's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// How long the request stays after it ended, in seconds; 0 deletes at once. Default: 86400 (24 h).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 315_360_000)))]
    pub ttl_seconds_after_finished: Option<i64>,
    /// While true nothing is created and no deadline runs. The one field that may change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// Limits as they were asked for, each a Go-style duration (`90s`, `15m`, `1h30m`), more than zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Timeouts {
    /// For Initializing, and again for Processing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32), regex(pattern = crate::time::PATTERN)))]
    pub processing: Option<String>,
    /// For Analyzing, until approval is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32), regex(pattern = crate::time::PATTERN)))]
    pub analyzing: Option<String>,
    /// For the rest of Analyzing, once approval is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32), regex(pattern = crate::time::PATTERN)))]
    pub approval: Option<String>,
    /// For WorkflowPlanning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32), regex(pattern = crate::time::PATTERN)))]
    pub workflow_planning: Option<String>,
    /// For Executing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32), regex(pattern = crate::time::PATTERN)))]
    pub executing: Option<String>,
    /// For the whole remediation. Default: the sum of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32), regex(pattern = crate::time::PATTERN)))]
    pub overall: Option<String>,
}
