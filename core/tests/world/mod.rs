//! A world in memory: the API server's part is played exactly and without delay, the children's part by the test.
//!
//! Whatever is asked of it is checked against the promises by [`oracle::Oracle`], in every test that uses it.

#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod api;
pub(crate) mod children;
pub(crate) mod oracle;
mod passes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use remediation_core::action::{ChildSpec, Event};
use remediation_core::children::{Child, ChildKey, Children};
use remediation_core::decide::State;
use remediation_core::error::ApiFailure;
use remediation_core::kind::ChildKind;
use remediation_core::memory::Memory;
use remediation_core::names::Occasion;
use remediation_core::pass::{Call, Outcome, Pass, Step};
use remediation_core::phase::Phase;
use remediation_core::policy::Settings;
use remediation_core::request::{Identity, Request, RequestSpec};
use remediation_core::status::Status;
use remediation_core::targeting::TargetingData;
use serde_json::Value;

use oracle::Oracle;

/// One request, its children, and everything that was asked of the API server.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) request: Option<Request>,
    pub(crate) objects: BTreeMap<ChildKey, Object>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) memory: Memory,
    pub(crate) calls: Vec<Call>,
    pub(crate) events: Vec<Event>,
    /// Answers that the API server gives instead of its own.
    pub(crate) faults: Vec<Fault>,
    /// How long the API server takes to refuse a call.
    pub(crate) refuses_after: SignedDuration,
    /// Children that exist, but that the cache does not show.
    pub(crate) hidden: BTreeSet<ChildKey>,
    /// What the API server does to a status that it stores; nothing by default.
    pub(crate) stores: fn(&mut Status),
    /// Whether a policy takes labels away again that a patch gives.
    pub(crate) strips_labels: bool,
    /// A mistake made on purpose, to show that the oracle notices.
    pub(crate) tamper: fn(&mut Call),
    /// Another: what the decision is not shown as it is.
    pub(crate) blinds: fn(&mut State),
    /// Another: how far the clock is off that decisions are made by.
    pub(crate) skew: SignedDuration,
    /// Another: after how many calls a pass is broken off.
    pub(crate) patience: usize,
    /// After this many more calls the process dies.
    pub(crate) crash: Option<Crash>,
    /// Calls of dead processes that are still on their way, and after how many more calls they arrive.
    pub(crate) late: Vec<(usize, Call)>,
    /// Whether a dead process's status arrived within this pass, which began from the one before.
    pub(crate) overtaken: bool,
    /// When the last pass asked to be woken.
    pub(crate) wake: Option<Timestamp>,
    /// How often the last pass decided.
    pub(crate) rounds: u32,
    /// Whether a second pass at the same moment must ask for nothing, not even for a look, also where something is in the
    /// way; it is tried after each.
    pub(crate) rests: bool,
    /// Whether a dead process's call arrived within the last pass, which may not have seen what came of it.
    arrived: bool,
    /// Whether a call was refused in the last pass.
    refused: bool,
    /// How many passes in a row saw a success, and did not ask for what it leads to.
    idle: u32,
    /// What does not hold; asserted to be empty after each pass unless `lenient`.
    pub(crate) oracle: Oracle,
    pub(crate) lenient: bool,
    versions: u64,
}

/// Which calls a fault is for.
pub(crate) type Fits = fn(&Call) -> bool;

/// An answer that the API server gives instead of its own.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) fits: Fits,
    pub(crate) reply: Reply,
    /// How often; without end if `None`.
    pub(crate) times: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Not applied.
    Refuse(ApiFailure),
    /// Applied, but the answer is lost.
    Lose,
}

/// A death of the process at its n-th call from now, and what becomes of that call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) at: usize,
    pub(crate) fate: Fate,
}

/// What becomes of the last call of a process that dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    NotApplied,
    Applied,
    /// After so many calls of the process that follows.
    AppliedLate(usize),
}

/// A child as the API server stores it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) child: Child,
    pub(crate) spec: Value,
}

impl World {
    /// A world with one new, valid request.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world with one new request that differs from the ordinary one.
    pub(crate) fn with(change: impl FnOnce(&mut Request)) -> Self {
        let mut request = Request {
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
        change(&mut request);
        Self {
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            request: Some(request),
            objects: BTreeMap::new(),
            settings: Arc::default(),
            memory: Memory::default(),
            calls: Vec::new(),
            events: Vec::new(),
            faults: Vec::new(),
            refuses_after: SignedDuration::ZERO,
            hidden: BTreeSet::new(),
            stores: |_| {},
            strips_labels: false,
            tamper: |_| {},
            blinds: |_| {},
            skew: SignedDuration::ZERO,
            patience: usize::MAX,
            crash: None,
            late: Vec::new(),
            overtaken: false,
            wake: None,
            rounds: 0,
            rests: true,
            arrived: false,
            refused: false,
            idle: 0,
            oracle: Oracle::default(),
            lenient: false,
            versions: 1,
        }
    }

    pub(crate) fn status(&self) -> &Status {
        &self.request.as_ref().expect("the request is gone").status
    }

    pub(crate) fn phase(&self) -> Phase {
        self.status().known_phase().expect("a phase of ours")
    }

    /// Phase and reason as they are recorded.
    pub(crate) fn outcome(&self) -> (Phase, String) {
        let reason = self.status().reason.clone();
        (self.phase(), reason.unwrap_or_default())
    }

    /// Runs one pass to its end, or to the death of the process.
    pub(crate) fn reconcile(&mut self) {
        if self.pass() {
            self.check_second_pass();
        }
        if !self.lenient {
            let violations = &self.oracle.violations;
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }

    /// Whether it came to its end.
    fn pass(&mut self) -> bool {
        (self.overtaken, self.arrived) = (false, false);
        let Some(request) = self.request.clone() else {
            self.wake = None;
            return true;
        };
        let mut state = State {
            request,
            settings: self.settings.clone(),
            memory: std::mem::take(&mut self.memory),
        };
        let cached = self.objects.iter().filter(|(key, object)| {
            key.kind != ChildKind::NotificationRequest
                && !self.hidden.contains(key)
                && self.is_cached(&object.child)
        });
        let children: Children = cached.map(|(_, object)| object.child.clone()).collect();
        let mut course = self.begin_course(&state, &children);
        (self.blinds)(&mut state);
        let mut pass = Pass::new(state, children);
        loop {
            if course.calls == self.patience {
                self.memory = pass.into_parts().2;
                return true;
            }
            match pass.next(self.now + self.skew) {
                Step::Call(mut call) => {
                    (self.tamper)(&mut call);
                    self.check(&call);
                    course.asks(&call);
                    let dies = self.dies();
                    match dies {
                        Some(Fate::NotApplied) => {}
                        Some(Fate::AppliedLate(calls)) => self.late.push((calls, call)),
                        Some(Fate::Applied) | None => {
                            let outcome = self.answer(&call);
                            course.learns(&call, &outcome);
                            self.calls.push(call);
                            self.deliver_late();
                            if dies.is_none() {
                                pass.learn(outcome, self.now);
                            }
                        }
                    }
                    if dies.is_some() {
                        self.restart();
                        return false;
                    }
                }
                Step::Announce(event) => self.events.push(event),
                Step::Done(wake) => {
                    self.wake = wake;
                    self.rounds = pass.rounds();
                    self.memory = pass.into_parts().2;
                    self.check_rest();
                    self.end_course(&course);
                    return true;
                }
            }
        }
    }

    /// What a cache holds of a request's children: those that it owns, and those that its status names.
    fn is_cached(&self, child: &Child) -> bool {
        let Some(request) = &self.request else {
            return false;
        };
        let ours = child
            .owner
            .as_ref()
            .is_some_and(|owner| owner.uid == request.identity.uid);
        ours || oracle::names(&request.status, child)
    }

    fn deliver_late(&mut self) {
        let arrived: Vec<Call> = self
            .late
            .extract_if(.., |(calls, _)| {
                *calls = calls.saturating_sub(1);
                *calls == 0
            })
            .map(|(_, call)| call)
            .collect();
        self.arrived |= !arrived.is_empty();
        for call in arrived {
            self.oracle.window |= match &call {
                Call::Create(new) => {
                    matches!(&new.spec, ChildSpec::Notification(n) if n.occasion == Occasion::Success)
                }
                Call::Record(record) => record.to.has_failed() && !record.from.has_failed(),
                _ => false,
            };
            let outcome = self.apply(&call);
            self.overtaken |= matches!((&call, outcome), (Call::Record(_), Outcome::Request(_)));
        }
    }

    fn dies(&mut self) -> Option<Fate> {
        let crash = self.crash.as_mut()?;
        if crash.at > 0 {
            crash.at -= 1;
            return None;
        }
        self.crash.take().map(|crash| crash.fate)
    }

    /// The process ends and begins again: what it remembered is lost.
    pub(crate) fn restart(&mut self) {
        self.memory = Memory::default();
        self.wake = Some(self.now);
    }

    /// Lets time pass and reconciles, as the wake-up at the end of it would.
    pub(crate) fn after(&mut self, duration: SignedDuration) {
        self.now += duration;
        self.reconcile();
    }

    pub(crate) fn after_secs(&mut self, seconds: i64) {
        self.after(SignedDuration::from_secs(seconds));
    }

    /// Follows the wake-ups, and nothing else, until this moment, or until none is left.
    pub(crate) fn run_until(&mut self, end: Timestamp) {
        for _ in 0..10_000 {
            match self.wake.filter(|wake| *wake <= end) {
                Some(wake) => {
                    assert!(wake >= self.now, "woken in the past");
                    self.now = wake;
                    self.reconcile();
                }
                None => {
                    self.now = self.now.max(end);
                    return;
                }
            }
        }
        panic!("a hot loop of wake-ups");
    }

    pub(crate) fn run_for_secs(&mut self, seconds: i64) {
        self.run_until(self.now + SignedDuration::from_secs(seconds));
    }

    /// How many calls of one sort were made.
    pub(crate) fn calls(&self, of_sort: Fits) -> usize {
        self.calls.iter().filter(|call| of_sort(call)).count()
    }

    pub(crate) fn events(&self, reason: &str) -> usize {
        self.events.iter().filter(|e| e.reason == reason).count()
    }

    /// The message of a condition's reason and message, if it is set.
    pub(crate) fn condition(&self, kind: &str) -> Option<(&str, &str, &str)> {
        let condition = self.status().condition(kind)?;
        Some((&condition.status, &condition.reason, &condition.message))
    }

    /// Somebody edits the status by hand; then the watch event is reconciled.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Status)) {
        self.edit_unseen(change);
        self.reconcile();
    }

    pub(crate) fn edit_unseen(&mut self, change: impl FnOnce(&mut Status)) {
        let version = self.next_version();
        let request = self.request.as_mut().expect("the request is gone");
        change(&mut request.status);
        request.resource_version = version;
        self.oracle.edited = true;
    }

    /// Somebody suspends the request, or lets it go on.
    pub(crate) fn suspend(&mut self, suspend: bool) {
        let version = self.next_version();
        let request = self.request.as_mut().expect("the request is gone");
        request.spec.suspend = suspend;
        request.generation += 1;
        request.resource_version = version;
        self.reconcile();
    }

    pub(crate) fn fault(&mut self, fits: Fits, reply: Reply, times: Option<u32>) {
        self.faults.push(Fault { fits, reply, times });
    }

    pub(crate) fn refuse_once(&mut self, fits: Fits, failure: ApiFailure) {
        self.fault(fits, Reply::Refuse(failure), Some(1));
    }

    pub(crate) fn refuse_always(&mut self, fits: Fits, failure: ApiFailure) {
        self.fault(fits, Reply::Refuse(failure), None);
    }
}
