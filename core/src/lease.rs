//! Leader election, the decision alone: what to write to the Lease, from what is read of it.
//!
//! The clock of the holder is never trusted. As client-go does, a candidate starts its own timer when it first
//! sees a record, and may take the lease only when that record stood unchanged for the whole lease duration by
//! its own clock. Every write carries the resource version that was read, so two candidates cannot both win.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time::{GoDuration, Time};

/// How leadership is timed. A takeover after a crash takes at most `duration` + `retry` + a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTiming {
    /// How long a lease holds after its last renewal. Default 10 s.
    pub duration: GoDuration,
    /// How often it is renewed or asked for. Default 2 s.
    pub retry: GoDuration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            duration: GoDuration::from_secs(10),
            retry: GoDuration::from_secs(2),
        }
    }
}

impl LeaseTiming {
    /// How long after its last successful renewal a leader still acts: two thirds of the duration, so that it
    /// has stopped before anybody can take over.
    #[must_use]
    pub fn renew_deadline(&self) -> GoDuration {
        GoDuration::from_millis(self.duration.as_millis() * 2 / 3)
    }
}

/// The record in a Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Who holds it; empty after it was released.
    pub holder: String,
    /// Its duration in whole seconds, as the holder wrote it.
    pub duration_seconds: i64,
    /// When the holder took it.
    pub acquired: Option<Time>,
    /// When the holder last renewed it.
    pub renewed: Option<Time>,
    /// How often it changed hands.
    pub transitions: i64,
}

/// What a candidate saw, and since when it stood unchanged by the candidate's own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The record.
    pub record: LeaseRecord,
    /// When this candidate first saw exactly this record.
    pub since: Timestamp,
}

/// What to do with the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseAction {
    /// Create it with this record: there is none.
    Create(LeaseRecord),
    /// Replace it by this record, against the resource version that was read.
    Replace(LeaseRecord),
    /// Somebody else holds it: look again at this moment.
    WaitUntil(Timestamp),
}

/// What `me` should write, having seen this. Asked every [`LeaseTiming::retry`].
#[must_use]
pub fn decide_lease(
    seen: Option<&Sighting>,
    me: &str,
    now: Timestamp,
    timing: &LeaseTiming,
) -> LeaseAction {
    let record = |acquired: Time, transitions: i64| LeaseRecord {
        holder: me.to_owned(),
        duration_seconds: (timing.duration.as_millis() + 999) / 1000,
        acquired: Some(acquired),
        renewed: Some(Time::at(now)),
        transitions,
    };
    let Some(Sighting {
        record: held,
        since,
    }) = seen
    else {
        return LeaseAction::Create(record(Time::at(now), 0));
    };
    if held.holder == me {
        return LeaseAction::Replace(record(
            held.acquired.unwrap_or(Time::at(now)),
            held.transitions,
        ));
    }
    // The holder's own duration counts if it is longer: it may be configured otherwise than we are.
    let holds_for = timing
        .duration
        .max(GoDuration::from_secs(held.duration_seconds.clamp(0, 3600)));
    let expires = Time::at(*since).plus(holds_for);
    if held.holder.is_empty() || expires.reached(now) {
        return LeaseAction::Replace(record(Time::at(now), held.transitions.saturating_add(1)));
    }
    let retry = Time::at(now).plus(timing.retry);
    LeaseAction::WaitUntil(retry.min(expires).moment())
}

/// The record that gives the lease up, so that a standby takes over at its next look.
#[must_use]
pub fn released(record: &LeaseRecord, now: Timestamp) -> LeaseRecord {
    LeaseRecord {
        holder: String::new(),
        duration_seconds: 1,
        renewed: Some(Time::at(now)),
        ..record.clone()
    }
}

/// Whether a leader whose last renewal was sent at this moment may still act at `now`.
#[must_use]
pub fn may_act(renewal_sent: Timestamp, now: Timestamp, timing: &LeaseTiming) -> bool {
    // A clock that went backwards since proves nothing: then it may not.
    now >= renewal_sent
        && !Time::at(renewal_sent)
            .plus(timing.renew_deadline())
            .reached(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn held_by(holder: &str, since: i64) -> Sighting {
        Sighting {
            record: LeaseRecord {
                holder: holder.into(),
                duration_seconds: 10,
                acquired: Some(Time::at(at(0))),
                renewed: Some(Time::at(at(0))),
                transitions: 4,
            },
            since: at(since),
        }
    }

    #[test]
    fn the_first_candidate_creates_the_lease() {
        let LeaseAction::Create(record) = decide_lease(None, "a", at(0), &LeaseTiming::default())
        else {
            panic!("not created")
        };
        assert_eq!((record.holder.as_str(), record.duration_seconds), ("a", 10));
    }

    #[test]
    fn a_standby_waits_until_the_record_stood_unchanged_for_the_whole_duration() {
        let timing = LeaseTiming::default();
        let seen = held_by("a", 0);
        assert_eq!(
            decide_lease(Some(&seen), "b", at(1), &timing),
            LeaseAction::WaitUntil(at(3))
        );
        assert_eq!(
            decide_lease(Some(&seen), "b", at(9), &timing),
            LeaseAction::WaitUntil(at(10))
        );
        let LeaseAction::Replace(record) = decide_lease(Some(&seen), "b", at(10), &timing) else {
            panic!("not taken over")
        };
        assert_eq!((record.holder.as_str(), record.transitions), ("b", 5));
    }

    #[test]
    fn the_clock_of_the_holder_is_not_believed() {
        // It was renewed a moment ago, by a holder whose clock is an hour behind.
        let mut seen = held_by("a", 0);
        seen.record.renewed = Some(Time::at(at(-3600)));
        let timing = LeaseTiming::default();
        assert_eq!(
            decide_lease(Some(&seen), "b", at(1), &timing),
            LeaseAction::WaitUntil(at(3))
        );
        // And it is taken from one whose clock is an hour ahead.
        seen.record.renewed = Some(Time::at(at(3600)));
        let taken = decide_lease(Some(&seen), "b", at(10), &timing);
        assert!(matches!(taken, LeaseAction::Replace(_)), "{taken:?}");
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let seen = Sighting {
            record: released(&held_by("a", 0).record, at(1)),
            since: at(1),
        };
        assert!(matches!(
            decide_lease(Some(&seen), "b", at(1), &LeaseTiming::default()),
            LeaseAction::Replace(_)
        ));
    }

    #[test]
    fn a_leader_stops_acting_before_anybody_can_take_over() {
        let timing = LeaseTiming::default();
        assert!(may_act(at(0), at(6), &timing));
        assert!(!may_act(at(0), at(7), &timing));
        assert!(timing.renew_deadline() < timing.duration);
        assert!(!may_act(at(5), at(4), &timing), "the clock went backwards");
    }

    #[test]
    fn a_released_lease_has_no_holder_and_lasts_a_second() {
        let held = held_by("a", 0).record;
        let given_up = released(&held, at(5));
        assert_eq!(
            given_up,
            LeaseRecord {
                holder: String::new(),
                duration_seconds: 1,
                renewed: Some(Time::at(at(5))),
                ..held
            }
        );
    }
}
