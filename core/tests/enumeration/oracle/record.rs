//! What is written down: history, conditions, and the order of the actions.

use remediation_core::action::{
    Action, ChildSpec, EventSeverity, NewChild, NotificationSpec, Record,
};
use remediation_core::children::ChildKey;
use remediation_core::kind::{ChildKind, REQUEST_LABEL, REQUEST_UID_LABEL};
use remediation_core::memory::{Errand, Refusal};
use remediation_core::names::Occasion;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::{Condition, HistoryEntry, Status};
use remediation_core::text;
use remediation_core::time::{GoDuration, Time};

use super::Oracle;

impl<'a> Oracle<'a> {
    /// One entry of history for a transition.
    pub(crate) fn remember(&mut self, phase: Phase, time: Time) {
        let status = &mut self.status;
        status.history.push(HistoryEntry {
            phase: PhaseWord::Known(phase),
            time,
            reason: status.reason.clone().unwrap_or_default(),
            message: status.message.clone().unwrap_or_default(),
        });
    }

    /// Sets a condition; the time is that of the last change of its status.
    pub(crate) fn condition(&mut self, kind: &str, holds: bool, reason: &str, says: &str) {
        let value = if holds { "True" } else { "False" };
        let since = self
            .status
            .conditions
            .iter()
            .find(|c| c.kind == kind && c.status == value);
        let condition = Condition {
            kind: kind.into(),
            status: value.into(),
            reason: reason.into(),
            message: says.into(),
            last_transition_time: since.map_or(self.stamp, |c| c.last_transition_time),
        };
        match self.status.conditions.iter_mut().find(|c| c.kind == kind) {
            Some(known) => *known = condition,
            None => self.status.conditions.push(condition),
        }
    }

    pub(crate) fn no_condition(&mut self, kind: &str) {
        self.status.conditions.retain(|c| c.kind != kind);
    }

    /// A child of this request with the labels that each carries.
    pub(crate) fn child(&self, key: ChildKey, spec: ChildSpec) -> NewChild {
        let request = &self.state.request.identity;
        let labels = [
            (REQUEST_LABEL, &request.name),
            (REQUEST_UID_LABEL, &request.uid),
        ];
        NewChild {
            key,
            labels: labels
                .map(|(label, value)| (label.to_owned(), value.clone()))
                .into(),
            spec,
        }
    }

    pub(crate) fn notification_key(&self, occasion: Occasion) -> ChildKey {
        let request = &self.state.request.identity;
        let name = format!("{}-{}-{}", request.name, occasion.word(), &request.uid[..8]);
        ChildKey::new(ChildKind::NotificationRequest, name)
    }

    /// What tells people: priority, channels and metadata as the page lists them.
    pub(crate) fn notification(&self, occasion: Occasion, phase: &str) -> NewChild {
        let request = &self.state.request;
        let (priority, channels): (&str, &[&str]) = match occasion {
            Occasion::Escalation | Occasion::Approval => ("high", &["slack", "email"]),
            Occasion::Success => ("low", &["slack"]),
        };
        let name = &request.identity.name;
        let environment = request
            .spec
            .targeting_data
            .as_ref()
            .map_or(String::new(), |data| text::clean(&data.environment, 63));
        let command = format!(
            "kubectl -n {} describe remediationrequests {name}",
            request.identity.namespace
        );
        let mut metadata: Vec<(&str, &str)> = vec![
            ("remediation_request", name),
            ("namespace", &request.identity.namespace),
            ("environment", &environment),
            ("phase", phase),
            ("command", &command),
        ];
        if occasion == Occasion::Escalation {
            metadata.push((
                "failure_reason",
                self.status.reason.as_deref().unwrap_or(""),
            ));
            metadata.push((
                "failure_category",
                self.status.failure_category.map_or("?", |c| c.letter()),
            ));
        }
        let analysis = self.stage(ChildKind::AIAnalysis).name;
        if occasion == Occasion::Approval {
            metadata.push(("ai_analysis", &analysis));
        }
        let spec = NotificationSpec {
            occasion,
            priority: priority.into(),
            channels: channels.iter().map(ToString::to_string).collect(),
            subject: name.clone(),
            body: self
                .status
                .message
                .clone()
                .filter(|_| occasion == Occasion::Escalation)
                .unwrap_or_default(),
            metadata: metadata
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        };
        self.child(
            self.notification_key(occasion),
            ChildSpec::Notification(spec),
        )
    }

    /// Ends an active decision: what is created or read comes first, and is decided upon again; else what changed is
    /// recorded, announced, and the next wake-up asked for.
    pub(crate) fn conclude(&mut self) {
        for key in std::mem::take(&mut self.reads) {
            self.out.push(Action::Read(key));
        }
        let creates = std::mem::take(&mut self.creates);
        let acts = !creates.is_empty()
            || self
                .out
                .iter()
                .any(|action| matches!(action, Action::Read(_)));
        for new in creates {
            self.put(new);
        }
        let next = self.next_deadline();
        if !acts {
            self.write_down(next);
        }
        self.sweep();
        if let Some(next) = next {
            self.wake(next.moment());
        }
        if let Some(wake) = self.wakes.iter().min() {
            self.out.push(Action::WakeAt(*wake));
        }
    }

    /// Creates a child. A notification is in no cache, so that every event would ask for it again while status cannot
    /// say that it exists: until that may be tried it is not created.
    pub(crate) fn put(&mut self, new: NewChild) {
        if new.key.kind == ChildKind::NotificationRequest
            && let Some(refusal) = self.record_refused()
        {
            return self.wake(refusal.next_try);
        }
        self.out.push(Action::Create(Box::new(new)));
    }

    /// Records what changed; a change of progress or of what is waited for alone at most once a second.
    fn write_down(&mut self, next: Option<Time>) {
        let before = self.before();
        self.status.next_deadline = next;
        self.status.waiting_for = self.waiting_for.take();
        match self.trouble.take() {
            Some((reason, says)) => {
                let known = before
                    .condition("Reconciling")
                    .is_some_and(|c| c.reason == reason);
                self.condition("Reconciling", true, reason, &says);
                if !known {
                    self.events
                        .push(Self::announce(EventSeverity::Warning, reason, &says));
                }
            }
            None => self.condition("Reconciling", true, "InProgress", ""),
        }
        self.record_in_time();
    }

    /// Records what changed, unless it is progress alone that was written within the second.
    pub(crate) fn record_in_time(&mut self) {
        let before = self.before();
        if self.status == *before {
            return;
        }
        if let Some(refusal) = self.record_refused() {
            return self.wake(refusal.next_try);
        }
        let mut minor = before.clone();
        copy_minor(&self.status, &mut minor);
        if minor == self.status
            && let Some(last) = self
                .state
                .memory
                .last_record
                .filter(|last| *last <= self.now)
        {
            let again = Time::at(last).plus(GoDuration::from_secs(1)).moment();
            if again > self.now {
                self.wake(again);
                return;
            }
        }
        self.record();
    }

    pub(crate) fn record_refused(&self) -> Option<&'a Refusal> {
        self.backs_off(&Errand::Record)
    }

    /// Writes the status as it is now, and announces what belongs to it.
    pub(crate) fn record(&mut self) -> bool {
        if let Some(refusal) = self.record_refused() {
            self.wake(refusal.next_try);
            return false;
        }
        self.status.observed_generation = Some(self.state.request.generation);
        let path = std::mem::take(&mut self.path);
        self.out.push(Action::Record(Box::new(Record {
            status: self.status.clone(),
            path,
        })));
        for event in std::mem::take(&mut self.events) {
            self.out.push(Action::Announce(event));
        }
        true
    }
}

/// What a change of progress alone consists of.
fn copy_minor(from: &Status, to: &mut Status) {
    to.overall_progress = from.overall_progress;
    to.steps_completed = from.steps_completed;
    to.steps_total = from.steps_total;
    to.conditions.retain(|c| c.kind != "Reconciling");
    to.conditions.extend(
        from.conditions
            .iter()
            .filter(|c| c.kind == "Reconciling")
            .cloned(),
    );
    for (to, from) in to
        .kubernetes_execution_refs
        .iter_mut()
        .zip(&from.kubernetes_execution_refs)
    {
        to.completed = from.completed;
    }
}
