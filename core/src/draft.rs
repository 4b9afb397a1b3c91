//! A status in the making: what a decision changes of it, and how the change becomes a list of actions.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::action::{Action, Event, EventSeverity, NewChild, Record};
use crate::children::{Child, ChildKey, WorkflowStatus};
use crate::conditions;
use crate::deadline;
use crate::decide::Decision;
use crate::housekeeping;
use crate::kind::ChildKind;
use crate::memory::Errand;
use crate::phase::{Phase, PhaseWord};
use crate::policy::{EffectivePolicy, effective};
use crate::progress;
use crate::rule::Rule;
use crate::status::{Condition, HISTORY_KEPT, HistoryEntry, Status};
use crate::text;
use crate::time::{GoDuration, Time};
use crate::view::{Named, View};

/// A stored time further ahead of now than this is a skewed clock's or a hand's.
const AHEAD: GoDuration = GoDuration::from_secs(5);
/// A change of progress alone is recorded at most this often.
const PROGRESS_EVERY: GoDuration = GoDuration::from_secs(1);
/// The longest note of an Event, in bytes: the API server refuses a longer one.
const LONGEST_NOTE: usize = 1024;
/// A child whose status is still empty after this time is reported.
const UNSTARTED_AFTER: GoDuration = GoDuration::from_secs(60);

/// What the rules of a phase came to.
pub(crate) enum Verdict {
    /// Nothing to do but wait, and to record what the draft changed.
    Wait,
    /// The same, whatever the clock says: the outcome is known already.
    Hold,
    /// The draft entered another phase, or names new children: record it.
    Record,
    /// Create these; what they change is recorded when they are there.
    Create {
        children: Vec<NewChild>,
        /// Whether a child's result, seen now, leads to it: that beats a deadline that has passed.
        beats_clock: bool,
    },
    /// Read this from the API server before anything is concluded from its absence.
    Read(ChildKey),
    /// It failed.
    Fail(Failure),
}

/// A failure, before it is recorded.
pub(crate) struct Failure {
    pub(crate) rule: Rule,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) category: crate::error::Category,
    pub(crate) timeout_phase: Option<Phase>,
}

/// Something that people should know while the remediation is still under way.
pub(crate) struct Trouble {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// A status in the making.
pub(crate) struct Draft<'a> {
    pub(crate) status: Cow<'a, Status>,
    pub(crate) policy: Cow<'a, EffectivePolicy>,
    pub(crate) rule: Rule,
    pub(crate) path: Vec<Phase>,
    pub(crate) events: Vec<Event>,
    pub(crate) trouble: Option<Trouble>,
    wakes: Vec<Timestamp>,
    now: Timestamp,
    transition_events: bool,
}

impl<'a> Draft<'a> {
    /// The status as it is recorded, to be changed.
    pub(crate) fn of(view: &View<'a>) -> Self {
        let status = view.status();
        let policy = match &status.effective_policy {
            Some(recorded) => Cow::Borrowed(recorded),
            None => Cow::Owned(effective(&view.state.settings, &view.state.request.spec).0),
        };
        Self {
            status: Cow::Borrowed(status),
            policy,
            rule: Rule::Waiting,
            path: Vec::new(),
            events: Vec::new(),
            trouble: None,
            wakes: Vec::new(),
            now: view.now,
            transition_events: view.state.settings.events.transitions,
        }
    }

    /// Now as it is stored; never before what is stored already, also when the clock went backwards.
    pub(crate) fn stamp(&self) -> Time {
        let status = &self.status;
        // A clock that was set back by no more than this is not believed over the last transition either.
        let latest = Time::at(self.now).plus(AHEAD);
        let last = status.history.last().map(|entry| entry.time);
        [
            last.filter(|last| *last <= latest),
            status.start_time,
            status.phase_start_time,
            status.approval_requested_time,
            status.failure_time,
            status.completion_time,
        ]
        .into_iter()
        .flatten()
        .fold(Time::at(self.now), Time::max)
    }

    /// Decide again at this moment at the latest.
    pub(crate) fn wake_at(&mut self, moment: Timestamp) {
        if moment > self.now {
            self.wakes.push(moment);
        }
    }

    /// Whether this errand may be tried now. If not, the next decision is made when it may.
    pub(crate) fn may_try(&mut self, view: &View<'_>, errand: &Errand) -> bool {
        match view.state.memory.refusal(errand) {
            Some(refusal) if !refusal.is_over(view.now) => {
                self.wake_at(refusal.next_try);
                false
            }
            Some(_) | None => true,
        }
    }

    /// Rewrites a time that lies in the future, and fills in what every remediation that has begun must hold, and the
    /// policy: no clock may be stopped by a skewed one, or by a hand.
    pub(crate) fn repair_clocks(&mut self) {
        let now = Time::at(self.now);
        let latest = now.plus(AHEAD);
        let ahead = |time: Option<Time>| time.is_some_and(|time| time > latest);
        let failed = self.status.has_failed();
        let begun = failed || self.status.known_phase() != Some(Phase::Pending);
        let wrong = |time: Option<Time>, needed: bool| ahead(time) || (needed && time.is_none());
        if wrong(self.status.start_time, begun) {
            self.status.to_mut().start_time = Some(now);
        }
        if wrong(self.status.phase_start_time, begun) {
            self.status.to_mut().phase_start_time = Some(now);
        }
        if ahead(self.status.approval_requested_time) {
            self.status.to_mut().approval_requested_time = Some(now);
        }
        if wrong(self.status.failure_time, failed) {
            self.status.to_mut().failure_time = Some(now);
        }
        if self.status.effective_policy.is_none() {
            let policy = self.policy.clone().into_owned();
            self.status.to_mut().effective_policy = Some(policy);
        }
    }

    /// Enters a phase. From Processing on each transition gets an entry in `history`.
    pub(crate) fn enter(&mut self, phase: Phase, reason: &str, message: &str) {
        let at = self.stamp();
        let status = self.status.to_mut();
        status.phase = Some(PhaseWord::Known(phase));
        status.phase_start_time = Some(at);
        status.suspended_in_phase = None;
        status.reason = Some(reason.to_owned());
        status.message = Some(text::clean(message, text::MESSAGE));
        if phase > Phase::Initializing {
            status.history.push(HistoryEntry {
                phase: PhaseWord::Known(phase),
                time: at,
                reason: reason.to_owned(),
                message: text::clean(message, text::HISTORY_MESSAGE),
            });
            let surplus = status.history.len().saturating_sub(HISTORY_KEPT);
            if surplus > 0 {
                status.history.drain(..surplus);
                let dropped = i64::try_from(surplus).unwrap_or(i64::MAX);
                let before = status.history_dropped.unwrap_or(0);
                status.history_dropped = Some(before.saturating_add(dropped));
            }
        }
        self.path.push(phase);
        if self.transition_events && !phase.is_terminal() && phase > Phase::Initializing {
            self.announce(
                EventSeverity::Normal,
                "PhaseEntered",
                &format!("{phase}: {message}"),
            );
        }
    }

    /// Ends the remediation, at this time.
    pub(crate) fn end(&mut self, at: Time) {
        let ttl = GoDuration::from_secs(self.policy.ttl_seconds_after_finished);
        let status = self.status.to_mut();
        status.completion_time = Some(at);
        status.expiry_time = Some(at.plus(ttl));
        status.next_deadline = None;
        status.waiting_for = None;
        conditions::remove(status, conditions::RECONCILING);
        conditions::remove(status, conditions::AWAITING_APPROVAL);
    }

    /// An Event, to be written once the change it tells of is recorded.
    pub(crate) fn announce(&mut self, severity: EventSeverity, reason: &'static str, note: &str) {
        self.events.push(Event {
            severity,
            reason,
            note: text::clean_bytes(note, LONGEST_NOTE),
        });
    }

    /// Says what the remediation waits for, and reports a child that nobody has begun with.
    pub(crate) fn wait_for(&mut self, child: &Child) {
        self.wait_for_key(&child.key);
        if !child.status.phase().is_empty() {
            return;
        }
        let Some(start) = self.status.phase_start_time else {
            return;
        };
        let paused = self.status.suspended_in_phase.unwrap_or_default();
        let due = start.plus(UNSTARTED_AFTER).plus(paused);
        if due.reached(self.now) {
            self.trouble.get_or_insert(Trouble {
                reason: "ChildNeverStarted",
                message: format!(
                    "{} has no status yet: is the controller of {} running?",
                    child.key, child.key.kind
                ),
            });
        } else {
            self.wake_at(due.moment());
        }
    }

    /// Says what the remediation waits for.
    pub(crate) fn wait_for_key(&mut self, key: &ChildKey) {
        let shown = key.to_string();
        if self.status.waiting_for.as_deref() != Some(shown.as_str()) {
            self.status.to_mut().waiting_for = Some(shown);
        }
    }

    /// Turns the change into actions.
    ///
    /// While status cannot be written no notification is created: it is in no cache, so that every event would ask
    /// for it again.
    pub(crate) fn conclude(mut self, view: &View<'a>, verdict: Verdict) -> Decision {
        let mut actions = Vec::new();
        let mut after = Vec::new();
        let record = match verdict {
            Verdict::Read(key) => {
                actions.push(Action::Read(key));
                false
            }
            Verdict::Create { children, .. } => {
                for child in children {
                    if child.is_owned() || self.may_try(view, &Errand::Record) {
                        actions.push(Action::Create(Box::new(child)));
                    }
                }
                false
            }
            Verdict::Fail(failure) => {
                crate::phases::failing::record(&mut self, &failure);
                if let Some(escalation) = crate::phases::failing::escalation(view, &self) {
                    after.push(Action::Create(Box::new(escalation)));
                }
                true
            }
            Verdict::Wait | Verdict::Hold | Verdict::Record => true,
        };
        if record {
            self.describe_progress(view);
        }
        self.wake_at_deadline();
        if record {
            self.push_record(view, &mut actions, after);
        }
        housekeeping::push(view, &mut self, &mut actions);
        self.push_wake(&mut actions);
        Decision {
            rule: self.rule,
            actions,
        }
    }

    /// Turns the change into actions while the request is suspended: no wake-up, because resuming is an event.
    pub(crate) fn conclude_paused(mut self, view: &View<'a>) -> Decision {
        let mut actions = Vec::new();
        self.push_record(view, &mut actions, Vec::new());
        self.push_wake(&mut actions);
        Decision {
            rule: self.rule,
            actions,
        }
    }

    /// Fills in what follows from the rest: progress, the next deadline, the condition Reconciling.
    fn describe_progress(&mut self, view: &View<'_>) {
        if self.status.is_terminal() || self.status.start_time.is_none() {
            return;
        }
        let failed = self.status.has_failed();
        let phase = self.status.known_phase();
        let next = if failed {
            None
        } else {
            deadline::next(&self.status, &self.policy, phase).map(|deadline| deadline.at)
        };
        if self.status.next_deadline != next {
            self.status.to_mut().next_deadline = next;
        }
        if let Some(phase) = phase.filter(|phase| !failed && !phase.is_terminal()) {
            let workflow = seen_workflow(view, &self.status);
            progress::update(&mut self.status, phase, workflow);
        }
        let (reason, message) = match &self.trouble {
            Some(trouble) => (trouble.reason, text::clean(&trouble.message, text::MESSAGE)),
            None => ("InProgress", String::new()),
        };
        let known = self.status.condition(conditions::RECONCILING);
        if known.is_some_and(|c| (&*c.reason, &c.message) == (reason, &message)) {
            return;
        }
        if self.trouble.is_some() && known.is_none_or(|c| c.reason != reason) {
            self.announce(EventSeverity::Warning, reason, &message);
        }
        let at = self.stamp();
        conditions::set(
            self.status.to_mut(),
            conditions::RECONCILING,
            true,
            reason,
            message,
            at,
        );
    }

    /// Records the draft, which is empty from then on.
    fn push_record(&mut self, view: &View<'a>, actions: &mut Vec<Action>, after: Vec<Action>) {
        let weight = weigh(view.status(), &self.status);
        if weight == Weight::Nothing || !self.may_try(view, &Errand::Record) {
            return;
        }
        if weight == Weight::Progress {
            // A last write that lies ahead was made before the clock went backwards: it proves nothing.
            let last = view.state.memory.last_record.filter(|l| *l <= view.now);
            let due = last.map(|last| Time::at(last).plus(PROGRESS_EVERY));
            if let Some(due) = due.filter(|due| !due.reached(view.now)) {
                return self.wake_at(due.moment());
            }
        }
        let recorded = Cow::Borrowed(view.status());
        let mut status = std::mem::replace(&mut self.status, recorded).into_owned();
        status.observed_generation = Some(view.state.request.generation);
        actions.push(Action::Record(Box::new(Record {
            status,
            path: std::mem::take(&mut self.path),
        })));
        actions.extend(
            std::mem::take(&mut self.events)
                .into_iter()
                .map(Action::Announce),
        );
        actions.extend(after);
    }

    fn wake_at_deadline(&mut self) {
        if !self.status.is_terminal() && !self.status.has_failed() {
            let phase = self.status.known_phase();
            if let Some(next) = deadline::next(&self.status, &self.policy, phase) {
                self.wake_at(next.at.moment());
            }
        }
    }

    fn push_wake(&self, actions: &mut Vec<Action>) {
        actions.extend(self.wakes.iter().min().copied().map(Action::WakeAt));
    }
}

/// What the workflow that status names says of itself, if it is seen.
fn seen_workflow<'a>(view: &View<'a>, status: &Status) -> Option<&'a WorkflowStatus> {
    let reference = status.workflow_execution_ref.as_ref()?;
    let kind = ChildKind::WorkflowExecution;
    match view.named(kind, &reference.name, &reference.uid) {
        Named::There(child) => Some(child.status.workflow()),
        Named::Gone | Named::Unconfirmed => None,
    }
}

/// How much a change of status matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Not worth a write of its own: nothing, or the wording of a condition that holds for the same reason.
    Nothing,
    /// Progress, and the trouble that the condition Reconciling tells of: written once a second at most.
    Progress,
    /// Anything else: written at once.
    Step,
}

fn weigh(recorded: &Status, draft: &Status) -> Weight {
    if recorded == draft {
        return Weight::Nothing;
    }
    if recorded.phase != draft.phase || recorded.failure_phase != draft.failure_phase {
        return Weight::Step;
    }
    let mut rest = draft.clone();
    for condition in &mut rest.conditions {
        let known = recorded.condition(&condition.kind);
        let same =
            |c: &&Condition| (&c.status, &c.reason) == (&condition.status, &condition.reason);
        if let Some(known) = known.filter(same) {
            condition.message.clone_from(&known.message);
        }
    }
    if rest == *recorded {
        return Weight::Nothing;
    }
    if without_progress(rest) == without_progress(recorded.clone()) {
        Weight::Progress
    } else {
        Weight::Step
    }
}

fn without_progress(mut status: Status) -> Status {
    status.overall_progress = None;
    status.steps_completed = None;
    status.steps_total = None;
    for reference in &mut status.kubernetes_execution_refs {
        reference.completed = false;
    }
    conditions::remove(&mut status, conditions::RECONCILING);
    status
}
