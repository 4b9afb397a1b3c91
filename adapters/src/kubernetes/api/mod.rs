//! The six kinds as typed objects, for whoever reads or writes them whole: simulated child controllers, tests,
//! tools. The operator itself reads leniently, through [`crate::kubernetes::read`].

mod status;

use kube::core::{ApiResource, Object};
use remediation_core::action::{
    AnalysisSpec, ExecutionSpec, NotificationSpec, ProcessingSpec, WorkflowSpec,
};
use remediation_core::kind::{API_VERSION, ChildKind, REQUEST_GROUP, REQUEST_KIND, REQUEST_PLURAL};
use remediation_core::request::RequestSpec;
use remediation_core::status::Status;

pub use status::{
    AnalysisStatus, Approval, ApprovalRequestRef, Delivery, ExecutionStatus, InvestigationResult,
    NotificationStatus, Plan, PlanStep, ProcessingStatus, Recommendation, StatusCondition,
    WorkflowStatus,
};

/// A request as an object.
pub type RemediationRequest = Object<RequestSpec, Status>;
/// A RemediationProcessing as an object.
pub type RemediationProcessing = Object<ProcessingSpec, ProcessingStatus>;
/// An AIAnalysis as an object.
pub type AIAnalysis = Object<AnalysisSpec, AnalysisStatus>;
/// A WorkflowExecution as an object.
pub type WorkflowExecution = Object<WorkflowSpec, WorkflowStatus>;
/// A KubernetesExecution as an object.
pub type KubernetesExecution = Object<ExecutionSpec, ExecutionStatus>;
/// A NotificationRequest as an object.
pub type NotificationRequest = Object<NotificationSpec, NotificationStatus>;

/// Where the requests live in the API.
#[must_use]
pub fn request_resource() -> ApiResource {
    resource(REQUEST_GROUP, REQUEST_KIND, REQUEST_PLURAL)
}

/// Where the children of this kind live in the API.
#[must_use]
pub fn api_resource(kind: ChildKind) -> ApiResource {
    resource(kind.group(), kind.name(), kind.plural())
}

fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: group.to_owned(),
        version: API_VERSION.to_owned(),
        api_version: format!("{group}/{API_VERSION}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
