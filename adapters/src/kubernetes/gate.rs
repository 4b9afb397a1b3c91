//! Whether this process may write: the fence between two leaders. It is asked before every call.

use jiff::Timestamp;
use remediation_core::lease::{LeaseTiming, may_act};
use tokio::sync::watch;

use crate::clock::{Clock, SteadyClock};

/// When the lease was last renewed, by both clocks: the steady one cannot be set, and the wall clock goes on
/// while a virtual machine is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// When the renewal was sent, by the steady clock.
    pub steady: Timestamp,
    /// When the renewal was sent, by the wall clock.
    pub wall: Timestamp,
}

/// Whether this process may write.
#[derive(Clone, Debug)]
pub struct Gate(Option<Leadership>);

#[derive(Clone, Debug)]
struct Leadership {
    renewed: watch::Receiver<Option<Renewal>>,
    steady: SteadyClock,
    timing: LeaseTiming,
}

impl Gate {
    /// For a process that does not take part in an election.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// Open while the lease is held, and no longer than two thirds of its duration after the last renewal.
    #[must_use]
    pub fn held(
        renewed: watch::Receiver<Option<Renewal>>,
        steady: SteadyClock,
        timing: LeaseTiming,
    ) -> Self {
        Self(Some(Leadership {
            renewed,
            steady,
            timing,
        }))
    }

    /// Whether this process may act, at this moment of the wall clock.
    #[must_use]
    pub fn may_act(&self, now: Timestamp) -> bool {
        let Some(Leadership {
            renewed,
            steady,
            timing,
        }) = &self.0
        else {
            return true;
        };
        renewed.borrow().is_some_and(|renewal| {
            may_act(renewal.steady, steady.now(), timing) && may_act(renewal.wall, now, timing)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_gate_closes_before_anybody_else_can_take_the_lease() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let (renewals, renewed) = watch::channel(None);
        let steady = SteadyClock::starting_at(start);
        let gate = Gate::held(renewed, steady, LeaseTiming::default());
        assert!(!gate.may_act(start), "never renewed");
        renewals.send_replace(Some(Renewal {
            steady: start,
            wall: start,
        }));
        assert!(gate.may_act(start));
        assert!(
            !gate.may_act(start + SignedDuration::from_mins(2)),
            "the machine was stopped"
        );
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert!(!gate.may_act(start), "the wall clock was set back");
        assert!(Gate::open().may_act(start));
    }
}
