//! A world in memory: the API server's part is played exactly and without delay, the children's part by the test.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use remediation_core::action::{Event, NewChild};
use remediation_core::children::{Child, ChildKey, ChildStatus, Children, Owner};
use remediation_core::decide::State;
use remediation_core::error::ApiFailure;
use remediation_core::kind::{ChildKind, REQUEST_KIND, REQUEST_LABEL, REQUEST_UID_LABEL};
use remediation_core::memory::Memory;
use remediation_core::pass::{Call, Outcome, Pass, Step};
use remediation_core::phase::Phase;
use remediation_core::policy::Settings;
use remediation_core::request::{Identity, Request, RequestSpec};
use remediation_core::status::Status;
use remediation_core::targeting::TargetingData;
use serde_json::{Value, json};

/// One request, its children, and everything that was asked of the API server.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) request: Option<Request>,
    pub(crate) objects: BTreeMap<ChildKey, Object>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) memory: Memory,
    pub(crate) calls: Vec<Call>,
    pub(crate) events: Vec<Event>,
    /// Answers that the API server gives instead of its own, each once, to the first call that they fit.
    pub(crate) refusals: Vec<(Fits, ApiFailure)>,
    /// When the last pass asked to be woken.
    pub(crate) wake: Option<Timestamp>,
    versions: u64,
}

/// Which calls an answer is for.
pub(crate) type Fits = fn(&Call) -> bool;

/// A child as the API server stores it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) child: Child,
    pub(crate) spec: Value,
}

impl World {
    /// A world with one new, valid request.
    pub(crate) fn new() -> Self {
        let request = Request {
            identity: Identity {
                namespace: "shop".into(),
                name: "web".into(),
                uid: "0a1b2c3d-1111-4111-8111-000000000001".into(),
            },
            resource_version: "1".into(),
            generation: 1,
            spec: RequestSpec {
                targeting_data: Some(TargetingData {
                    signal_fingerprint: "fp-1".into(),
                    alert_name: "HighMemoryUsage".into(),
                    environment: "production".into(),
                    ..TargetingData::default()
                }),
                ..RequestSpec::default()
            },
            ..Request::default()
        };
        Self {
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            request: Some(request),
            objects: BTreeMap::new(),
            settings: Arc::default(),
            memory: Memory::default(),
            calls: Vec::new(),
            events: Vec::new(),
            refusals: Vec::new(),
            wake: None,
            versions: 1,
        }
    }

    pub(crate) fn status(&self) -> &Status {
        &self.request.as_ref().expect("the request is gone").status
    }

    pub(crate) fn phase(&self) -> Phase {
        self.status().known_phase().expect("a phase of ours")
    }

    /// Runs one pass to its end.
    pub(crate) fn reconcile(&mut self) {
        let Some(request) = self.request.clone() else {
            return;
        };
        let state = State {
            request,
            settings: self.settings.clone(),
            memory: std::mem::take(&mut self.memory),
        };
        let children: Children = self.objects.values().map(|o| o.child.clone()).collect();
        let mut pass = Pass::new(state, children);
        loop {
            match pass.next(self.now) {
                Step::Call(call) => {
                    let outcome = self.answer(&call);
                    self.calls.push(call);
                    pass.learn(outcome, self.now);
                }
                Step::Announce(event) => self.events.push(event),
                Step::Done(wake) => {
                    self.wake = wake;
                    self.memory = pass.into_parts().2;
                    return;
                }
            }
        }
    }

    /// Lets time pass and reconciles, as the wake-up at the end of it would.
    pub(crate) fn after(&mut self, duration: SignedDuration) {
        self.now += duration;
        self.reconcile();
    }

    /// A child's controller writes its status; then the watch event is reconciled.
    pub(crate) fn says(&mut self, kind: ChildKind, status: Value) {
        let key = self.key_of(kind);
        self.child_says(&key, status);
    }

    pub(crate) fn child_says(&mut self, key: &ChildKey, status: Value) {
        self.write_status(key, status);
        self.reconcile();
    }

    /// A child's controller writes its status, and nobody has noticed yet.
    pub(crate) fn write_status(&mut self, key: &ChildKey, status: Value) {
        let version = self.next_version();
        let object = self.objects.get_mut(key).expect("no such child");
        object.child.status = ChildStatus::read(key.kind, status);
        object.child.resource_version = version;
    }

    pub(crate) fn key_of(&self, kind: ChildKind) -> ChildKey {
        self.objects
            .keys()
            .find(|key| key.kind == kind)
            .unwrap_or_else(|| panic!("no {kind} exists"))
            .clone()
    }

    pub(crate) fn spec_of(&self, kind: ChildKind) -> &Value {
        &self.objects[&self.key_of(kind)].spec
    }

    pub(crate) fn count(&self, kind: ChildKind) -> usize {
        self.objects.keys().filter(|key| key.kind == kind).count()
    }

    /// How many calls of one sort were made.
    pub(crate) fn calls(&self, of_sort: Fits) -> usize {
        self.calls.iter().filter(|call| of_sort(call)).count()
    }

    /// Takes a remediation to this phase the ordinary way.
    pub(crate) fn until(phase: Phase) -> Self {
        let mut world = Self::new();
        world.reconcile();
        if phase > Phase::Processing {
            world.says(
                ChildKind::RemediationProcessing,
                json!({ "phase": "Completed", "enrichedData": { "owner": "team-a" } }),
            );
        }
        if phase > Phase::Analyzing {
            world.says(
                ChildKind::AIAnalysis,
                json!({ "phase": "Ready", "investigationResult": {
                    "recommendations": [{ "action": "ScaleDeployment" }] } }),
            );
        }
        if phase > Phase::WorkflowPlanning {
            world.says(
                ChildKind::WorkflowExecution,
                json!({ "phase": "Executing" }),
            );
        }
        assert_eq!(world.phase(), phase);
        world
    }

    fn next_version(&mut self) -> String {
        self.versions += 1;
        self.versions.to_string()
    }

    fn answer(&mut self, call: &Call) -> Outcome {
        if let Some(index) = self.refusals.iter().position(|(fits, _)| fits(call)) {
            return Outcome::Failed(self.refusals.remove(index).1);
        }
        match call {
            Call::Create(new) => self.create(new),
            Call::Record(record) => {
                let version = self.next_version();
                let Some(request) = &mut self.request else {
                    return not_found();
                };
                if request.resource_version != record.resource_version {
                    return conflict();
                }
                request.status = record.to.clone();
                request.resource_version = version;
                Outcome::Request(Box::new(request.clone()))
            }
            Call::Read(key) => match self.objects.get(key) {
                Some(object) => Outcome::Child(Box::new(object.child.clone())),
                None => not_found(),
            },
            Call::ReadRequest => match &self.request {
                Some(request) => Outcome::Request(Box::new(request.clone())),
                None => not_found(),
            },
            Call::RestoreOwnership(seen) => {
                let version = self.next_version();
                let owner = self.owner();
                let labels = self.labels();
                let Some(object) = self.objects.get_mut(&seen.key) else {
                    return not_found();
                };
                if object.child.resource_version != seen.resource_version {
                    return conflict();
                }
                object.child.resource_version = version;
                object.child.owner = owner;
                (object.child.request_label, object.child.request_uid_label) = labels;
                Outcome::Child(Box::new(object.child.clone()))
            }
            Call::DeleteChild(seen) => match self.objects.get(&seen.key) {
                None => not_found(),
                Some(object) if object.child.resource_version != seen.resource_version => {
                    conflict()
                }
                Some(_) => {
                    self.objects.remove(&seen.key);
                    Outcome::Deleted
                }
            },
            Call::DeleteRequest { resource_version } => match &self.request {
                None => not_found(),
                Some(request) if request.resource_version != *resource_version => conflict(),
                Some(_) => {
                    self.request = None;
                    Outcome::Deleted
                }
            },
        }
    }

    fn create(&mut self, new: &NewChild) -> Outcome {
        if self.objects.contains_key(&new.key) {
            return Outcome::Failed(ApiFailure {
                code: 409,
                reason: "AlreadyExists".into(),
                ..ApiFailure::default()
            });
        }
        let version = self.next_version();
        let child = Child {
            key: new.key.clone(),
            uid: format!("uid-{version}"),
            resource_version: version,
            deleting: false,
            owner: new.is_owned().then(|| self.owner()).flatten(),
            request_label: new.labels.get(REQUEST_LABEL).cloned(),
            request_uid_label: new.labels.get(REQUEST_UID_LABEL).cloned(),
            status: ChildStatus::read(new.key.kind, Value::Null),
        };
        let object = Object {
            child: child.clone(),
            spec: serde_json::to_value(&new.spec).unwrap(),
        };
        self.objects.insert(new.key.clone(), object);
        Outcome::Child(Box::new(child))
    }

    fn owner(&self) -> Option<Owner> {
        self.request.as_ref().map(|request| Owner {
            kind: REQUEST_KIND.into(),
            name: request.identity.name.clone(),
            uid: request.identity.uid.clone(),
        })
    }

    fn labels(&self) -> (Option<String>, Option<String>) {
        let identity = self.request.as_ref().map(|request| &request.identity);
        (
            identity.map(|i| i.name.clone()),
            identity.map(|i| i.uid.clone()),
        )
    }
}

pub(crate) fn conflict() -> Outcome {
    failed(409, "Conflict", "the object has been modified")
}

pub(crate) fn not_found() -> Outcome {
    failed(404, "NotFound", "not found")
}

pub(crate) fn failed(code: u16, reason: &str, message: &str) -> Outcome {
    Outcome::Failed(failure(code, reason, message))
}

pub(crate) fn failure(code: u16, reason: &str, message: &str) -> ApiFailure {
    ApiFailure {
        code,
        reason: reason.into(),
        message: message.into(),
        ..ApiFailure::default()
    }
}

pub(crate) fn creates(call: &Call) -> bool {
    matches!(call, Call::Create(_))
}

pub(crate) fn records(call: &Call) -> bool {
    matches!(call, Call::Record(_))
}

pub(crate) fn reads(call: &Call) -> bool {
    matches!(call, Call::Read(_) | Call::ReadRequest)
}
