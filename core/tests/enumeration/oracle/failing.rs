//! Both ends: a failure is recorded, escalated, and terminal; a success is told, and terminal.

use remediation_core::action::{Action, EventSeverity};
use remediation_core::children::Child;
use remediation_core::error::Cause;
use remediation_core::memory::{Errand, Refusal};
use remediation_core::names::Occasion;
use remediation_core::phase::Phase;
use remediation_core::time::{GoDuration, Time};

use super::facts::{Leave, Seen};
use super::{Failure, Oracle};

/// Whether people are told of the end.
pub(crate) enum Told<'a> {
    /// The notification is there.
    Yes(&'a Child),
    /// It has to be created.
    Create,
    /// It was refused, and may be tried again later, or for good.
    Refused(&'a Refusal),
}

impl<'a> Oracle<'a> {
    /// First step of failing: the outcome is recorded and fixed; the escalation follows.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.creates.clear();
        if self.may_have_completed() {
            match self.told(Occasion::Success) {
                Told::Yes(_) => return self.complete("as the success notification records"),
                Told::Create | Told::Refused(_) => {}
            }
            if self.must_look_for_success() {
                return;
            }
        }
        // A phase that cannot be placed has no name among ours.
        let phase = self
            .phase()
            .filter(|phase| *phase > Phase::Pending)
            .unwrap_or(Phase::Initializing);
        let status = &mut self.status;
        status.reason = Some(failure.reason);
        status.message = Some(failure.says);
        status.failure_category = Some(failure.category);
        status.failure_phase = Some(phase);
        status.timeout_phase = failure.timed_out.then_some(phase);
        status.failure_time = Some(self.stamp);
        status.next_deadline = None;
        status.waiting_for = self.waiting_for.take();
        self.condition("Reconciling", true, "InProgress", "");
        self.reads.clear();
        if self.record()
            && let Told::Create = self.told(Occasion::Escalation)
        {
            let new = self.escalation();
            self.out.push(Action::Create(Box::new(new)));
        }
        self.sweep();
        if let Some(wake) = self.wakes.iter().min() {
            self.out.push(Action::WakeAt(*wake));
        }
    }

    fn escalation(&self) -> remediation_core::action::NewChild {
        let phase = self
            .status
            .failure_phase
            .map_or("an unknown phase".to_owned(), |phase| {
                phase.name().to_owned()
            });
        self.notification(Occasion::Escalation, &phase)
    }

    fn may_have_completed(&self) -> bool {
        matches!(
            self.phase(),
            Some(Phase::WorkflowPlanning | Phase::Executing)
        )
    }

    /// Whether the success notification of a process that died must be looked for first; not while status cannot be
    /// written, when every event would ask again.
    fn must_look_for_success(&mut self) -> bool {
        let key = self.notification_key(Occasion::Success);
        if matches!(self.look(&key), Seen::Unseen) {
            self.reads.clear();
            match self.record_refused() {
                Some(refusal) => self.wake(refusal.next_try),
                None => self.reads.push(key),
            }
            self.conclude();
            return true;
        }
        false
    }

    pub(crate) fn told(&self, occasion: Occasion) -> Told<'a> {
        let key = self.notification_key(occasion);
        if let Seen::Ours(child) = self.look(&key) {
            return Told::Yes(child);
        }
        match self.leave(&Errand::Create(key)) {
            Leave::Now => Told::Create,
            Leave::Later(refusal) | Leave::Never(refusal) => Told::Refused(refusal),
        }
    }

    /// Whether a refusal no longer holds the end up: a 4xx, or 30 s of anything else.
    fn is_given_up(&self, refusal: &Refusal, since: Time) -> bool {
        let silent = matches!(
            refusal.cause,
            Cause::Timeout | Cause::Unavailable | Cause::TooManyRequests
        );
        !silent || self.now >= Self::thirty_seconds_after(since)
    }

    /// The steps after the first: the escalation, then the terminal phase.
    pub(crate) fn finish_failing(&mut self) {
        self.status
            .reason
            .get_or_insert_with(|| "Failed".to_owned());
        if self.phase() == Some(Phase::Pending) {
            let why = self.why();
            self.enter(Phase::Initializing, Some((&why.0, &why.1)));
        }
        match self.told(Occasion::Escalation) {
            Told::Yes(child) => {
                self.fail_for_good();
                self.name_notification(Occasion::Escalation, child);
                self.condition("Escalated", true, "NotificationCreated", "");
                self.end();
            }
            Told::Create => {
                let new = self.escalation();
                self.put(new);
                self.sweep();
                if let Some(wake) = self.wakes.iter().min() {
                    self.out.push(Action::WakeAt(*wake));
                }
            }
            Told::Refused(refusal) => {
                let since = self.status.failure_time.unwrap_or(self.stamp);
                if self.is_given_up(refusal, since) {
                    self.fail_for_good();
                    self.not_told(refusal);
                    self.end();
                } else {
                    self.wake(refusal.next_try);
                    self.wake(Self::thirty_seconds_after(since));
                    self.wait_for_end();
                }
            }
        }
    }

    fn wait_for_end(&mut self) {
        let status = &mut self.status;
        status.next_deadline = None;
        self.condition("Reconciling", true, "InProgress", "");
        self.record_in_time();
        self.sweep();
        if let Some(wake) = self.wakes.iter().min() {
            self.out.push(Action::WakeAt(*wake));
        }
    }

    fn not_told(&mut self, refusal: &Refusal) {
        self.condition("Escalated", false, refusal.cause.word(), &refusal.message);
        self.events.push(Self::announce(
            EventSeverity::Warning,
            "NotificationUndelivered",
            "",
        ));
    }

    fn why(&self) -> (String, String) {
        (
            self.status.reason.clone().unwrap_or_default(),
            self.status.message.clone().unwrap_or_default(),
        )
    }

    /// The last step of failing.
    fn fail_for_good(&mut self) {
        let why = self.why();
        self.enter(Phase::Failed, Some((&why.0, &why.1)));
        self.condition("Failed", true, &why.0, "");
        self.condition("Stalled", true, &why.0, "");
        self.events.push(Self::announce(
            EventSeverity::Warning,
            "RemediationFailed",
            &why.0,
        ));
    }

    /// The success notification, then Completed.
    pub(crate) fn complete(&mut self, says: &str) {
        let told = self.told(Occasion::Success);
        match told {
            Told::Yes(_) => {}
            Told::Create => {
                let new = self.notification(Occasion::Success, "Completed");
                self.creates = vec![new];
                return self.conclude();
            }
            Told::Refused(refusal) => {
                let since = Time::at(refusal.first);
                if !self.is_given_up(refusal, since) {
                    self.wake(refusal.next_try);
                    self.wake(Self::thirty_seconds_after(since));
                    self.count();
                    return self.conclude();
                }
            }
        }
        if self.phase() == Some(Phase::WorkflowPlanning) {
            self.enter(Phase::Executing, Some(("WorkflowExecuting", "")));
        }
        self.enter(Phase::Completed, Some(("RemediationCompleted", says)));
        self.count_all();
        self.no_condition("Escalated");
        self.condition("Complete", true, "RemediationCompleted", says);
        self.events.push(Self::announce(
            EventSeverity::Normal,
            "RemediationCompleted",
            says,
        ));
        match told {
            Told::Yes(child) => self.name_notification(Occasion::Success, child),
            Told::Refused(refusal) => self.not_told(refusal),
            Told::Create => {}
        }
        self.end();
    }

    /// What both ends have in common.
    fn end(&mut self) {
        let stamp = self.status.phase_start_time.unwrap_or(self.stamp);
        let ttl = self
            .status
            .effective_policy
            .as_ref()
            .map_or(86_400, |p| p.ttl_seconds_after_finished);
        self.no_condition("Reconciling");
        self.no_condition("AwaitingApproval");
        let status = &mut self.status;
        status.completion_time = Some(stamp);
        status.expiry_time = Some(stamp.plus(GoDuration::from_secs(ttl)));
        status.next_deadline = None;
        status.waiting_for = None;
        self.record();
        self.sweep();
        if let Some(wake) = self.wakes.iter().min() {
            self.out.push(Action::WakeAt(*wake));
        }
    }
}
