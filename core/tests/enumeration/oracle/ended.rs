//! A remediation that ended, and one that is suspended.

use remediation_core::action::Action;
use remediation_core::error::Category;
use remediation_core::memory::Errand;
use remediation_core::names::Occasion;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::time::{GoDuration, Time};

use super::Oracle;
use super::failing::Told;

impl Oracle<'_> {
    /// Nothing changes any more, until it is deleted; only a notification that is owed is tried again.
    pub(crate) fn ended(&mut self) {
        let ended = self.status.completion_time.unwrap_or(self.stamp);
        let policy = self
            .status
            .effective_policy
            .clone()
            .unwrap_or_else(|| self.policy_now().0);
        let expiry = ended
            .plus(GoDuration::from_secs(policy.ttl_seconds_after_finished))
            .moment();
        if self.now >= expiry {
            match self
                .refusal(&Errand::DeleteRequest)
                .filter(|r| self.now < r.next_try)
            {
                None => self.out.push(Action::DeleteRequest),
                Some(refusal) => self.out.push(Action::WakeAt(refusal.next_try)),
            }
            return;
        }
        self.stamp = self.monotone();
        self.wake(expiry);
        self.pay_debt();
        self.sweep();
        if let Some(wake) = self.wakes.iter().min() {
            self.out.push(Action::WakeAt(*wake));
        }
    }

    /// What the orchestrator wrote besides `completionTime`, where a hand took only that away.
    pub(crate) fn end_that_was_taken_away(&self) -> Option<Time> {
        let status = &self.status;
        let over = [Phase::Completed, Phase::Failed].map(PhaseWord::Known);
        if let Some(entry) = status.history.last().filter(|e| over.contains(&e.phase)) {
            return Some(entry.time);
        }
        let holds = |kind: &str| status.condition(kind).filter(|c| c.status == "True");
        let tells = holds("Complete").or(holds("Failed"));
        tells.map(|condition| condition.last_transition_time)
    }

    /// It ended then, and ends then again: nothing but what the end means is written.
    pub(crate) fn ends_again(&mut self, then: Time) {
        let policy = self.status.effective_policy.clone();
        let policy = policy.unwrap_or_else(|| self.policy_now().0);
        let ttl = GoDuration::from_secs(policy.ttl_seconds_after_finished);
        self.status.completion_time = Some(then);
        self.status.expiry_time = Some(then.plus(ttl));
        self.status.next_deadline = None;
        self.status.waiting_for = None;
        self.no_condition("Reconciling");
        self.no_condition("AwaitingApproval");
        self.record();
        self.sweep();
        if let Some(wake) = self.wakes.iter().min() {
            self.out.push(Action::WakeAt(*wake));
        }
    }

    /// A notification of the end that could not be created then.
    fn pay_debt(&mut self) {
        let owed = self.before().condition("Escalated").is_some_and(|c| {
            c.status == "False" && !["Invalid", "NameConflict"].contains(&c.reason.as_str())
        });
        if !owed {
            return;
        }
        let failed = self.status.failure_phase.is_some() || self.status.failure_category.is_some();
        let completed = self.status.phase == Some(PhaseWord::Known(Phase::Completed));
        let occasion = match (failed, completed) {
            (true, _) => Occasion::Escalation,
            (false, true) => Occasion::Success,
            // A hand took away how it ended: nobody is told what may not be true.
            (false, false) => return,
        };
        match self.told(occasion) {
            Told::Yes(child) => {
                self.name_notification(occasion, child);
                self.condition("Escalated", true, "NotificationCreated", "");
                self.record();
            }
            Told::Create => {
                let phase = self.status.failure_phase.map_or(
                    if failed {
                        "an unknown phase"
                    } else {
                        "Completed"
                    },
                    Phase::name,
                );
                let new = self.notification(occasion, phase);
                self.put(new);
            }
            Told::Refused(refusal) if refusal.cause.category() != Category::C => {
                self.wake(refusal.next_try);
            }
            Told::Refused(refusal) => {
                self.condition("Escalated", false, refusal.cause.word(), &refusal.message);
                self.record();
            }
        }
    }

    /// Nothing is created and no clock runs; the beginning of the pause is noted once.
    pub(crate) fn suspended(&mut self) {
        self.stamp = self.monotone();
        if self.status.suspended_since.is_some() {
            return;
        }
        let status = &mut self.status;
        if status.phase.is_none() {
            status.phase = Some(PhaseWord::Known(Phase::Pending));
        }
        status.suspended_since = Some(Time::at(self.now));
        status.next_deadline = None;
        self.condition(
            "Suspended",
            true,
            "SuspendRequested",
            "spec.suspend is true",
        );
        self.record();
        if let Some(wake) = self.wakes.iter().min() {
            self.out.push(Action::WakeAt(*wake));
        }
    }
}
