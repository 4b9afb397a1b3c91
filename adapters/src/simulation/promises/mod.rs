//! The checker of the promises (docs/reliability/promises.md): it reads every committed write of a cluster in the server's
//! order and says which promise a history breaks.
//!
//! It is written from the promises and not from the code: of the core it uses the names of kinds and the forms of times
//! and durations, and none of its rules. What a hand wrote is no breach of ours: each write of ours is judged by what
//! it found.

mod allowance;
pub mod audit;
mod budget;
mod commit;
mod creation;
mod ending;
mod expectations;
mod failure;
mod path;
mod plan;
mod read;
mod restored;
mod state;
mod status_write;
mod table;
mod times;
mod touch;
mod violation;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use remediation_core::kind::ChildKind;
use serde_json::Value;

pub use commit::{Actor, Commit, Kind, Verb};
pub use expectations::{Ending, Expectations, Refused};
pub use table::{Entry, Promise, Shown, TABLE};
pub use violation::Violation;

use allowance::Allowances;
use creation::Creation;
use state::{Child, End, Request};
use status_write::StatusWrite;
use violation::Findings;

/// The checker. It holds what it needs of each object, and the newest image that the commits share.
#[derive(Debug, Default)]
pub struct Promises {
    allowances: Allowances,
    /// By UID.
    requests: BTreeMap<String, Request>,
    /// By UID.
    children: BTreeMap<String, Child>,
    namespace_ends: bool,
}

/// No finalizer of ours stands between a request and its deletion.
const FINALIZERS: [&str; 2] = ["metadata", "finalizers"];

impl Promises {
    /// A checker of a history that has not begun.
    #[must_use]
    pub fn new(expectations: Expectations) -> Self {
        Self {
            allowances: Allowances::new(expectations),
            ..Self::default()
        }
    }

    /// A fault was made at this time: a call refused or lost, a watch held, a crash. It gives the request that it is about
    /// (`namespace/name`; all where it hit no single one) three writes more, and excuses what needs the call that it hit.
    pub fn fault(&mut self, at: Timestamp, about: Option<&str>) {
        self.allowances.change(about, |hit| hit.fault(at));
    }

    /// Between these times the orchestrator may learn nothing new of this request, or of all: watches lag, or a call is waited
    /// for. It does not count as time in which something had to be seen.
    pub fn held_up(&mut self, from: Timestamp, to: Timestamp, about: Option<&str>) {
        self.allowances.change(about, |hit| hit.hold_up(from, to));
    }

    /// Between these times the orchestrator does nothing at all, and has nothing to recover from: all that may work is at
    /// work on other requests.
    pub fn paused(&mut self, from: Timestamp, to: Timestamp) {
        self.allowances.change(None, |all| all.pause(from, to));
    }

    /// From now on nothing can be created: the namespace is being deleted. What waits for a creation runs into its deadline,
    /// and nobody is told why, because the request is about to go as well.
    pub fn namespace_ends(&mut self) {
        self.namespace_ends = true;
    }

    /// Takes the next committed write, and says what it breaks.
    pub fn commit(&mut self, commit: &Commit) -> Vec<Violation> {
        let Some(image) = commit.image() else {
            return Vec::new();
        };
        let uid = read::uid(image);
        let mut found = match commit.kind {
            Kind::Request => self.commit_request(commit, uid),
            Kind::Child(kind) => self.commit_child(commit, kind, uid.to_owned()),
        };
        if !found.is_empty() {
            self.bear_with_restore(commit, &mut found);
        }
        found
    }

    fn commit_request(&mut self, commit: &Commit, uid: &str) -> Vec<Violation> {
        let at = commit.at;
        let Some(image) = commit.after.as_ref().or(commit.before.as_ref()) else {
            return Vec::new();
        };
        let object = read::shown(image);
        let mut found = Findings::new(&object, at);
        let faults = self.allowances.of(&object).faults;
        if !self.requests.contains_key(uid) {
            let first = commit.before.as_ref().unwrap_or(image);
            self.requests
                .insert(uid.to_owned(), Request::new(first, at, faults));
        }
        if let Some(known) = self.requests.get(uid) {
            self.check_request(commit, known, &mut found);
        }
        let ours = commit.actor.is_ours();
        if let Some(request) = self.requests.get_mut(uid) {
            match (&commit.before, &commit.after) {
                (Some(before), Some(after)) if ours => {
                    request.pay_for_way(read::Status::of(before), read::Status::of(after));
                    if !read::is_deleting(after) {
                        request.pay(at, faults, &mut found);
                    }
                }
                (Some(before), Some(after)) => request.edited_by_hand(before, after, at),
                _ => {}
            }
            match &commit.after {
                Some(after) => request.learn(after, commit.earliest, at),
                None => request.gone = Some(at),
            }
            if ours {
                let named = read::Status::of(image);
                if named.has_ended() {
                    request.end.get_or_insert_with(|| End::of(named));
                }
                for (step, uid) in named.executions() {
                    if !request.named.contains_key(step) {
                        request.named.insert(step.to_owned(), uid.to_owned());
                    }
                }
            }
        }
        found.list
    }

    fn check_request(&self, commit: &Commit, known: &Request, found: &mut Findings<'_>) {
        if !commit.actor.is_ours() {
            return;
        }
        let allowance = self.allowances.of(&known.object);
        match (&commit.before, &commit.after) {
            (Some(before), Some(after)) => {
                if before.get("spec") != after.get("spec")
                    || read::at(before, &FINALIZERS) != read::at(after, &FINALIZERS)
                {
                    let story = "the request itself was changed, and only its status is ours";
                    found.breaks(Promise::S14, story);
                }
                if read::is_deleting(after) && !read::is_deleting(before) {
                    touch::check_request(known, commit.at, allowance, found);
                } else if before.get("status") != after.get("status") {
                    self.status_write(known, before, after, commit).check(found);
                }
            }
            (_, None) if known.deleting.is_none() => {
                touch::check_request(known, commit.at, allowance, found);
            }
            (_, None) | (None, Some(_)) => {}
        }
    }

    fn status_write<'a>(
        &'a self,
        request: &'a Request,
        before: &'a Value,
        after: &'a Value,
        commit: &Commit,
    ) -> StatusWrite<'a> {
        let (old, new) = (read::Status::of(before), read::Status::of(after));
        let allowance = self.allowances.of(&request.object);
        StatusWrite {
            before: old,
            after: new,
            at: commit.at,
            earliest: commit.earliest,
            was_deleting: read::is_deleting(before),
            was_suspended: read::is_suspended(before) && !old.has_ended(),
            resumed: request.resumed,
            request,
            children: &self.children,
            allowance,
            last_fault: allowance.last_fault,
            namespace_ends: self.namespace_ends,
        }
    }

    fn commit_child(&mut self, commit: &Commit, kind: ChildKind, uid: String) -> Vec<Violation> {
        let Some(image) = commit.after.as_ref().or(commit.before.as_ref()) else {
            return Vec::new();
        };
        let object = read::shown(image);
        let mut found = Findings::new(&object, commit.at);
        let ours = commit.actor.is_ours();
        if commit.verb == Verb::Create {
            if ours {
                self.check_creation(image, kind, commit, &mut found);
            }
            self.learn_new(image, kind, uid, commit.at, ours, &mut found);
            return found.list;
        }
        let known = self.children.entry(uid.clone()).or_insert_with(|| {
            Child::new(kind, commit.before.as_ref().unwrap_or(image), commit.at)
        });
        let owner = known.request.clone();
        let request = owner.as_ref().and_then(|owner| self.requests.get(owner));
        let common = &self.allowances.common;
        let allowance = request.map_or(common, |request| self.allowances.of(&request.object));
        let marks = commit
            .after
            .as_ref()
            .is_some_and(|after| read::is_deleting(after) && known.deleting.is_none());
        if ours {
            let deletes = marks || (commit.after.is_none() && known.deleting.is_none());
            touch::check_child(
                known,
                commit.before.as_deref().zip(commit.after.as_deref()),
                deletes,
                commit.earliest,
                &self.requests,
                allowance,
                &mut found,
            );
        } else if let (Some(request), Some(after), true) = (request, &commit.after, kind.executes())
        {
            let phase = read::text(after, &["status", "phase"]).unwrap_or_default();
            if allowance.expectations.contract && !known.started && state::has_started(phase) {
                touch::check_start(known, after, commit.at, request, allowance, &mut found);
            }
        }
        let faults = allowance.faults;
        if let Some(request) = owner.and_then(|owner| self.requests.get_mut(&owner)) {
            if ours {
                request.pay(commit.at, faults, &mut found);
            } else {
                request.pay_for_child(known, commit.before.as_deref(), commit.after.as_deref());
            }
            if kind == ChildKind::NotificationRequest && commit.after.is_none() {
                request.escalations.retain(|known| *known != uid);
                request.successes.retain(|known| *known != uid);
            }
        }
        match &commit.after {
            Some(after) => known.learn(after, commit.at),
            None => known.gone = Some(commit.at),
        }
        found.list
    }

    fn check_creation(
        &self,
        image: &Arc<Value>,
        kind: ChildKind,
        commit: &Commit,
        found: &mut Findings<'_>,
    ) {
        let owner = match kind {
            ChildKind::NotificationRequest => read::label(image),
            ChildKind::RemediationProcessing
            | ChildKind::AIAnalysis
            | ChildKind::WorkflowExecution
            | ChildKind::KubernetesExecution => read::owner(image),
        };
        match owner.and_then(|owner| self.requests.get(owner)) {
            Some(request) => Creation {
                object: image,
                kind,
                at: commit.at,
                earliest: commit.earliest,
                request,
                children: &self.children,
                allowance: self.allowances.of(&request.object),
            }
            .check(found),
            None if self.allowances.common.expectations.whole => {
                found.breaks(
                    Promise::S5,
                    format!("{kind} was created for no request that there ever was"),
                );
            }
            None => {}
        }
    }

    fn learn_new(
        &mut self,
        image: &Arc<Value>,
        kind: ChildKind,
        uid: String,
        at: Timestamp,
        ours: bool,
        found: &mut Findings<'_>,
    ) {
        let child = Child::new(kind, image, at);
        if let Some(request) = child
            .request
            .as_ref()
            .and_then(|owner| self.requests.get_mut(owner))
        {
            let others = request.children.iter();
            let mut steps = others
                .filter_map(|uid| self.children.get(uid))
                .filter(|other| other.kind == ChildKind::KubernetesExecution)
                .map(|other| read::text(&other.image, &["spec", "step"]))
                .peekable();
            let step = read::text(image, &["spec", "step"]);
            let further = kind == ChildKind::KubernetesExecution
                && steps.peek().is_some()
                && steps.all(|known| known != step);
            drop(steps);
            if ours && further {
                request.pay_for_step();
            }
            request.children.push(uid.clone());
            if ours {
                let faults = self.allowances.of(&request.object).faults;
                request.pay(at, faults, found);
            }
            if kind == ChildKind::NotificationRequest && ours {
                match read::text(image, &["spec", "type"]) {
                    Some("escalation") => {
                        let reason = read::text(image, &["spec", "metadata", "failure_reason"]);
                        request.escalated_for = reason.map(str::to_owned);
                        request.escalations.push(uid.clone());
                    }
                    Some("success") => request.successes.push(uid.clone()),
                    _ => {}
                }
            }
        }
        self.children.insert(uid, child);
    }
}
