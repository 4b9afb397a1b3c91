//! Times: the pause that ends, the times that a clock needs, and the deadlines.

use std::sync::LazyLock;

use jiff::Timestamp;
use remediation_core::action::EventSeverity;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::policy::{EffectivePolicy, EffectiveTimeouts, EventSettings, Settings};
use remediation_core::request::Timeouts;
use remediation_core::status::Status;
use remediation_core::time::{GoDuration, Time};

use super::Oracle;

const AHEAD: GoDuration = GoDuration::from_secs(5);

/// A deadline, and whether it is that of approval.
#[derive(Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) phase: Option<Time>,
    pub(crate) overall: Option<Time>,
}

impl Oracle<'_> {
    /// The phase that status says, if it is one that work is done in.
    pub(crate) fn phase(&self) -> Option<Phase> {
        match &self.status.phase {
            None => Some(Phase::Pending),
            Some(PhaseWord::Known(phase)) if !phase.is_terminal() => Some(*phase),
            Some(_) => None,
        }
    }

    /// The pause that was observed is added to both clocks, to the millisecond. What had not begun has no clock.
    pub(crate) fn resume(&mut self) {
        let status = &mut self.status;
        let Some(since) = status.suspended_since.take() else {
            return;
        };
        status
            .conditions
            .retain(|condition| condition.kind != "Suspended");
        let pause = self.stamp.since(since);
        if status.start_time.is_some() {
            let longer =
                |old: Option<GoDuration>| Some(old.unwrap_or(GoDuration::ZERO).plus(pause));
            status.suspended_in_phase = longer(status.suspended_in_phase);
            status.suspended_total = longer(status.suspended_total);
        }
    }

    /// Times that are missing, or more than 5 s ahead, become now; a policy that is missing is what counts now.
    pub(crate) fn mend_clocks(&mut self) {
        let limit = self.now;
        let is_ahead = |time: Option<Time>| {
            time.is_some_and(|time| time.moment() > Time::at(limit).plus(AHEAD).moment())
        };
        let stamp = self.stamp;
        let status = &mut self.status;
        for time in [&mut status.start_time, &mut status.phase_start_time] {
            if time.is_none() || is_ahead(*time) {
                *time = Some(stamp);
            }
        }
        if status
            .approval_requested_time
            .is_some_and(|time| is_ahead(Some(time)))
        {
            status.approval_requested_time = Some(stamp);
        }
        let failed = status.failure_phase.is_some() || status.failure_category.is_some();
        if failed && (status.failure_time.is_none() || is_ahead(status.failure_time)) {
            status.failure_time = Some(stamp);
        }
        if self.status.effective_policy.is_none() {
            self.status.effective_policy = Some(self.policy_now().0);
        }
        self.stamp = self.monotone();
        if self.phase() == Some(Phase::Pending)
            && self.status.failure_phase.is_none()
            && self.status.failure_category.is_none()
        {
            self.begin();
        }
    }

    /// A new request begins: Initializing, in the same pass.
    fn begin(&mut self) {
        self.enter(Phase::Initializing, Some(("Initializing", "")));
        self.status.attempt.get_or_insert(1);
    }

    /// What counts for a remediation that begins now, and what is wrong with what it asks for.
    pub(crate) fn policy_now(&self) -> (EffectivePolicy, bool) {
        let asked = self.state.request.spec.timeouts.clone().unwrap_or_default();
        let Timeouts {
            processing,
            analyzing,
            approval,
            workflow_planning,
            executing,
            overall,
        } = asked;
        let mut wrong = false;
        let mut choose = |asked: Option<String>, default: i64| match asked.as_deref() {
            None => GoDuration::from_mins(default),
            Some("7m") => GoDuration::from_mins(7),
            Some("40m") => GoDuration::from_mins(40),
            Some(_) => {
                wrong = true;
                GoDuration::from_mins(default)
            }
        };
        let processing = choose(processing, 15);
        let analyzing = choose(analyzing, 15);
        let approval = choose(approval, 15);
        let workflow_planning = choose(workflow_planning, 15);
        let executing = choose(executing, 30);
        let sum = [
            processing,
            analyzing,
            approval,
            workflow_planning,
            executing,
        ];
        let minutes = sum.iter().map(|limit| limit.as_millis()).sum::<i64>() / 60_000;
        let overall = choose(overall, minutes);
        let ttl = match self.state.request.spec.ttl_seconds_after_finished {
            None => 86_400,
            Some(seconds) if seconds < 0 => {
                wrong = true;
                86_400
            }
            Some(seconds) => seconds,
        };
        let policy = EffectivePolicy {
            timeouts: EffectiveTimeouts {
                processing,
                analyzing,
                approval,
                workflow_planning,
                executing,
                overall,
            },
            ttl_seconds_after_finished: ttl,
            configuration_hash: hash(self.state.settings.events.transitions),
        };
        (policy, wrong)
    }

    /// The deadlines of this moment: the beginning, the limit, and the time that it was suspended.
    pub(crate) fn deadlines(&self) -> Deadlines {
        let status = &self.status;
        let Some(policy) = &status.effective_policy else {
            return Deadlines {
                phase: None,
                overall: None,
            };
        };
        let limits = &policy.timeouts;
        let paused = status.suspended_in_phase.unwrap_or(GoDuration::ZERO);
        let began = status.phase_start_time;
        let of_phase = match self.phase() {
            Some(Phase::Initializing | Phase::Processing) => {
                began.map(|t| t.plus(limits.processing))
            }
            Some(Phase::Analyzing) => match status.approval_requested_time {
                Some(asked) => Some(asked.plus(limits.approval)),
                None => began.map(|t| t.plus(limits.analyzing)),
            },
            Some(Phase::WorkflowPlanning) => began.map(|t| t.plus(limits.workflow_planning)),
            Some(Phase::Executing) => began.map(|t| t.plus(limits.executing)),
            Some(Phase::Pending | Phase::Completed | Phase::Failed) | None => None,
        };
        let total = status.suspended_total.unwrap_or(GoDuration::ZERO);
        Deadlines {
            phase: of_phase.map(|t| t.plus(paused)),
            overall: status
                .start_time
                .map(|t| t.plus(limits.overall).plus(total)),
        }
    }

    /// The earlier of the two.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let Deadlines { phase, overall } = self.deadlines();
        phase.into_iter().chain(overall).min()
    }

    /// Which deadline has passed, the earlier one first: `true` for that of the phase.
    pub(crate) fn passed(&self) -> Option<bool> {
        let Deadlines { phase, overall } = self.deadlines();
        let passed = |time: Option<Time>| time.filter(|time| self.now >= time.moment());
        match (passed(phase), passed(overall)) {
            (None, None) => None,
            (Some(_), None) => Some(true),
            (None, Some(_)) => Some(false),
            (Some(phase), Some(overall)) => Some(phase <= overall),
        }
    }

    /// Enters a phase, at this moment: its clock begins. `why` is its reason and a part of its message.
    pub(crate) fn enter(&mut self, phase: Phase, why: Option<(&str, &str)>) {
        let stamp = self.stamp;
        let status = &mut self.status;
        status.phase = Some(PhaseWord::Known(phase));
        status.phase_start_time = Some(stamp);
        status.suspended_in_phase = None;
        if let Some((reason, says)) = why {
            status.reason = Some(reason.to_owned());
            status.message = Some(says.to_owned());
        } else {
            status.reason = None;
            status.message = None;
        }
        self.path.push(phase);
        if phase > Phase::Initializing {
            self.remember(phase, stamp);
            if self.state.settings.events.transitions && !phase.is_terminal() {
                self.events.push(Self::announce(
                    EventSeverity::Normal,
                    "PhaseEntered",
                    phase.name(),
                ));
            }
        }
    }

    /// Now, but never before what is stored already.
    pub(crate) fn monotone(&self) -> Time {
        let Status {
            start_time,
            phase_start_time,
            approval_requested_time,
            failure_time,
            completion_time,
            ..
        } = &self.status;
        let stored = [
            start_time,
            phase_start_time,
            approval_requested_time,
            failure_time,
            completion_time,
        ];
        let now = Time::at(self.now);
        let last = self
            .status
            .history
            .last()
            .map(|entry| entry.time)
            .filter(|time| *time <= now.plus(AHEAD));
        stored
            .into_iter()
            .flatten()
            .copied()
            .chain(last)
            .fold(now, Time::max)
    }

    pub(crate) fn thirty_seconds_after(time: Time) -> Timestamp {
        time.plus(GoDuration::from_secs(30)).moment()
    }
}

/// The hash of the two configurations that there are here.
fn hash(transitions: bool) -> String {
    static HASHES: LazyLock<[String; 2]> = LazyLock::new(|| {
        [false, true].map(|transitions| {
            Settings {
                events: EventSettings { transitions },
                ..Settings::default()
            }
            .hash()
        })
    });
    HASHES[usize::from(transitions)].clone()
}
