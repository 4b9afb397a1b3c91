//! One committed write, as the API server or its audit log tells of it.

use std::sync::Arc;

use jiff::Timestamp;
use remediation_core::kind::{ChildKind, REQUEST_GROUP, REQUEST_PLURAL};
use serde_json::Value;

/// How the orchestrator's `User-Agent` begins, in every build.
const ORCHESTRATOR: &str = "remediation-orchestrator";
/// How those of the cluster's own controllers begin.
const SYSTEM: [&str; 2] = ["kube-controller-manager", "kube-apiserver"];

/// Who wrote. All that the promises ask is whether it was the orchestrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The orchestrator, by what tells one of its replicas or processes from another: its `User-Agent`.
    Orchestrator(Arc<str>),
    /// A controller of a child kind.
    Children,
    /// The garbage collector, the namespace controller.
    System,
    /// Anybody else.
    User,
}

impl Actor {
    /// By the `User-Agent` of the request. None means the simulated server's own controllers. Who plays a child's controller
    /// cannot be told from a user, and need not be.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        if user_agent.starts_with(ORCHESTRATOR) {
            Self::Orchestrator(user_agent.into())
        } else if user_agent.is_empty() || SYSTEM.iter().any(|name| user_agent.starts_with(name)) {
            Self::System
        } else {
            Self::User
        }
    }

    /// Whether it was the orchestrator.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Orchestrator(_))
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A RemediationRequest.
    Request,
    /// One of the kinds that the orchestrator creates.
    Child(ChildKind),
}

impl Kind {
    /// By API group and plural; none for kinds that are no remediation's.
    #[must_use]
    pub fn of(group: &str, plural: &str) -> Option<Self> {
        if (group, plural) == (REQUEST_GROUP, REQUEST_PLURAL) {
            return Some(Self::Request);
        }
        ChildKind::ALL
            .into_iter()
            .find(|kind| (kind.group(), kind.plural()) == (group, plural))
            .map(Self::Child)
    }
}

/// One committed write to a request or a child. A write that changed nothing is none.
#[derive(Clone, Debug)]
pub struct Commit {
    /// When it was committed, by the server's clock; the latest time where that is known within limits only.
    pub at: Timestamp,
    /// The earliest time at which it can have been committed: what follows from it may be seen from then on.
    pub earliest: Timestamp,
    /// Whose it was.
    pub actor: Actor,
    /// What was written.
    pub kind: Kind,
    /// What it did.
    pub verb: Verb,
    /// The object before. None for a creation, and where it is not known: then the promises about changes are not
    /// checked for this write.
    pub before: Option<Arc<Value>>,
    /// The object after; for a deletion none.
    pub after: Option<Arc<Value>>,
}

/// What a committed write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The object is new.
    Create,
    /// It was changed, its status included; also marked as being deleted.
    Update,
    /// It is gone.
    Delete,
}

impl Commit {
    /// A write whose images are both known, as the simulated server tells of it. `None` for other kinds.
    #[must_use]
    pub fn new(
        at: Timestamp,
        user_agent: &str,
        (group, plural): (&str, &str),
        before: Option<Arc<Value>>,
        after: Option<Arc<Value>>,
    ) -> Option<Self> {
        let verb = match (&before, &after) {
            (None, _) => Verb::Create,
            (Some(_), Some(_)) => Verb::Update,
            (Some(_), None) => Verb::Delete,
        };
        Some(Self {
            at,
            earliest: at,
            actor: Actor::of(user_agent),
            kind: Kind::of(group, plural)?,
            verb,
            before,
            after,
        })
    }

    /// The same, of a request that reached the server at this time.
    #[must_use]
    pub fn received(self, at: Timestamp) -> Self {
        Self {
            earliest: at,
            ..self
        }
    }

    /// The newest image there is.
    pub(super) fn image(&self) -> Option<&Value> {
        self.after.as_deref().or(self.before.as_deref())
    }
}
