//! The remediations of the demo: what each asks for, what the simulated controllers and people do with it, and
//! what has to come of it.

use std::time::Duration;

use remediation_adapters::simulation::children::{
    Approval, Decision, Script, Scripts, Stage, Step,
};
use remediation_core::phase::Phase;
use remediation_core::time::GoDuration;
use serde_json::{Value, json};

/// The namespace of the demo's remediations.
pub(crate) const NAMESPACE: &str = "demo";

/// One remediation.
#[derive(Debug)]
pub(crate) struct Remediation {
    pub(crate) name: &'static str,
    pub(crate) alert: &'static str,
    environment: &'static str,
    /// Kind, name and namespace of what is broken.
    target: (&'static str, &'static str, &'static str),
    timeouts: Value,
    pub(crate) script: Script,
    pub(crate) disturbance: Disturbance,
    pub(crate) expected: Expected,
    /// What it shows, in a few words.
    pub(crate) shows: &'static str,
}

/// What somebody does to a remediation while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    Nothing,
    /// The WorkflowExecution is deleted while it executes.
    DeleteWorkflow,
    /// The request is edited just before a status write arrives, so that the write conflicts.
    EditBeforeStatusWrite,
}

/// How a remediation has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) phase: Phase,
    pub(crate) reason: &'static str,
}

impl Remediation {
    /// The RemediationRequest.
    pub(crate) fn manifest(&self) -> Value {
        let (kind, name, namespace) = self.target;
        json!({
            "apiVersion": "remediation.kubernaut.ai/v1alpha1",
            "kind": "RemediationRequest",
            "metadata": { "name": self.name, "namespace": NAMESPACE },
            "spec": {
                "targetingData": {
                    "signalFingerprint": format!("fp-{}", self.name),
                    "alertName": self.alert,
                    "environment": self.environment,
                    "severity": "critical",
                    "targetResource": { "kind": kind, "name": name, "namespace": namespace },
                },
                "timeouts": self.timeouts,
            },
        })
    }
}

/// The scripts of all of them.
pub(crate) fn scripts(remediations: &[Remediation]) -> Scripts {
    remediations
        .iter()
        .fold(Scripts::all(usual()), |scripts, remediation| {
            scripts.with(remediation.name, remediation.script.clone())
        })
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the controllers do where nothing else is said: real minutes become tenths of seconds.
fn usual() -> Script {
    Script {
        processing: Stage::lasting(millis(700)),
        analysis: Stage::lasting(millis(1200)),
        planning: Stage::lasting(millis(700)),
        workflow: Stage::lasting(millis(1400)),
        ..Script::default()
    }
}

fn step(name: &str, action: &str, after: &[&str], stage: Stage) -> Step {
    Step {
        name: name.to_owned(),
        action: action.to_owned(),
        depends_on: after.iter().map(ToString::to_string).collect(),
        stage,
    }
}

fn completed(name: &'static str, alert: &'static str, script: Script) -> Remediation {
    Remediation {
        name,
        alert,
        environment: "production",
        target: ("Deployment", "checkout", "shop"),
        timeouts: json!({}),
        script,
        disturbance: Disturbance::Nothing,
        expected: Expected {
            phase: Phase::Completed,
            reason: "RemediationCompleted",
        },
        shows: "",
    }
}

fn failed(
    name: &'static str,
    alert: &'static str,
    reason: &'static str,
    script: Script,
) -> Remediation {
    Remediation {
        expected: Expected {
            phase: Phase::Failed,
            reason,
        },
        ..completed(name, alert, script)
    }
}

/// All of them, in the order in which the alerts fire.
pub(crate) fn remediations() -> Vec<Remediation> {
    vec![
        Remediation {
            shows: "the usual way",
            ..completed("checkout-crashloop", "KubePodCrashLooping", usual())
        },
        Remediation {
            target: ("Deployment", "catalog", "shop"),
            disturbance: Disturbance::EditBeforeStatusWrite,
            shows: "a status write that conflicts",
            ..completed(
                "catalog-memory",
                "HighMemoryUsage",
                Script {
                    recommendations: vec!["RaiseMemoryLimit".to_owned()],
                    ..usual()
                },
            )
        },
        node_not_ready(),
        Remediation {
            target: ("PersistentVolumeClaim", "orders-db-0", "shop"),
            shows: "waits for approval, which comes",
            ..completed(
                "orders-db-volume",
                "KubePersistentVolumeFillingUp",
                Script {
                    recommendations: vec!["ExpandVolume".to_owned()],
                    approval: Some(Approval {
                        after: GoDuration::from_millis(2500),
                        decision: Decision::Approved,
                    }),
                    ..usual()
                },
            )
        },
        Remediation {
            target: ("Job", "invoices-nightly", "billing"),
            shows: "approval is refused",
            ..failed(
                "invoices-job",
                "KubeJobFailed",
                "AnalysisRejected",
                Script {
                    approval: Some(Approval {
                        after: GoDuration::from_millis(1500),
                        decision: Decision::Rejected,
                    }),
                    ..usual()
                },
            )
        },
        Remediation {
            target: ("Service", "search", "shop"),
            shows: "processing fails",
            ..failed(
                "search-targets",
                "TargetDown",
                "MetricsUnavailable",
                Script {
                    processing: Stage::failing(
                        millis(900),
                        "MetricsUnavailable",
                        "the metrics of the last hour cannot be read",
                    ),
                    ..usual()
                },
            )
        },
        Remediation {
            target: ("Deployment", "pricing", "shop"),
            shows: "analysis fails",
            ..failed(
                "pricing-throttling",
                "CPUThrottlingHigh",
                "ModelUnavailable",
                Script {
                    analysis: Stage::failing(
                        millis(1500),
                        "ModelUnavailable",
                        "the model did not answer",
                    ),
                    ..usual()
                },
            )
        },
        Remediation {
            target: ("StatefulSet", "etcd", "kube-system"),
            shows: "planning fails",
            ..failed(
                "etcd-fsync",
                "etcdHighFsyncDurations",
                "PolicyForbids",
                Script {
                    planning: Stage::failing(
                        millis(800),
                        "PolicyForbids",
                        "no action on kube-system outside of a maintenance window",
                    ),
                    ..usual()
                },
            )
        },
        ledger_replica(),
        Remediation {
            target: ("Ingress", "storefront", "shop"),
            timeouts: json!({ "analyzing": "2500ms" }),
            shows: "the analysis controller is down",
            ..failed(
                "storefront-certificate",
                "CertificateExpiresSoon",
                "ChildNeverStarted",
                Script {
                    analysis: Stage::ignored(),
                    ..usual()
                },
            )
        },
        Remediation {
            target: ("Deployment", "payments", "billing"),
            timeouts: json!({ "executing": "2500ms" }),
            shows: "the workflow hangs",
            ..failed(
                "payments-rollout",
                "KubeDeploymentRolloutStuck",
                "PhaseTimeout",
                Script {
                    workflow: Stage::stalling(),
                    ..usual()
                },
            )
        },
        Remediation {
            target: ("Deployment", "sessions", "shop"),
            disturbance: Disturbance::DeleteWorkflow,
            shows: "somebody deletes the workflow",
            ..failed(
                "sessions-oom",
                "ContainerOOMKilled",
                "ChildDeleted",
                Script {
                    workflow: Stage::stalling(),
                    ..usual()
                },
            )
        },
    ]
}

/// Steps that depend on each other, two of them side by side, run by the orchestrator.
fn node_not_ready() -> Remediation {
    let brief = || Stage::lasting(millis(800));
    Remediation {
        target: ("Node", "worker-7", ""),
        shows: "a plan of five steps, two side by side",
        ..completed(
            "worker-7-notready",
            "KubeNodeNotReady",
            Script {
                recommendations: vec!["ReplaceNode".to_owned()],
                executed_by_orchestrator: true,
                steps: vec![
                    step("cordon", "CordonNode", &[], brief()),
                    step("drain", "DrainNode", &["cordon"], brief()),
                    step("snapshot", "SnapshotVolumes", &["cordon"], brief()),
                    step("replace", "ReplaceNode", &["drain", "snapshot"], brief()),
                    step("uncordon", "UncordonNode", &["replace"], brief()),
                ],
                ..usual()
            },
        )
    }
}

/// A step that fails: the one that depends on it is never created.
fn ledger_replica() -> Remediation {
    Remediation {
        target: ("StatefulSet", "ledger", "billing"),
        shows: "a step fails, the next is never begun",
        ..failed(
            "ledger-replica",
            "PostgresReplicationLag",
            "ReplicaBusy",
            Script {
                recommendations: vec!["RebuildReplica".to_owned()],
                executed_by_orchestrator: true,
                steps: vec![
                    step("fence", "FenceReplica", &[], Stage::lasting(millis(600))),
                    step(
                        "rebuild",
                        "RebuildReplica",
                        &["fence"],
                        Stage::failing(millis(800), "ReplicaBusy", "the replica serves a backup"),
                    ),
                    step("unfence", "UnfenceReplica", &["rebuild"], Stage::default()),
                ],
                ..usual()
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_used_once_and_every_remediation_says_what_it_shows() {
        let all = remediations();
        let names: std::collections::BTreeSet<&str> =
            all.iter().map(|remediation| remediation.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|remediation| !remediation.shows.is_empty()));
    }
}
