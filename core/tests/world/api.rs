//! The API server's part of the world: optimistic concurrency, names taken once, owners and labels.

use remediation_core::action::NewChild;
use remediation_core::children::{Child, ChildStatus, Owner};
use remediation_core::error::ApiFailure;
use remediation_core::kind::{ChildKind, REQUEST_KIND, REQUEST_LABEL, REQUEST_UID_LABEL};
use remediation_core::names;
use remediation_core::pass::{Call, Outcome};
use serde_json::Value;

use super::{Object, Reply, World};

impl World {
    pub(crate) fn next_version(&mut self) -> String {
        self.versions += 1;
        self.versions.to_string()
    }

    pub(crate) fn answer(&mut self, call: &Call) -> Outcome {
        let Some(index) = self.faults.iter().position(|fault| (fault.fits)(call)) else {
            return self.apply(call);
        };
        let reply = self.faults[index].reply.clone();
        if let Some(times) = &mut self.faults[index].times {
            *times -= 1;
            if *times == 0 {
                self.faults.remove(index);
            }
        }
        match reply {
            Reply::Refuse(failure) => {
                self.now += self.refuses_after;
                Outcome::Failed(failure)
            }
            Reply::Lose => {
                self.apply(call);
                Outcome::Failed(timeout())
            }
        }
    }

    pub(crate) fn apply(&mut self, call: &Call) -> Outcome {
        let outcome = self.apply_alone(call);
        if !matches!(outcome, Outcome::Failed(_)) {
            self.note_applied(call);
        }
        outcome
    }

    fn apply_alone(&mut self, call: &Call) -> Outcome {
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
                (self.stores)(&mut request.status);
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
                if !self.strips_labels {
                    (object.child.request_label, object.child.request_uid_label) = labels;
                }
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
            return failed(409, "AlreadyExists", "the object exists already");
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

    pub(crate) fn owner(&self) -> Option<Owner> {
        self.request.as_ref().map(|request| Owner {
            kind: REQUEST_KIND.into(),
            name: request.identity.name.clone(),
            uid: request.identity.uid.clone(),
        })
    }

    fn labels(&self) -> (Option<String>, Option<String>) {
        let identity = self.request.as_ref().map(|request| &request.identity);
        (
            identity.map(|i| names::label(&i.name)),
            identity.map(|i| i.uid.clone()),
        )
    }
}

pub(crate) fn conflict() -> Outcome {
    Outcome::Failed(conflicting())
}

pub(crate) fn conflicting() -> ApiFailure {
    failure(409, "Conflict", "the object has been modified")
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

pub(crate) fn unavailable() -> ApiFailure {
    failure(503, "ServiceUnavailable", "etcd leader changed")
}

pub(crate) fn invalid() -> ApiFailure {
    failure(422, "Invalid", "spec.x: Invalid value")
}

pub(crate) fn forbidden(message: &str) -> ApiFailure {
    failure(403, "Forbidden", message)
}

pub(crate) fn timeout() -> ApiFailure {
    ApiFailure {
        timed_out: true,
        message: "no answer within 10s".into(),
        ..ApiFailure::default()
    }
}

pub(crate) fn any(_: &Call) -> bool {
    true
}

pub(crate) fn creates(call: &Call) -> bool {
    matches!(call, Call::Create(_))
}

pub(crate) fn creates_a(call: &Call, kind: ChildKind) -> bool {
    matches!(call, Call::Create(new) if new.key.kind == kind)
}

pub(crate) fn notifies(call: &Call) -> bool {
    creates_a(call, ChildKind::NotificationRequest)
}

pub(crate) fn records(call: &Call) -> bool {
    matches!(call, Call::Record(_))
}

pub(crate) fn reads(call: &Call) -> bool {
    matches!(call, Call::Read(_) | Call::ReadRequest)
}

pub(crate) fn reads_a(call: &Call, kind: ChildKind) -> bool {
    matches!(call, Call::Read(key) if key.kind == kind)
}

pub(crate) fn restores(call: &Call) -> bool {
    matches!(call, Call::RestoreOwnership(_))
}

pub(crate) fn deletes(call: &Call) -> bool {
    matches!(call, Call::DeleteChild(_))
}
