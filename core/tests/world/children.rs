//! The children's part of the world: what their controllers say, and what people do to them.

use remediation_core::children::{Child, ChildKey, ChildStatus, Owner};
use remediation_core::kind::ChildKind;
use remediation_core::phase::Phase;
use serde_json::{Value, json};

use super::{Object, World};

pub(crate) const RP: ChildKind = ChildKind::RemediationProcessing;
pub(crate) const AIA: ChildKind = ChildKind::AIAnalysis;
pub(crate) const WFE: ChildKind = ChildKind::WorkflowExecution;
pub(crate) const KEXEC: ChildKind = ChildKind::KubernetesExecution;
pub(crate) const NOTIF: ChildKind = ChildKind::NotificationRequest;

impl World {
    /// A child's controller writes its status; then the watch event is reconciled.
    pub(crate) fn says(&mut self, kind: ChildKind, status: Value) {
        let key = self.key_of(kind);
        self.child_says(&key, status);
    }

    pub(crate) fn child_says(&mut self, key: &ChildKey, status: Value) {
        self.write_status(key, status);
        self.reconcile();
    }

    /// The KubernetesExecution of this step reports.
    pub(crate) fn step_says(&mut self, step: &str, status: Value) {
        let key = ChildKey::new(KEXEC, format!("web-execution-{step}"));
        self.child_says(&key, status);
    }

    /// A child's controller writes its status, and nobody has noticed yet.
    pub(crate) fn write_status(&mut self, key: &ChildKey, status: Value) {
        let read = ChildStatus::read(key.kind, status);
        self.change(key, |child| child.status = read);
    }

    /// Somebody changes a child, and nobody has noticed yet.
    pub(crate) fn change(&mut self, key: &ChildKey, change: impl FnOnce(&mut Child)) {
        let version = self.next_version();
        let object = self.objects.get_mut(key).expect("no such child");
        change(&mut object.child);
        object.child.resource_version = version;
    }

    /// A child is gone; then the watch event is reconciled.
    pub(crate) fn vanish(&mut self, kind: ChildKind) {
        let key = self.key_of(kind);
        self.objects.remove(&key);
        self.reconcile();
    }

    /// A child gets a deletion timestamp, and a finalizer holds it.
    pub(crate) fn begin_deleting(&mut self, kind: ChildKind) {
        let key = self.key_of(kind);
        self.change(&key, |child| child.deleting = true);
        self.reconcile();
    }

    /// An object that somebody else made, under a name of ours.
    pub(crate) fn put(
        &mut self,
        kind: ChildKind,
        name: &str,
        owner: Option<Owner>,
        uid_label: Option<&str>,
    ) {
        let version = self.next_version();
        let key = ChildKey::new(kind, name);
        let child = Child {
            key: key.clone(),
            uid: format!("other-{version}"),
            resource_version: version,
            deleting: false,
            owner,
            request_label: None,
            request_uid_label: uid_label.map(str::to_owned),
            status: ChildStatus::read(kind, json!({ "phase": "Completed" })),
        };
        let object = Object {
            child,
            spec: json!({}),
        };
        self.objects.insert(key, object);
    }

    pub(crate) fn key_of(&self, kind: ChildKind) -> ChildKey {
        self.objects
            .keys()
            .find(|key| key.kind == kind)
            .unwrap_or_else(|| panic!("no {kind} exists"))
            .clone()
    }

    pub(crate) fn uid_of(&self, kind: ChildKind) -> String {
        self.objects[&self.key_of(kind)].child.uid.clone()
    }

    pub(crate) fn spec_of(&self, kind: ChildKind) -> &Value {
        &self.objects[&self.key_of(kind)].spec
    }

    pub(crate) fn names_of(&self, kind: ChildKind) -> Vec<&str> {
        let of_kind = self.objects.keys().filter(|key| key.kind == kind);
        of_kind.map(|key| key.name.as_str()).collect()
    }

    pub(crate) fn count(&self, kind: ChildKind) -> usize {
        self.names_of(kind).len()
    }

    /// The one NotificationRequest of this type.
    pub(crate) fn notification(&self, occasion: &str) -> Option<&Value> {
        let mut found = self
            .objects
            .iter()
            .filter(|(key, object)| key.kind == NOTIF && object.spec["type"] == occasion)
            .map(|(_, object)| &object.spec);
        let first = found.next();
        assert!(
            found.next().is_none(),
            "two notifications of type {occasion}"
        );
        first
    }

    /// Takes a remediation to this phase the ordinary way.
    pub(crate) fn until(phase: Phase) -> Self {
        let mut world = Self::new();
        world.proceed_to(phase);
        world
    }

    /// Goes on to this phase the ordinary way.
    pub(crate) fn proceed_to(&mut self, phase: Phase) {
        self.reconcile();
        if phase > Phase::Processing && self.phase() == Phase::Processing {
            self.says(RP, completed_processing());
        }
        if phase > Phase::Analyzing && self.phase() == Phase::Analyzing {
            self.says(AIA, ready());
        }
        if phase > Phase::WorkflowPlanning && self.phase() == Phase::WorkflowPlanning {
            self.says(WFE, json!({ "phase": "Executing" }));
        }
        if phase == Phase::Completed {
            self.says(WFE, json!({ "phase": "Completed" }));
        }
        assert_eq!(self.phase(), phase);
    }

    /// A remediation in Executing whose plan is run by the orchestrator.
    pub(crate) fn running(steps: &Value) -> Self {
        let mut world = Self::until(Phase::WorkflowPlanning);
        world.says(WFE, executing(steps));
        world
    }
}

pub(crate) fn completed_processing() -> Value {
    json!({ "phase": "Completed", "enrichedData": { "owner": "team-a" } })
}

/// An AIAnalysis that is ready, with one recommendation.
pub(crate) fn ready() -> Value {
    json!({ "phase": "Ready", "investigationResult": { "recommendations": [{ "action": "ScaleDeployment" }] } })
}

/// A WorkflowExecution that executes a plan that is ours to run.
pub(crate) fn executing(steps: &Value) -> Value {
    workflow("Executing", steps)
}

pub(crate) fn workflow(phase: &str, steps: &Value) -> Value {
    json!({ "phase": phase, "plan": { "executedBy": "Orchestrator", "steps": steps } })
}
