//! Deadlines: facts computed from stored times, never polled for. Exactly at a deadline it has passed.

use jiff::Timestamp;

use crate::phase::Phase;
use crate::policy::EffectivePolicy;
use crate::status::Status;
use crate::time::{GoDuration, Time};

/// Which limit a deadline belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The present phase's own.
    Phase,
    /// That of waiting for approval, which replaces Analyzing's own.
    Approval,
    /// That of the whole remediation.
    Overall,
}

/// A deadline, and the limit it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When it passes.
    pub at: Time,
    /// Which limit it belongs to.
    pub limit: Limit,
    /// How long that limit is.
    pub allowed: GoDuration,
}

/// The deadline of a phase that began, with the time added for which its clock stood still.
#[must_use]
pub fn of_phase(status: &Status, policy: &EffectivePolicy, phase: Phase) -> Option<Deadline> {
    let limits = &policy.timeouts;
    let paused = status.suspended_in_phase.unwrap_or_default();
    if let (Phase::Analyzing, Some(asked)) = (phase, status.approval_requested_time) {
        return Some(Deadline {
            at: asked.plus(limits.approval).plus(paused),
            limit: Limit::Approval,
            allowed: limits.approval,
        });
    }
    let allowed = match phase {
        Phase::Initializing | Phase::Processing => limits.processing,
        Phase::Analyzing => limits.analyzing,
        Phase::WorkflowPlanning => limits.workflow_planning,
        Phase::Executing => limits.executing,
        Phase::Pending | Phase::Completed | Phase::Failed => return None,
    };
    Some(Deadline {
        at: status.phase_start_time?.plus(allowed).plus(paused),
        limit: Limit::Phase,
        allowed,
    })
}

/// The deadline of the whole remediation, with the time added for which its clock stood still.
#[must_use]
pub fn overall(status: &Status, policy: &EffectivePolicy) -> Option<Deadline> {
    let allowed = policy.timeouts.overall;
    let paused = status.suspended_total.unwrap_or_default();
    Some(Deadline {
        at: status.start_time?.plus(allowed).plus(paused),
        limit: Limit::Overall,
        allowed,
    })
}

/// The deadline that passes first; of two at the same moment the phase's own.
#[must_use]
pub fn next(status: &Status, policy: &EffectivePolicy, phase: Option<Phase>) -> Option<Deadline> {
    let of_phase = phase.and_then(|phase| of_phase(status, policy, phase));
    let overall = overall(status, policy);
    match (of_phase, overall) {
        (Some(phase), Some(overall)) if overall.at < phase.at => Some(overall),
        (Some(phase), _) => Some(phase),
        (None, overall) => overall,
    }
}

/// The deadline that has passed at `now`, the earlier one where both have.
#[must_use]
pub fn passed(
    status: &Status,
    policy: &EffectivePolicy,
    phase: Option<Phase>,
    now: Timestamp,
) -> Option<Deadline> {
    next(status, policy, phase).filter(|deadline| deadline.at.reached(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Settings, effective};
    use crate::request::RequestSpec;

    fn begun(phase_start: i64) -> (Status, EffectivePolicy) {
        let (policy, _) = effective(&Settings::default(), &RequestSpec::default());
        let status = Status {
            start_time: Some(Time::from_millis(0)),
            phase_start_time: Some(Time::from_millis(phase_start)),
            ..Status::default()
        };
        (status, policy)
    }

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_phase_counts_from_its_own_start_and_the_whole_from_the_first() {
        let (status, policy) = begun(10 * MINUTE);
        let phase = of_phase(&status, &policy, Phase::Processing).unwrap();
        assert_eq!(phase.at, Time::from_millis(25 * MINUTE));
        assert_eq!(
            overall(&status, &policy).unwrap().at,
            Time::from_millis(90 * MINUTE)
        );
    }

    #[test]
    fn the_earlier_of_two_deadlines_counts_and_a_tie_is_the_phases() {
        let (status, policy) = begun(80 * MINUTE);
        let next_one = |status| {
            next(status, &policy, Some(Phase::Processing))
                .unwrap()
                .limit
        };
        assert_eq!(next_one(&status), Limit::Overall);
        let (tied, _) = begun(75 * MINUTE);
        assert_eq!(next_one(&tied), Limit::Phase);
    }

    #[test]
    fn paused_time_is_added_to_both_to_the_millisecond() {
        let (mut status, policy) = begun(0);
        status.suspended_in_phase = Some(GoDuration::from_millis(1_234));
        status.suspended_total = Some(GoDuration::from_millis(5_678));
        let phase = of_phase(&status, &policy, Phase::Executing).unwrap();
        assert_eq!(phase.at, Time::from_millis(30 * MINUTE + 1_234));
        assert_eq!(
            overall(&status, &policy).unwrap().at,
            Time::from_millis(90 * MINUTE + 5_678)
        );
    }

    #[test]
    fn the_approval_deadline_replaces_that_of_the_analysis() {
        let (mut status, policy) = begun(0);
        status.approval_requested_time = Some(Time::from_millis(14 * MINUTE));
        let deadline = of_phase(&status, &policy, Phase::Analyzing).unwrap();
        assert_eq!(
            (deadline.limit, deadline.at),
            (Limit::Approval, Time::from_millis(29 * MINUTE))
        );
    }
}
