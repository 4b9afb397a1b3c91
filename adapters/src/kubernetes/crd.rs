//! The custom resource definitions of all six kinds, made from a table and from the Rust types themselves, so
//! that they cannot differ from what the code reads and writes.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceStatus,
    CustomResourceSubresources, CustomResourceValidation, SelectableField,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use remediation_core::action::{
    AnalysisSpec, ExecutionSpec, NotificationSpec, ProcessingSpec, WorkflowSpec,
};
use remediation_core::kind::{API_VERSION, ChildKind, REQUEST_GROUP, REQUEST_KIND, REQUEST_PLURAL};
use remediation_core::request::RequestSpec;
use remediation_core::status::Status;
use serde_json::{Value, json};

use super::api::{
    AnalysisStatus, ExecutionStatus, NotificationStatus, ProcessingStatus, WorkflowStatus,
};
use super::schema::{self, Writer};

/// The short name of a RemediationRequest, for kubectl.
pub const REQUEST_SHORT: &str = "rr";
/// The category that all six kinds are in: `kubectl get kubernaut`.
pub const CATEGORY: &str = "kubernaut";

/// All six definitions, the request's first, then in the order in which a remediation creates the kinds.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    std::iter::once(request())
        .chain(ChildKind::ALL.map(child))
        .collect()
}

/// One row of the table.
struct Definition {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static str,
    description: &'static str,
    spec: Value,
    status: Value,
    columns: &'static [Column],
    selectable: &'static [&'static str],
}

/// A printer column: name, type, JSON path, and whether only `-o wide` shows it.
type Column = (&'static str, &'static str, &'static str, bool);

const AGE: Column = ("Age", "date", ".metadata.creationTimestamp", false);
const PHASE: Column = ("Phase", "string", ".status.phase", false);
const REASON: Column = ("Reason", "string", ".status.reason", false);

fn request() -> CustomResourceDefinition {
    let mut spec = schema::of::<RequestSpec>(Writer::Known);
    if let Some(timeouts) = schema::properties(&mut spec)
        .and_then(|fields| fields.get_mut("timeouts"))
        .and_then(schema::properties)
    {
        for (name, timeout) in timeouts.iter_mut() {
            let rule = "duration(self) > duration('0s')".to_owned();
            schema::add_rules(timeout, &[(rule, format!("{name} must be more than zero"))]);
        }
    }
    let fixed: Vec<String> = schema::properties(&mut spec)
        .map(|fields| {
            fields
                .keys()
                .filter(|name| *name != "suspend")
                .cloned()
                .collect()
        })
        .unwrap_or_default();
    let rules: Vec<(String, String)> = fixed.iter().map(|name| immutable_field(name)).collect();
    schema::add_rules(&mut spec, &rules);
    definition(Definition {
        group: REQUEST_GROUP,
        kind: REQUEST_KIND,
        plural: REQUEST_PLURAL,
        short: REQUEST_SHORT,
        description: "An alert to be remediated. The orchestrator takes it through its phases by creating the other kinds one after another, and keeps its status.",
        spec,
        status: schema::of::<Status>(Writer::Known),
        columns: &[
            PHASE,
            ("Progress", "integer", ".status.overallProgress", false),
            ("Alert", "string", ".spec.targetingData.alertName", false),
            (
                "Environment",
                "string",
                ".spec.targetingData.environment",
                false,
            ),
            REASON,
            (
                "Target",
                "string",
                ".spec.targetingData.targetResource.name",
                true,
            ),
            ("WaitingFor", "string", ".status.waitingFor", true),
            ("PhaseAge", "date", ".status.phaseStartTime", true),
            // A string: a `date` column prints `<invalid>` for a time to come.
            ("Deadline", "string", ".status.nextDeadline", true),
            ("Attempt", "integer", ".status.attempt", true),
            AGE,
        ],
        selectable: &[
            ".spec.targetingData.environment",
            ".spec.targetingData.signalFingerprint",
            ".status.phase",
        ],
    })
}

fn child(kind: ChildKind) -> CustomResourceDefinition {
    let (mut spec, status, description, columns): (Value, Value, &str, &[Column]) = match kind {
        ChildKind::RemediationProcessing => (
            schema::of::<ProcessingSpec>(Writer::Known),
            schema::of::<ProcessingStatus>(Writer::Anybody),
            "Enriches the alert of a RemediationRequest.",
            &[PHASE, REASON, AGE],
        ),
        ChildKind::AIAnalysis => (
            schema::of::<AnalysisSpec>(Writer::Known),
            schema::of::<AnalysisStatus>(Writer::Anybody),
            "Finds the cause of an alert and recommends actions.",
            &[
                PHASE,
                ("Confidence", "number", ".status.confidence", false),
                ("Decision", "string", ".status.approval.decision", false),
                REASON,
                AGE,
            ],
        ),
        ChildKind::WorkflowExecution => (
            schema::of::<WorkflowSpec>(Writer::Known),
            schema::of::<WorkflowStatus>(Writer::Anybody),
            "Plans, validates and runs the recommended actions.",
            &[
                PHASE,
                ("Done", "integer", ".status.stepsCompleted", false),
                ("Steps", "integer", ".status.stepsTotal", false),
                ("Step", "string", ".status.currentStep", false),
                REASON,
                ("NotAfter", "string", ".spec.notAfter", true),
                AGE,
            ],
        ),
        ChildKind::KubernetesExecution => (
            schema::of::<ExecutionSpec>(Writer::Known),
            schema::of::<ExecutionStatus>(Writer::Anybody),
            "Runs one step of a workflow's plan.",
            &[
                PHASE,
                ("Step", "string", ".spec.step", false),
                ("Action", "string", ".spec.action", false),
                REASON,
                ("NotAfter", "string", ".spec.notAfter", true),
                AGE,
            ],
        ),
        ChildKind::NotificationRequest => (
            schema::of::<NotificationSpec>(Writer::Known),
            schema::of::<NotificationStatus>(Writer::Anybody),
            "Tells people of a remediation. It outlives its RemediationRequest.",
            &[
                PHASE,
                ("Type", "string", ".spec.type", false),
                ("Priority", "string", ".spec.priority", false),
                ("Subject", "string", ".spec.subject", true),
                AGE,
            ],
        ),
    };
    let rule = "self == oldSelf".to_owned();
    schema::add_rules(&mut spec, &[(rule, "spec is immutable".to_owned())]);
    definition(Definition {
        group: kind.group(),
        kind: kind.name(),
        plural: kind.plural(),
        short: kind.short(),
        description,
        spec,
        status,
        columns,
        selectable: &[],
    })
}

/// A rule at the level of spec: the field is as it was, or absent as it was. A rule on the field itself would
/// let it be added or removed.
fn immutable_field(name: &str) -> (String, String) {
    (
        format!(
            "has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
        ),
        format!("{name} is immutable: create a new RemediationRequest instead"),
    )
}

fn definition(row: Definition) -> CustomResourceDefinition {
    let Definition {
        group,
        kind,
        plural,
        short,
        description,
        spec,
        status,
        columns,
        selectable,
    } = row;
    let columns = columns
        .iter()
        .map(|(name, kind, path, wide)| CustomResourceColumnDefinition {
            name: (*name).to_owned(),
            type_: (*kind).to_owned(),
            json_path: (*path).to_owned(),
            priority: wide.then_some(1),
            ..CustomResourceColumnDefinition::default()
        })
        .collect();
    let selectable: Vec<SelectableField> = selectable
        .iter()
        .map(|path| SelectableField {
            json_path: (*path).to_owned(),
        })
        .collect();
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{plural}.{group}")),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            group: group.to_owned(),
            scope: "Namespaced".to_owned(),
            names: CustomResourceDefinitionNames {
                kind: kind.to_owned(),
                list_kind: Some(format!("{kind}List")),
                plural: plural.to_owned(),
                singular: Some(kind.to_lowercase()),
                short_names: Some(vec![short.to_owned()]),
                categories: Some(vec![CATEGORY.to_owned()]),
            },
            versions: vec![CustomResourceDefinitionVersion {
                name: API_VERSION.to_owned(),
                served: true,
                storage: true,
                additional_printer_columns: Some(columns),
                selectable_fields: (!selectable.is_empty()).then_some(selectable),
                subresources: Some(CustomResourceSubresources {
                    status: Some(CustomResourceSubresourceStatus(json!({}))),
                    scale: None,
                }),
                schema: Some(CustomResourceValidation {
                    open_api_v3_schema: Some(schema::root(description, spec, status)),
                }),
                ..CustomResourceDefinitionVersion::default()
            }],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

#[cfg(test)]
#[path = "crd_tests.rs"]
mod tests;
