//! A recorded history that is cut short and goes on otherwise.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use remediation_adapters::simulation::promises::{Actor, Commit, Kind, Verb};
use remediation_core::kind::ChildKind;
use serde_json::{Value, json};

use crate::recorded::Recorded;

pub(crate) struct Tale {
    pub(crate) commits: Vec<Commit>,
    /// For UIDs.
    made: u32,
}

pub(crate) const REQUEST: Kind = Kind::Request;
pub(crate) const RPROC: Kind = Kind::Child(ChildKind::RemediationProcessing);
pub(crate) const AIA: Kind = Kind::Child(ChildKind::AIAnalysis);
pub(crate) const WFE: Kind = Kind::Child(ChildKind::WorkflowExecution);
pub(crate) const KEXEC: Kind = Kind::Child(ChildKind::KubernetesExecution);
pub(crate) const NOTIF: Kind = Kind::Child(ChildKind::NotificationRequest);

fn ours() -> Actor {
    Actor::Orchestrator("remediation-orchestrator/test".into())
}

impl Tale {
    pub(crate) fn of(recorded: &Recorded) -> Self {
        Self {
            commits: recorded.commits.clone(),
            made: 0,
        }
    }

    /// The first write of ours of this kind after which this holds.
    pub(crate) fn ours(&self, kind: Kind, holds: impl Fn(&Value) -> bool) -> usize {
        self.find(|commit| {
            commit.actor.is_ours()
                && commit.kind == kind
                && commit.after.as_deref().is_some_and(&holds)
        })
    }

    /// The first write after which an object of this kind is in this phase.
    pub(crate) fn says(&self, kind: Kind, phase: &str) -> usize {
        self.find(|commit| {
            let after = commit.after.as_deref();
            commit.kind == kind && after.is_some_and(|after| after["status"]["phase"] == phase)
        })
    }

    /// The first creation of this kind.
    pub(crate) fn creation(&self, kind: Kind) -> usize {
        self.find(|commit| commit.kind == kind && commit.verb == Verb::Create)
    }

    fn find(&self, holds: impl Fn(&Commit) -> bool) -> usize {
        self.commits
            .iter()
            .position(holds)
            .expect("it is in the history")
    }

    pub(crate) fn image(&self, at: usize) -> Value {
        (**self.commits[at].after.as_ref().unwrap()).clone()
    }

    pub(crate) fn time(&self) -> Timestamp {
        self.commits.last().unwrap().at
    }

    /// Ends the history after this write.
    pub(crate) fn cut_after(mut self, at: usize) -> Self {
        self.commits.truncate(at + 1);
        self
    }

    /// Ends the history before this write.
    pub(crate) fn cut_before(mut self, at: usize) -> Self {
        self.commits.truncate(at);
        self
    }

    /// Changes what a write left.
    pub(crate) fn tamper(mut self, at: usize, change: impl FnOnce(&mut Value)) -> Self {
        let mut after = self.image(at);
        change(&mut after);
        self.commits[at].after = Some(Arc::new(after));
        self
    }

    fn push(
        &mut self,
        later: SignedDuration,
        actor: Actor,
        kind: Kind,
        verb: Verb,
        images: [Option<Value>; 2],
    ) {
        let [before, after] = images.map(|image| image.map(Arc::new));
        let at = self.time() + later;
        self.commits.push(Commit {
            at,
            earliest: at,
            actor,
            kind,
            verb,
            before,
            after,
        });
    }

    /// The request as the history leaves it.
    pub(crate) fn request(&self) -> Value {
        let mut writes = self
            .commits
            .iter()
            .rev()
            .filter(|commit| commit.kind == REQUEST);
        (**writes.find_map(|commit| commit.after.as_ref()).unwrap()).clone()
    }

    /// We write the request's status.
    pub(crate) fn we_write(
        mut self,
        later: SignedDuration,
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let before = self.request();
        let mut after = before.clone();
        change(&mut after["status"]);
        self.push(
            later,
            ours(),
            REQUEST,
            Verb::Update,
            [Some(before), Some(after)],
        );
        self
    }

    /// Somebody changes the request.
    pub(crate) fn user_changes(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let before = self.request();
        let mut after = before.clone();
        change(&mut after);
        self.push(
            SignedDuration::ZERO,
            Actor::User,
            REQUEST,
            Verb::Update,
            [Some(before), Some(after)],
        );
        self
    }

    /// We create an object; it gets a UID of its own, which is returned.
    pub(crate) fn we_create(self, later: SignedDuration, kind: Kind, object: Value) -> Self {
        self.create(later, ours(), kind, object)
    }

    /// Somebody creates an object.
    pub(crate) fn user_creates(self, kind: Kind, object: Value) -> Self {
        self.create(SignedDuration::ZERO, Actor::User, kind, object)
    }

    fn create(
        mut self,
        later: SignedDuration,
        actor: Actor,
        kind: Kind,
        mut object: Value,
    ) -> Self {
        self.made += 1;
        object["metadata"]["uid"] = json!(made(self.made));
        object.as_object_mut().unwrap().remove("status");
        self.push(later, actor, kind, Verb::Create, [None, Some(object)]);
        self
    }

    /// We change an object that is there.
    pub(crate) fn we_change(
        mut self,
        kind: Kind,
        before: Value,
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let mut after = before.clone();
        change(&mut after);
        self.push(
            SignedDuration::ZERO,
            ours(),
            kind,
            Verb::Update,
            [Some(before), Some(after)],
        );
        self
    }

    /// Somebody changes an object that is there.
    pub(crate) fn user_updates(
        mut self,
        kind: Kind,
        before: Value,
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let mut after = before.clone();
        change(&mut after);
        let images = [Some(before), Some(after)];
        self.push(
            SignedDuration::ZERO,
            Actor::User,
            kind,
            Verb::Update,
            images,
        );
        self
    }

    /// An object goes.
    pub(crate) fn deleted(mut self, by_us: bool, kind: Kind, object: Value) -> Self {
        let actor = if by_us { ours() } else { Actor::User };
        self.push(
            SignedDuration::ZERO,
            actor,
            kind,
            Verb::Delete,
            [Some(object), None],
        );
        self
    }
}

/// The UID of the n-th object that a tale made.
pub(crate) fn made(number: u32) -> String {
    format!("made-{number}")
}
