//! What a decision looks at, and the questions that every phase asks of it.

use jiff::Timestamp;

use crate::action::{ChildSpec, NewChild};
use crate::children::{Belongs, Child, ChildKey, Children};
use crate::decide::State;
use crate::error::Category;
use crate::housekeeping;
use crate::kind::{ChildKind, REQUEST_LABEL, REQUEST_UID_LABEL};
use crate::memory::{Errand, Refusal};
use crate::names;
use crate::request::Identity;
use crate::status::Status;

/// What a decision looks at.
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) children: &'a Children,
    pub(crate) now: Timestamp,
}

/// What is known of a child that status names.
pub(crate) enum Named<'a> {
    /// It is there; perhaps on its way out.
    There(&'a Child),
    /// The API server says that it is gone.
    Gone,
    /// A cache does not show it, which proves nothing.
    Unconfirmed,
}

/// What is known of a child that must exist.
pub(crate) enum Ensured<'a> {
    /// It does.
    There(&'a Child),
    /// It is to be created.
    Create,
    /// It cannot be created yet: what holds its name is going, or the last try was refused for now.
    Later,
    /// It can never be created.
    Refused(&'a Refusal),
}

impl<'a> View<'a> {
    pub(crate) fn status(&self) -> &'a Status {
        &self.state.request.status
    }

    pub(crate) fn identity(&self) -> &'a Identity {
        &self.state.request.identity
    }

    /// The child that status names by this kind, name and UID.
    pub(crate) fn named(&self, kind: ChildKind, name: &str, uid: &str) -> Named<'a> {
        let key = ChildKey::new(kind, name);
        match self.children.at(&key) {
            Some(child) if child.uid == uid => Named::There(child),
            Some(_) | None if self.children.is_live(&key) => Named::Gone,
            Some(_) | None => Named::Unconfirmed,
        }
    }

    /// Our child of this key, if it is seen: one that belongs to the request, or that its status names, whoever
    /// owns it by now.
    pub(crate) fn ours(&self, key: &ChildKey) -> Option<&'a Child> {
        self.children.at(key).filter(|child| {
            child.belongs(self.identity()) == Belongs::Ours
                || housekeeping::is_named(self.status(), child)
        })
    }

    /// Whether a child exists that must exist, and if not, what keeps it from being created.
    pub(crate) fn ensure(&self, key: &ChildKey) -> Ensured<'a> {
        if let Some(child) = self.ours(key) {
            let going = child.deleting && key.kind != ChildKind::NotificationRequest;
            return if going {
                Ensured::Later
            } else {
                Ensured::There(child)
            };
        }
        let errand = Errand::Create(key.clone());
        match self.state.memory.refusal(&errand) {
            Some(refusal) if refusal.cause.category() == Category::C => Ensured::Refused(refusal),
            Some(refusal) if !refusal.is_over(self.now) => Ensured::Later,
            Some(_) | None => Ensured::Create,
        }
    }

    /// The refusal of creating this child, if the last try was refused.
    pub(crate) fn creation_refused(&self, key: &ChildKey) -> Option<&'a Refusal> {
        self.state.memory.refusal(&Errand::Create(key.clone()))
    }

    /// A child of this request, with the labels that all of them carry.
    pub(crate) fn new_child(&self, key: ChildKey, spec: ChildSpec) -> NewChild {
        let request = self.identity();
        let labels = [
            (REQUEST_LABEL, names::label(&request.name)),
            (REQUEST_UID_LABEL, request.uid.clone()),
        ];
        NewChild {
            key,
            labels: labels
                .into_iter()
                .map(|(label, value)| (label.to_owned(), value))
                .collect(),
            spec,
        }
    }

    /// The key of this request's RemediationProcessing, AIAnalysis or WorkflowExecution.
    pub(crate) fn stage_key(&self, kind: ChildKind) -> ChildKey {
        ChildKey::new(kind, names::stage(self.identity(), kind))
    }
}
