//! The real binary on a real control plane: the one that all tests share, or one of its own.

use std::ops::Deref;

use kube::Client;

use super::judge::Record;
use crate::harness::{
    AuditEvent, AuditMark, ControlPlane, DEADLINE, Failure, Operator, Result, User,
};

pub(super) struct Real {
    plane: Plane,
    operator: Option<Operator>,
    begin: AuditMark,
}

/// Whose control plane it is.
pub(super) enum Plane {
    Shared(&'static ControlPlane),
    Own(Box<ControlPlane>),
}

impl Deref for Plane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        match self {
            Plane::Shared(plane) => plane,
            Plane::Own(plane) => plane,
        }
    }
}

impl Real {
    pub(super) async fn start(plane: Plane, scenario: &str) -> Result<(Self, Client, String)> {
        let begin = plane.audit_mark();
        let namespace = plane.namespace(&short(scenario)).await?;
        let client = plane.client(User::ChildControllers).await?;
        let mut real = Self {
            plane,
            operator: None,
            begin,
        };
        real.start_operator(&namespace).await?;
        Ok((real, client, namespace))
    }

    pub(super) async fn start_operator(&mut self, namespace: &str) -> Result {
        let kubeconfig = self.plane.kubeconfig(User::Admin);
        self.operator = Some(Operator::start(&kubeconfig, &["--namespace", namespace]).await?);
        Ok(())
    }

    pub(super) fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    pub(super) fn kill(&mut self) {
        if let Some(operator) = self.operator.take() {
            operator.kill9();
        }
    }

    pub(super) async fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        match &self.operator {
            Some(operator) => operator.metric(name, labels).await,
            None => Err(Failure::new("no operator is running")),
        }
    }

    /// How the operator's writes to the status of this request were answered.
    pub(super) async fn status_writes(&self, namespace: &str, request: &str) -> Result<Vec<u16>> {
        let is_ours = |event: &AuditEvent| {
            let about = event.object_ref.as_ref();
            event.is_in(namespace)
                && event.user_agent.starts_with("remediation-orchestrator")
                && event.is_write()
                && about.is_some_and(|about| about.subresource == "status" && about.name == request)
        };
        let what = "the operator's status writes";
        let events = self
            .plane
            .audited(self.begin, what, 4, DEADLINE, is_ours)
            .await?;
        Ok(events.iter().map(AuditEvent::code).collect())
    }

    pub(super) fn is_running(&self) -> bool {
        self.operator.is_some()
    }

    /// What happened in the scenario's namespace.
    pub(super) fn record(&self, namespace: &str) -> Result<Record> {
        Record::audited(&self.plane, self.begin, namespace)
    }

    /// Ends the operator in order, and tells what it logged.
    pub(super) async fn close(self) -> String {
        let Some(operator) = self.operator else {
            return "no operator was running at the end".to_owned();
        };
        let log = operator.log_file();
        let end = operator.terminate(DEADLINE).await;
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let from = log.len().saturating_sub(8_000);
        let tail = log.get(from..).unwrap_or(&log);
        format!("the operator ended with {end:?}; the end of its log:\n{tail}")
    }
}

/// A namespace's name holds 63 characters; the harness adds a number.
fn short(scenario: &str) -> String {
    let name: String = scenario.replace('_', "-").chars().take(40).collect();
    name.trim_end_matches('-').to_owned()
}
