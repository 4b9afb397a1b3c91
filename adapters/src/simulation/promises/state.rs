//! What the checker knows of each request and child, from the commits so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use remediation_core::kind::ChildKind;
use remediation_core::time::Time;
use serde_json::Value;

use super::plan;
use super::read::{self, Status, TIMES, at, is_deleting, is_suspended, list, size, text};

/// A request, by its UID.
#[derive(Debug)]
pub(super) struct Request {
    /// `namespace/name`
    pub(super) object: String,
    pub(super) image: Arc<Value>,
    pub(super) created: Timestamp,
    pub(super) deleting: Option<Timestamp>,
    pub(super) gone: Option<Timestamp>,
    /// Since when it is suspended.
    pub(super) suspended: Option<Timestamp>,
    /// When a hand last changed its spec or status.
    pub(super) handled: Option<Timestamp>,
    /// When it was resumed last.
    pub(super) resumed: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    pub(super) failed: Option<Timestamp>,
    /// When each place of [`read::PLACES`] was left for a later one.
    pub(super) left: [Option<Timestamp>; 7],
    /// The executions that were named, by step; the workflow under the empty one.
    pub(super) named: BTreeMap<String, String>,
    /// When a hand last took an execution's name away, by its UID.
    pub(super) unnamed: BTreeMap<String, Timestamp>,
    /// Each image whose overall deadline a later one changed, and until when it stood.
    pub(super) former_deadlines: Vec<(Timestamp, Arc<Value>)>,
    /// How it ended, as the orchestrator recorded it first.
    pub(super) end: Option<End>,
    pub(super) children: Vec<String>,
    /// The UIDs of the escalations and of the successes that exist, and the reason that an escalation gave.
    pub(super) escalations: Vec<String>,
    pub(super) successes: Vec<String>,
    pub(super) escalated_for: Option<String>,
    /// When a hand last took its end away.
    pub(super) reopened: Option<Timestamp>,
    /// The times that a hand wrote into status.
    pub(super) set_by_hand: BTreeSet<Time>,
    /// Whether a hand changed what says why it failed.
    pub(super) edited: bool,
    /// When etcd was restored to a state that it is of.
    pub(super) restored: Option<Timestamp>,
    /// Whether its name is long, or a hand made its status much larger.
    pub(super) wordy: bool,
    pub(super) budget: Budget,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) phase: String,
    pub(super) reason: Option<String>,
    pub(super) completion_time: Option<String>,
}

impl End {
    pub(super) fn of(status: Status<'_>) -> Self {
        Self {
            phase: status.phase().to_owned(),
            reason: status.text("reason").map(str::to_owned),
            completion_time: status.text("completionTime").map(str::to_owned),
        }
    }
}

/// The writes that a request costs.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pub(super) writes: u32,
    /// What goes beyond a remediation of one step on which nothing goes wrong.
    pub(super) extra: u32,
    /// The faults that there had been when it was created.
    pub(super) faults_before: u32,
    pub(super) reported: bool,
}

impl Request {
    pub(super) fn new(image: &Arc<Value>, created: Timestamp, faults: u32) -> Self {
        let mut request = Self {
            object: read::shown(image),
            image: Arc::clone(image),
            created,
            deleting: None,
            gone: None,
            suspended: None,
            handled: None,
            resumed: None,
            ended: None,
            failed: None,
            left: [None; 7],
            named: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            former_deadlines: Vec::new(),
            end: None,
            children: Vec::new(),
            escalations: Vec::new(),
            successes: Vec::new(),
            escalated_for: None,
            reopened: None,
            set_by_hand: BTreeSet::new(),
            edited: false,
            restored: None,
            wordy: read::shown(image).len() > WORDY,
            budget: Budget {
                faults_before: faults,
                ..Budget::default()
            },
        };
        request.learn(image, created, created);
        request
    }

    pub(super) fn status(&self) -> Status<'_> {
        Status::of(&self.image)
    }

    /// Takes the newest image, which was committed from `earliest` to `now`.
    pub(super) fn learn(&mut self, image: &Arc<Value>, earliest: Timestamp, now: Timestamp) {
        let status = Status::of(image);
        set(&mut self.deleting, is_deleting(image), now);
        let was_suspended = self.suspended.is_some();
        set(&mut self.suspended, is_suspended(image), now);
        if was_suspended && self.suspended.is_none() {
            self.resumed = Some(earliest);
        }
        set(&mut self.ended, status.has_ended(), now);
        set(&mut self.failed, status.has_failed(), now);
        let place = match status.phase() {
            "Failed" => Some(self.left.len()),
            _ => status.place(),
        };
        if let Some(place) = place {
            for (at, left) in self.left.iter_mut().enumerate() {
                set(left, place > at, now);
            }
        }
        if self.status().overall_deadline() != status.overall_deadline() {
            self.former_deadlines.push((now, Arc::clone(&self.image)));
        }
        self.image = Arc::clone(image);
    }

    /// Notes what a hand did to it.
    pub(super) fn edited_by_hand(&mut self, before: &Value, after: &Value, now: Timestamp) {
        if ["spec", "status"]
            .iter()
            .any(|part| before.get(part) != after.get(part))
        {
            self.handled = Some(now);
        }
        if before.get("status") != after.get("status") {
            self.budget.extra += 3;
            let (old, new) = (Status::of(before), Status::of(after));
            for (step, uid) in old.executions() {
                if !new.executions().any(|named| named == (step, uid)) {
                    self.named.remove(step);
                    self.unnamed.insert(uid.to_owned(), now);
                }
            }
            for (step, uid) in new.executions() {
                if !old.executions().any(|named| named == (step, uid)) {
                    self.named.insert(step.to_owned(), uid.to_owned());
                }
            }
            let set = TIMES.into_iter().filter_map(|field| {
                let time = new.time(field)?;
                (old.time(field) != Some(time)).then_some(time)
            });
            self.set_by_hand.extend(set);
            if old.has_ended() && !new.has_ended() {
                self.reopened = Some(now);
            }
            let why = [
                "phase",
                "reason",
                "failurePhase",
                "failureCategory",
                "completionTime",
            ];
            self.edited |= why.iter().any(|field| old.text(field) != new.text(field));
            self.wordy |= size(new.0) > size(old.0) + WORDY;
        }
        if is_suspended(before) != is_suspended(after) {
            self.budget.extra += 2;
        }
    }
}

/// A child, by its UID.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) kind: ChildKind,
    /// `namespace/name`
    pub(super) object: String,
    pub(super) image: Arc<Value>,
    pub(super) created: Timestamp,
    /// The UID of the request that it is of; none for a foreign one.
    pub(super) request: Option<String>,
    pub(super) deleting: Option<Timestamp>,
    pub(super) gone: Option<Timestamp>,
    /// Whether an execution ever said that it began.
    pub(super) started: bool,
    /// When it first said what leads on: Completed, Ready; of a workflow also that it executes.
    pub(super) led: Option<Timestamp>,
    /// When it first said Completed (an analysis: Ready).
    pub(super) succeeded: Option<Timestamp>,
    pub(super) failed: Option<Timestamp>,
    /// The reasons that it gave for having failed; an empty one where it gave none.
    pub(super) failed_for: BTreeSet<String>,
    /// Whether an analysis was ever rejected.
    pub(super) rejected: bool,
    /// Whether an analysis was ever ready without a recommendation that can be read.
    pub(super) recommended_nothing: bool,
    /// The plan that it published last.
    pub(super) plan: Option<Value>,
    /// Whether it ever published one that cannot be run, or another than before.
    pub(super) planned_badly: bool,
    /// Whether it ever said at length what status repeats.
    pub(super) wordy: bool,
    /// What it said each time that it said something that leads on: the newest few.
    pub(super) results: Vec<Arc<Value>>,
}

/// A text of more bytes than this may make a status larger than is usual.
const WORDY: usize = 128;
/// Of a child that says more and more, so many results are kept.
const MOST_RESULTS: usize = 16;

impl Child {
    pub(super) fn new(kind: ChildKind, image: &Arc<Value>, now: Timestamp) -> Self {
        let request = match kind {
            ChildKind::NotificationRequest => read::label(image),
            ChildKind::RemediationProcessing
            | ChildKind::AIAnalysis
            | ChildKind::WorkflowExecution
            | ChildKind::KubernetesExecution => read::owner(image),
        };
        let mut child = Self {
            kind,
            object: read::shown(image),
            image: Arc::clone(image),
            created: now,
            request: request.map(str::to_owned),
            deleting: None,
            gone: None,
            started: false,
            led: None,
            succeeded: None,
            failed: None,
            failed_for: BTreeSet::new(),
            rejected: false,
            recommended_nothing: false,
            plan: None,
            planned_badly: false,
            wordy: false,
            results: Vec::new(),
        };
        child.learn(image, now);
        child
    }

    pub(super) fn phase(&self) -> &str {
        text(&self.image, &["status", "phase"]).unwrap_or_default()
    }

    /// Whether nothing more is to be expected of it.
    pub(super) fn is_over(&self) -> bool {
        self.succeeded.is_some() || self.failed.is_some() || self.gone.is_some()
    }

    /// Takes the newest image.
    pub(super) fn learn(&mut self, image: &Arc<Value>, now: Timestamp) {
        set(&mut self.deleting, is_deleting(image), now);
        let unchanged = self.image.get("status") == image.get("status") && !self.results.is_empty();
        self.image = Arc::clone(image);
        if unchanged {
            return;
        }
        let phase = text(image, &["status", "phase"]).unwrap_or_default();
        self.started |= self.kind.executes() && has_started(phase);
        let decision = text(image, &["status", "approval", "decision"]).unwrap_or_default();
        let (leads, succeeds) = match self.kind {
            ChildKind::AIAnalysis => {
                let required =
                    at(image, &["status", "approval", "required"]) == Some(&Value::Bool(true));
                let agreed = decision == "Approved" || (!required && decision != "Rejected");
                let ready = matches!(phase, "Ready" | "Completed") && agreed;
                (ready, ready)
            }
            ChildKind::WorkflowExecution => (
                matches!(phase, "Executing" | "Running" | "Completed"),
                phase == "Completed",
            ),
            ChildKind::RemediationProcessing
            | ChildKind::KubernetesExecution
            | ChildKind::NotificationRequest => (phase == "Completed", phase == "Completed"),
        };
        if leads {
            self.led.get_or_insert(now);
            if self.results.len() == MOST_RESULTS {
                self.results.remove(0);
            }
            self.results.push(Arc::clone(image));
        }
        if succeeds {
            self.succeeded.get_or_insert(now);
        }
        if matches!(phase, "Failed" | "Rejected") || decision == "Rejected" {
            self.failed.get_or_insert(now);
        }
        self.learn_trouble(image, phase, leads);
        let repeated = [
            &["phase"][..],
            &["reason"],
            &["message"],
            &["approval", "decidedBy"],
        ];
        let status = image.get("status").unwrap_or(&Value::Null);
        let mut repeated = repeated.iter().filter_map(|path| text(status, path));
        self.wordy |= repeated.any(|text| text.len() > WORDY);
    }

    /// Notes what a failure of the remediation may be about.
    fn learn_trouble(&mut self, image: &Value, phase: &str, leads: bool) {
        if phase == "Failed" {
            let reason = text(image, &["status", "reason"]).unwrap_or_default();
            self.failed_for.insert(reason.to_owned());
        }
        let is_analysis = self.kind == ChildKind::AIAnalysis;
        let decision = text(image, &["status", "approval", "decision"]);
        self.rejected |= is_analysis && (phase == "Rejected" || decision == Some("Rejected"));
        self.recommended_nothing |= is_analysis && leads && !recommends(image);
        if let Some(published) = at(image, &["status", "plan"]).filter(|plan| !plan.is_null()) {
            let is_another = self.plan.as_ref().is_some_and(|plan| plan != published);
            self.planned_badly |= is_another || plan::cannot_be_run(published);
            self.plan = Some(published.clone());
        }
    }

    /// This step of the plan that the orchestrator is to run, as a workflow published it, the newest first.
    pub(super) fn planned_steps(&self, step: &str) -> impl Iterator<Item = &Value> {
        self.results.iter().rev().filter_map(move |image| {
            let steps = list(image, &["status", "plan", "steps"]);
            steps.iter().find(|planned| planned["name"] == step)
        })
    }
}

/// Whether it recommends an action. One that cannot be read makes the whole list unreadable, which counts as none.
fn recommends(analysis: &Value) -> bool {
    let path = ["status", "investigationResult", "recommendations"];
    let recommended = list(analysis, &path);
    let is_readable = |recommended: &Value| {
        let texts = ["action", "description"];
        recommended.is_object()
            && texts
                .iter()
                .filter_map(|field| recommended.get(field))
                .all(Value::is_string)
    };
    !recommended.is_empty() && recommended.iter().all(is_readable)
}

/// Whether an execution that reports this phase has begun. One that fails may never have.
pub(super) fn has_started(phase: &str) -> bool {
    !matches!(phase, "" | "Pending" | "Failed")
}

/// Keeps when something began to hold.
fn set(since: &mut Option<Timestamp>, holds: bool, now: Timestamp) {
    if holds {
        since.get_or_insert(now);
    } else {
        *since = None;
    }
}
