//! One reconcile pass: decide, make one call, learn from its outcome, and decide again until nothing is left
//! to do. A state machine without I/O: whoever drives it makes the calls and hands back the outcomes, so that
//! the operator, the simulation and a model checker drive the same code.
//!
//! ```text
//! decide → Create → applied ─→ the child is seen ──→ decide → Record → …
//!                 └ refused ─→ the refusal is remembered → decide → Record(Failed) or WakeAt
//! ```

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::action::{Action, Event, NewChild, Precondition};
use crate::children::{Belongs, Child, ChildKey, Children};
use crate::decide::{State, decide};
use crate::error::{ApiFailure, Cause, classify};
use crate::memory::{Errand, Memory};
use crate::phase::Phase;
use crate::request::Request;
use crate::status::Status;
use crate::time::GoDuration;

/// Tries of one status write within a pass, each after a fresh read (category E of the enhancement guide).
pub const CONFLICT_TRIES: u32 = 3;
/// Rounds of `decide` within one pass; far more than any view needs, so that a mistake cannot spin.
const MOST_ROUNDS: u32 = 100;

/// One call to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// POST this child.
    Create(Box<NewChild>),
    /// PATCH the status from one to the other, against this resource version.
    Record(Box<RecordCall>),
    /// GET this child.
    Read(ChildKey),
    /// GET the request itself.
    ReadRequest,
    /// PATCH owner reference and labels of this child, with its UID and resource version.
    RestoreOwnership(Precondition),
    /// DELETE this child, with its UID and resource version.
    DeleteChild(Precondition),
    /// DELETE the request, with its UID and resource version.
    DeleteRequest {
        /// The resource version that was decided from.
        resource_version: String,
    },
}

/// A status to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordCall {
    /// The status that was decided from.
    pub from: Status,
    /// The new one.
    pub to: Status,
    /// The resource version that was decided from.
    pub resource_version: String,
    /// The phases that are entered by it, in order.
    pub path: Vec<Phase>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The API server answered with this child.
    Child(Box<Child>),
    /// The API server answered with this request.
    Request(Box<Request>),
    /// Deleted, or accepted for deletion.
    Deleted,
    /// Anything else, also no answer in time (which may have been applied).
    Failed(ApiFailure),
}

/// What to do next in a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make this call and [`Pass::learn`] its outcome.
    Call(Call),
    /// Write this Event, without waiting for it.
    Announce(Event),
    /// Nothing is left to do before this moment, or before something changes.
    Done(Option<Timestamp>),
}

/// One reconcile pass over one request.
#[derive(Debug)]
pub struct Pass {
    state: State,
    children: Children,
    queue: VecDeque<Action>,
    in_flight: Option<Call>,
    wake: Option<Timestamp>,
    next: Then,
    last_written: Option<Status>,
    conflicts: u32,
    rounds: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Then {
    Decide,
    ReadRequest,
    Finish,
}

impl Pass {
    /// A pass that begins from this view.
    #[must_use]
    pub fn new(state: State, children: Children) -> Self {
        Self {
            state,
            children,
            queue: VecDeque::new(),
            in_flight: None,
            wake: None,
            next: Then::Decide,
            last_written: None,
            conflicts: 0,
            rounds: 0,
        }
    }

    /// What to do next. After [`Step::Call`] the outcome must be learned first.
    pub fn next(&mut self, now: Timestamp) -> Step {
        loop {
            while let Some(action) = self.queue.pop_front() {
                if let Some(step) = self.begin(action, now) {
                    return step;
                }
            }
            match self.next {
                Then::Finish => return Step::Done(self.wake),
                Then::ReadRequest => return self.call(Call::ReadRequest),
                Then::Decide if self.rounds == MOST_ROUNDS => {
                    self.finish(Some(now + jiff::SignedDuration::from_secs(1)));
                }
                Then::Decide => {
                    self.rounds += 1;
                    let actions = decide(&self.state, &self.children, now);
                    if actions
                        .iter()
                        .all(|action| matches!(action, Action::WakeAt(_)))
                    {
                        self.next = Then::Finish;
                    }
                    self.wake = None;
                    self.queue.extend(actions);
                }
            }
        }
    }

    /// Takes note of what came of the call in flight.
    pub fn learn(&mut self, outcome: Outcome, now: Timestamp) {
        let Some(call) = self.in_flight.take() else {
            return;
        };
        let errand = errand(&call);
        match (outcome, call) {
            (Outcome::Child(child), call) => {
                if let Some(errand) = &errand {
                    self.state.memory.succeed(errand);
                }
                if matches!(call, Call::RestoreOwnership(_)) && child.owner.is_none() {
                    let message = "the owner reference was given back and taken away again";
                    let errand = Errand::RestoreOwnership(child.key.clone());
                    self.refuse(errand, Cause::PolicyDenied, message, None, now);
                }
                self.learn_child(*child, now);
            }
            (Outcome::Request(request), call) => {
                self.learn_request(*request, &call, now);
            }
            (Outcome::Deleted, Call::DeleteChild(gone)) => {
                self.state
                    .memory
                    .succeed(&Errand::DeleteChild(gone.key.clone()));
                self.children.learn_absent(&gone.key);
            }
            (Outcome::Deleted, _) => self.finish(None),
            (Outcome::Failed(failure), call) => self.learn_failure(&failure, call, errand, now),
        }
    }

    /// What is to be remembered for the next pass, and the newest view of the request and its children.
    #[must_use]
    pub fn into_parts(self) -> (Request, Children, Memory) {
        (self.state.request, self.children, self.state.memory)
    }

    /// The view that the next decision will be made from.
    #[must_use]
    pub fn view(&self) -> (&State, &Children) {
        (&self.state, &self.children)
    }

    fn begin(&mut self, action: Action, now: Timestamp) -> Option<Step> {
        let call = match action {
            Action::WakeAt(moment) => {
                self.wake = Some(self.wake.map_or(moment, |wake| wake.min(moment)));
                return None;
            }
            Action::Announce(event) => return Some(Step::Announce(event)),
            Action::Create(child) => Call::Create(child),
            Action::Record(record) if self.last_written.as_ref() == Some(&record.status) => {
                self.queue.clear();
                let message = "the API server did not keep the status that was written: is the installed custom resource definition older than the orchestrator?";
                self.refuse(Errand::Record, Cause::Invalid, message, None, now);
                return None;
            }
            Action::Record(record) => Call::Record(Box::new(RecordCall {
                from: self.state.request.status.clone(),
                to: record.status,
                resource_version: self.state.request.resource_version.clone(),
                path: record.path,
            })),
            Action::Read(key) => Call::Read(key),
            Action::RestoreOwnership(child) => Call::RestoreOwnership(child),
            Action::DeleteChild(child) => Call::DeleteChild(child),
            Action::DeleteRequest => Call::DeleteRequest {
                resource_version: self.state.request.resource_version.clone(),
            },
        };
        Some(self.call(call))
    }

    fn call(&mut self, call: Call) -> Step {
        self.in_flight = Some(call.clone());
        Step::Call(call)
    }

    fn finish(&mut self, wake: Option<Timestamp>) {
        self.queue.clear();
        self.wake = wake;
        self.next = Then::Finish;
    }

    /// A child was created, read or changed. An object that is not ours under a name of ours is a refusal of
    /// the errand to create it: for good where it is somebody else's, for now where the garbage collector is
    /// about to take it.
    fn learn_child(&mut self, child: Child, now: Timestamp) {
        let (key, belongs) = (
            child.key.clone(),
            child.belongs(&self.state.request.identity),
        );
        self.children.learn(child);
        let cause = match belongs {
            Belongs::Ours => return,
            Belongs::EarlierIncarnation => Cause::AlreadyExists,
            Belongs::Foreign => Cause::NameConflict,
        };
        let message = match belongs {
            Belongs::EarlierIncarnation => format!(
                "{key} still belongs to an earlier request of this name; waiting for the garbage collector"
            ),
            Belongs::Ours | Belongs::Foreign => {
                format!("{key} exists already and does not belong to this request")
            }
        };
        self.refuse(Errand::Create(key), cause, &message, None, now);
    }

    fn learn_request(&mut self, request: Request, call: &Call, now: Timestamp) {
        if request.identity.uid != self.state.request.identity.uid {
            return self.finish(None);
        }
        self.state.request = request;
        if let Call::Record(record) = call {
            self.last_written = Some(record.to.clone());
            self.state.memory.succeed(&Errand::Record);
            self.state.memory.last_record = Some(now);
        } else {
            self.next = Then::Decide;
        }
    }

    fn learn_failure(
        &mut self,
        failure: &ApiFailure,
        call: Call,
        errand: Option<Errand>,
        now: Timestamp,
    ) {
        let cause = classify(failure);
        match (cause, call) {
            (Cause::AlreadyExists, Call::Create(child)) => {
                self.queue.push_front(Action::Read(child.key));
            }
            (Cause::NotFound, Call::Read(key)) => {
                self.state.memory.succeed(&Errand::Read(key.clone()));
                self.children.learn_absent(&key);
            }
            (Cause::NotFound, Call::DeleteChild(gone) | Call::RestoreOwnership(gone)) => {
                self.children.learn_absent(&gone.key);
            }
            (Cause::NotFound, Call::Record(_) | Call::ReadRequest | Call::DeleteRequest { .. }) => {
                self.finish(None);
            }
            (Cause::Conflict, Call::Record(_)) => {
                self.queue.clear();
                self.conflicts += 1;
                if self.conflicts < CONFLICT_TRIES {
                    self.next = Then::ReadRequest;
                } else {
                    self.finish(Some(now + jiff::SignedDuration::from_secs(1)));
                }
            }
            (Cause::Conflict, Call::DeleteChild(stale) | Call::RestoreOwnership(stale)) => {
                self.queue.push_front(Action::Read(stale.key));
            }
            (Cause::Conflict, Call::DeleteRequest { .. }) => {
                self.queue.clear();
                self.next = Then::ReadRequest;
                self.conflicts += 1;
                if self.conflicts >= CONFLICT_TRIES {
                    self.finish(Some(now + jiff::SignedDuration::from_secs(1)));
                }
            }
            (_, Call::Record(_)) => {
                self.queue.clear();
                self.refuse(
                    Errand::Record,
                    cause,
                    &failure.message,
                    failure.retry_after,
                    now,
                );
            }
            (_, Call::ReadRequest) => {
                self.refuse(
                    Errand::Record,
                    cause,
                    &failure.message,
                    failure.retry_after,
                    now,
                );
                self.next = Then::Decide;
            }
            (_, _) => {
                if let Some(errand) = errand {
                    self.refuse(errand, cause, &failure.message, failure.retry_after, now);
                }
            }
        }
    }

    fn refuse(
        &mut self,
        errand: Errand,
        cause: Cause,
        message: &str,
        retry_after: Option<GoDuration>,
        now: Timestamp,
    ) {
        let who = self.state.request.identity.uid.clone();
        self.state
            .memory
            .refuse(errand, cause, message, retry_after, &who, now);
    }
}

fn errand(call: &Call) -> Option<Errand> {
    match call {
        Call::Create(child) => Some(Errand::Create(child.key.clone())),
        Call::Record(_) => Some(Errand::Record),
        Call::Read(key) => Some(Errand::Read(key.clone())),
        Call::ReadRequest => None,
        Call::RestoreOwnership(child) => Some(Errand::RestoreOwnership(child.key.clone())),
        Call::DeleteChild(child) => Some(Errand::DeleteChild(child.key.clone())),
        Call::DeleteRequest { .. } => Some(Errand::DeleteRequest),
    }
}
