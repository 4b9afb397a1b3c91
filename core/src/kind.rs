//! The kinds of objects: what they are called, where they live, and who fills them in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind that the orchestrator creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChildKind {
    /// Enriches the alert.
    RemediationProcessing,
    /// Finds the cause and recommends actions.
    AIAnalysis,
    /// Plans, validates and runs the actions.
    WorkflowExecution,
    /// Runs one step of a plan that the orchestrator runs.
    KubernetesExecution,
    /// Tells people. Not owned: it outlives its request.
    NotificationRequest,
}

/// The API group of the request itself.
pub const REQUEST_GROUP: &str = "remediation.kubernaut.ai";
/// The kind of the request itself.
pub const REQUEST_KIND: &str = "RemediationRequest";
/// The plural of the request itself.
pub const REQUEST_PLURAL: &str = "remediationrequests";
/// The version of all six kinds.
pub const API_VERSION: &str = "v1alpha1";
/// The label that holds the name of the request (cut and hashed where it is longer than a label may be).
pub const REQUEST_LABEL: &str = "kubernaut.ai/remediation-request";
/// The label that holds the UID of the request.
pub const REQUEST_UID_LABEL: &str = "kubernaut.ai/remediation-request-uid";

impl ChildKind {
    /// All of them, in the order in which a remediation creates them.
    pub const ALL: [ChildKind; 5] = [
        ChildKind::RemediationProcessing,
        ChildKind::AIAnalysis,
        ChildKind::WorkflowExecution,
        ChildKind::KubernetesExecution,
        ChildKind::NotificationRequest,
    ];

    /// The kinds that are owned by the request and watched.
    pub const OWNED: [ChildKind; 4] = [
        ChildKind::RemediationProcessing,
        ChildKind::AIAnalysis,
        ChildKind::WorkflowExecution,
        ChildKind::KubernetesExecution,
    ];

    /// `AIAnalysis`
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ChildKind::RemediationProcessing => "RemediationProcessing",
            ChildKind::AIAnalysis => "AIAnalysis",
            ChildKind::WorkflowExecution => "WorkflowExecution",
            ChildKind::KubernetesExecution => "KubernetesExecution",
            ChildKind::NotificationRequest => "NotificationRequest",
        }
    }

    /// `aianalyses`
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            ChildKind::RemediationProcessing => "remediationprocessings",
            ChildKind::AIAnalysis => "aianalyses",
            ChildKind::WorkflowExecution => "workflowexecutions",
            ChildKind::KubernetesExecution => "kubernetesexecutions",
            ChildKind::NotificationRequest => "notificationrequests",
        }
    }

    /// `aianalysis.kubernaut.ai`
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            ChildKind::RemediationProcessing => "remediationprocessing.kubernaut.ai",
            ChildKind::AIAnalysis => "aianalysis.kubernaut.ai",
            ChildKind::WorkflowExecution => "workflowexecution.kubernaut.ai",
            ChildKind::KubernetesExecution => "kubernetesexecution.kubernaut.ai",
            ChildKind::NotificationRequest => "notification.kubernaut.ai",
        }
    }

    /// The short name that kubectl takes: `aia`
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            ChildKind::RemediationProcessing => "rproc",
            ChildKind::AIAnalysis => "aia",
            ChildKind::WorkflowExecution => "wfe",
            ChildKind::KubernetesExecution => "kexec",
            ChildKind::NotificationRequest => "notif",
        }
    }

    /// Whether a child of this kind changes the cluster. Such a one is never created twice (invariant S1).
    #[must_use]
    pub const fn executes(self) -> bool {
        matches!(
            self,
            ChildKind::WorkflowExecution | ChildKind::KubernetesExecution
        )
    }
}

impl fmt::Display for ChildKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_called_as_its_definition_says() {
        let names = |kind: ChildKind| (kind.plural(), kind.group(), kind.short());
        for (kind, plural, group, short) in [
            (
                ChildKind::RemediationProcessing,
                "remediationprocessings",
                "remediationprocessing.kubernaut.ai",
                "rproc",
            ),
            (
                ChildKind::AIAnalysis,
                "aianalyses",
                "aianalysis.kubernaut.ai",
                "aia",
            ),
            (
                ChildKind::WorkflowExecution,
                "workflowexecutions",
                "workflowexecution.kubernaut.ai",
                "wfe",
            ),
            (
                ChildKind::KubernetesExecution,
                "kubernetesexecutions",
                "kubernetesexecution.kubernaut.ai",
                "kexec",
            ),
            (
                ChildKind::NotificationRequest,
                "notificationrequests",
                "notification.kubernaut.ai",
                "notif",
            ),
        ] {
            assert_eq!(names(kind), (plural, group, short));
        }
    }

    /// S1 is about these.
    #[test]
    fn workflows_and_their_steps_change_the_cluster_and_nothing_else_does() {
        let executes = ChildKind::ALL.into_iter().filter(|kind| kind.executes());
        let executes: Vec<ChildKind> = executes.collect();
        assert_eq!(
            executes,
            [ChildKind::WorkflowExecution, ChildKind::KubernetesExecution]
        );
    }
}
