//! One reconcile pass: decide, make one call, learn from its outcome, and decide again until nothing is left
//! to do. A state machine without I/O: whoever drives it makes the calls and hands back the outcomes, so that
//! the operator, the simulation and a model checker drive the same code.
//!
//! ```text
//! decide → Create → applied ─→ the child is seen ──→ decide → Record → …
//!                 └ refused ─→ the refusal is remembered → decide → Record(Failed) or WakeAt
//! ```
//!
//! | what goes wrong | what follows |
//! |---|---|
//! | a create: the name is taken (409) | the object under it is read; ours is used, another's is a NameConflict |
//! | the same twice, and twice nothing is found there | remembered as refused for now |
//! | a create: no answer in time | remembered as refused for now; found under its name, by the watch or by the next try, it counts as created |
//! | a status write: somebody wrote first (409) | the request is read and decided afresh, [`CONFLICT_TRIES`] times; again in a second, and from the third such pass on with backoff |
//! | a status write: anything else | tried again with backoff; what rests on it waits |
//! | a status that the API server stores otherwise | decided afresh from what it stored, [`CONFLICT_TRIES`] times |
//! | a status write: not there (404) | the request is read: gone ends the pass |
//! | a read that finds nothing (404) | the child is known to be absent |
//! | the deletion of a child or of the request: somebody wrote first (409) | it is read and decided afresh, [`CONFLICT_TRIES`] times; then as anything refused |
//! | anything refused (403, 422, 429, 5xx, ...) | classified by [`classify`] and remembered with its backoff; `decide` says what it means |

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::action::{Action, Event, NewChild, Precondition};
use crate::children::{Belongs, Child, ChildKey, Children};
use crate::decide::{State, decide};
use crate::error::{ApiFailure, Cause, classify};
use crate::housekeeping;
use crate::memory::{Errand, Memory};
use crate::phase::Phase;
use crate::request::Request;
use crate::status::Status;
use crate::time::{GoDuration, Time};

/// Tries of one status write within a pass, each after a fresh read (category E of the enhancement guide).
pub const CONFLICT_TRIES: u32 = 3;
/// Rounds of `decide` within one pass; far more than any view needs, so that a mistake cannot spin.
const MOST_ROUNDS: u32 = 32;

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
    /// How often a name was found taken in this pass.
    taken: BTreeMap<ChildKey, u32>,
    not_kept: u32,
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
    pub fn new(mut state: State, children: Children) -> Self {
        // A create whose answer was lost may have been applied after all.
        let request = &state.request.identity;
        state.memory.refusals.retain(|errand, _| match errand {
            Errand::Create(key) => {
                let child = children.at(key);
                child.is_none_or(|child| child.belongs(request) != Belongs::Ours)
            }
            Errand::Record
            | Errand::Read(_)
            | Errand::RestoreOwnership(_)
            | Errand::DeleteChild(_)
            | Errand::DeleteRequest => true,
        });
        Self {
            state,
            children,
            queue: VecDeque::new(),
            in_flight: None,
            wake: None,
            next: Then::Decide,
            last_written: None,
            taken: BTreeMap::new(),
            not_kept: 0,
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
                    self.finish(Some(in_a_second(now)));
                }
                Then::Decide => {
                    self.rounds += 1;
                    let actions = decide(&self.state, &self.children, now);
                    if let Some(wake) = rest(&actions) {
                        self.state.memory.rest(wake, now);
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
                let identity = &self.state.request.identity;
                let in_vain = matches!(call, Call::RestoreOwnership(_))
                    && housekeeping::lost_ownership(identity, &child);
                if in_vain {
                    self.drop_announcements();
                    let message =
                        "the owner reference and labels were given back and taken away again";
                    let errand = Errand::RestoreOwnership(child.key.clone());
                    self.refuse(errand, Cause::PolicyDenied, message, None, now);
                } else if let Some(errand) = &errand {
                    self.state.memory.succeed(errand);
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

    /// How often the pass has decided so far.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    fn begin(&mut self, action: Action, now: Timestamp) -> Option<Step> {
        let call = match action {
            Action::WakeAt(moment) => {
                self.wake = Some(self.wake.map_or(moment, |wake| wake.min(moment)));
                return None;
            }
            Action::Announce(event) => return Some(Step::Announce(event)),
            Action::Create(child) => Call::Create(child),
            Action::Record(record)
                if self.last_written.as_ref() == Some(&record.status)
                    || self.not_kept >= CONFLICT_TRIES =>
            {
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
        let key = child.key.clone();
        let belongs = if housekeeping::is_named(&self.state.request.status, &child) {
            Belongs::Ours
        } else {
            child.belongs(&self.state.request.identity)
        };
        self.children.learn(child);
        let cause = match belongs {
            Belongs::Ours => return self.state.memory.succeed(&Errand::Create(key)),
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
            if self.state.request.status == record.to {
                self.state.memory.succeed(&Errand::Record);
            } else {
                self.not_kept += 1;
                // What was to follow may rest on what was not kept; its own Events are told all the same.
                let of_it = |action: &&Action| matches!(action, Action::Announce(_));
                let kept = self.queue.iter().take_while(of_it).count();
                self.queue.truncate(kept);
            }
            self.last_written = Some(record.to.clone());
            self.state.memory.last_record = Some(now);
        } else {
            self.next = Then::Decide;
        }
    }

    /// What a call that failed leads to: the table at the top of this file, in the order of its causes.
    fn learn_failure(
        &mut self,
        failure: &ApiFailure,
        call: Call,
        errand: Option<Errand>,
        now: Timestamp,
    ) {
        let cause = classify(failure);
        self.drop_announcements();
        match (cause, call) {
            (Cause::AlreadyExists, Call::Create(child)) => {
                *self.taken.entry(child.key.clone()).or_default() += 1;
                self.queue.push_front(Action::Read(child.key));
            }
            (Cause::NotFound, Call::Read(key)) => {
                self.state.memory.succeed(&Errand::Read(key.clone()));
                self.children.learn_absent(&key);
                // Once is a race with a deletion.
                if self.taken.get(&key).is_some_and(|times| *times > 1) {
                    let message = format!(
                        "the API server says that {key} exists already, and does not find it"
                    );
                    let errand = Errand::Create(key);
                    self.refuse(errand, Cause::AlreadyExists, &message, None, now);
                }
            }
            (Cause::NotFound, Call::DeleteChild(gone) | Call::RestoreOwnership(gone)) => {
                self.children.learn_absent(&gone.key);
            }
            (Cause::NotFound, Call::Record(_)) => {
                // Gone, or a definition without the status subresource: reading it tells which.
                self.queue.clear();
                self.refuse(Errand::Record, cause, &failure.message, None, now);
                self.next = Then::ReadRequest;
            }
            (Cause::NotFound, Call::ReadRequest | Call::DeleteRequest { .. }) => {
                self.finish(None);
            }
            (Cause::Conflict, Call::Record(_)) => {
                self.queue.clear();
                self.conflicts += 1;
                if self.conflicts < CONFLICT_TRIES {
                    self.next = Then::ReadRequest;
                } else if self.state.memory.is_outrun_for_good() {
                    self.refuse(Errand::Record, cause, &failure.message, None, now);
                    self.next = Then::ReadRequest;
                } else {
                    self.finish(Some(in_a_second(now)));
                }
            }
            (Cause::Conflict, Call::DeleteChild(stale) | Call::RestoreOwnership(stale))
                if self.conflicts + 1 < CONFLICT_TRIES =>
            {
                self.conflicts += 1;
                self.queue.push_front(Action::Read(stale.key));
            }
            (Cause::Conflict, Call::DeleteRequest { .. })
                if self.conflicts + 1 < CONFLICT_TRIES =>
            {
                self.conflicts += 1;
                self.next = Then::ReadRequest;
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
                let refused = self.state.memory.refusal(&Errand::Record);
                self.finish(refused.map(|refusal| refusal.next_try));
            }
            (_, Call::Read(key)) if self.taken.contains_key(&key) => {
                // It is read because its name is taken: without an answer it is not tried again at once either.
                for errand in [Errand::Read(key.clone()), Errand::Create(key)] {
                    let wait = failure.retry_after;
                    self.refuse(errand, cause, &failure.message, wait, now);
                }
            }
            (_, _) => {
                if let Some(errand) = errand {
                    self.refuse(errand, cause, &failure.message, failure.retry_after, now);
                }
            }
        }
    }

    /// The Events that follow a call tell of its success.
    fn drop_announcements(&mut self) {
        while let Some(Action::Announce(_)) = self.queue.front() {
            self.queue.pop_front();
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

/// Until when these actions rest, if they ask for nothing.
fn rest(actions: &[Action]) -> Option<Option<Timestamp>> {
    let mut first = None;
    for action in actions {
        let Action::WakeAt(moment) = action else {
            return None;
        };
        first = Some(first.map_or(*moment, |first: Timestamp| first.min(*moment)));
    }
    Some(first)
}

fn in_a_second(now: Timestamp) -> Timestamp {
    Time::at(now).plus(GoDuration::from_secs(1)).moment()
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
