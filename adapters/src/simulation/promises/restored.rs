//! After etcd was restored to an earlier state: what is there belongs to a history that was taken back.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Actor, Commit, Kind, Promise, Promises, Verb, Violation, read};

impl Promises {
    /// etcd was restored, and these objects are all there are. What was seen of the requests among them contradicts what
    /// follows: they count as edited by hand, what was decided before the restore may still be done, and nobody can know which
    /// executions they named (S1). Requests that are created from now on are judged in full.
    pub fn restored(&mut self, at: Timestamp, stored: impl IntoIterator<Item = (Kind, Value)>) {
        let mut allowances = std::mem::take(&mut self.allowances);
        allowances.knows_a_part();
        *self = Self {
            allowances,
            namespace_ends: self.namespace_ends,
            ..Self::default()
        };
        for (kind, image) in stored {
            // Nothing is said of what is not the orchestrator's.
            self.commit(&Commit {
                at,
                earliest: at,
                actor: Actor::System,
                kind,
                verb: Verb::Create,
                before: None,
                after: Some(Arc::new(image)),
            });
        }
        for request in self.requests.values_mut() {
            request.edited = true;
            request.restored = Some(at);
            let status = read::Status::of(&request.image);
            request.named = status
                .executions()
                .map(|(step, uid)| (step.to_owned(), uid.to_owned()))
                .collect();
        }
    }

    /// Leaves out what contradicts only what was taken back.
    pub(super) fn bear_with_restore(&self, commit: &Commit, found: &mut Vec<Violation>) {
        let Some(uid) = commit.image().map(read::uid) else {
            return;
        };
        let request = match commit.kind {
            Kind::Request => Some(uid),
            Kind::Child(_) => self.children.get(uid).and_then(|c| c.request.as_deref()),
        };
        let request = request.and_then(|uid| self.requests.get(uid));
        let Some((request, restored)) = request.and_then(|it| Some((it, it.restored?))) else {
            return;
        };
        let allowance = self.allowances.of(&request.object);
        let known = allowance.is_known(restored, commit.earliest);
        found.retain(|broken| known && broken.promise != Promise::S1);
    }
}
