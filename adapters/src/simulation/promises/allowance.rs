//! How much a moment of a history may differ from a faultless one: what the history allows for as a whole, and when its
//! operator was held up, for all requests or for one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Expectations;

/// After a fault a backoff, a restart and the takeover of a lease may pass before anything is done.
const RECOVERY: SignedDuration = SignedDuration::from_secs(90);

/// The allowance of each request that something hit by itself, and of all others.
#[derive(Debug, Default)]
pub(super) struct Allowances {
    pub(super) common: Allowance,
    /// By `namespace/name`.
    of: BTreeMap<String, Allowance>,
}

impl Allowances {
    pub(super) fn new(expectations: Expectations) -> Self {
        Self {
            common: Allowance::new(expectations),
            of: BTreeMap::new(),
        }
    }

    /// From now on the history does not begin with an empty cluster.
    pub(super) fn knows_a_part(&mut self) {
        self.change(None, |all| all.expectations.whole = false);
    }

    pub(super) fn of(&self, request: &str) -> &Allowance {
        self.of.get(request).unwrap_or(&self.common)
    }

    /// Changes that of this request, or of all.
    pub(super) fn change(&mut self, about: Option<&str>, change: impl Fn(&mut Allowance)) {
        if let Some(request) = about {
            let common = &self.common;
            let of = self.of.entry(request.to_owned());
            change(of.or_insert_with(|| common.clone()));
        } else {
            change(&mut self.common);
            self.of.values_mut().for_each(change);
        }
    }
}

/// Judges how long something may go unnoticed or undone. Time in which the operator was held up does not count.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowance {
    pub(super) expectations: Expectations,
    pub(super) faults: u32,
    pub(super) last_fault: Option<Timestamp>,
    /// When watches lagged and calls were waited for.
    blind: Periods,
    /// When a fault had been made not long before.
    recovering: Periods,
}

impl Allowance {
    pub(super) fn new(expectations: Expectations) -> Self {
        Self {
            expectations,
            ..Self::default()
        }
    }

    pub(super) fn hold_up(&mut self, from: Timestamp, to: Timestamp) {
        self.blind.add(from, to);
        self.recovering.add(from, after(to, RECOVERY));
    }

    /// Nothing is done in this time, and everything right after it.
    pub(super) fn pause(&mut self, from: Timestamp, to: Timestamp) {
        self.blind.add(from, to);
        self.recovering.add(from, to);
    }

    pub(super) fn fault(&mut self, at: Timestamp) {
        self.faults = self.faults.saturating_add(1);
        self.last_fault = self.last_fault.max(Some(at));
        self.recovering.add(at, after(at, RECOVERY));
    }

    /// Whether what has held since then must have been known to what is decided at this time.
    pub(super) fn is_known(&self, since: Timestamp, at: Timestamp) -> bool {
        self.blind.free(since, at) > self.expectations.lag
    }

    /// The earliest view that something may be decided from which reaches the server at this time.
    pub(super) fn earliest_view(&self, at: Timestamp) -> Timestamp {
        self.blind.back(at, self.expectations.lag)
    }

    /// Whether what was due then was done too late.
    pub(super) fn is_late(&self, due: Timestamp, at: Timestamp) -> bool {
        let latest = self.expectations.lateness;
        latest.is_some_and(|latest| self.recovering.free(due, at) > latest + self.expectations.skew)
    }
}

/// Periods that do not touch one another, the earliest first.
#[derive(Clone, Debug, Default)]
struct Periods(Vec<(Timestamp, Timestamp)>);

impl Periods {
    fn add(&mut self, from: Timestamp, to: Timestamp) {
        let (mut from, mut to) = (from, to);
        self.0.retain(|&(begins, ends)| {
            let apart = ends < from || to < begins;
            if !apart {
                (from, to) = (from.min(begins), to.max(ends));
            }
            apart
        });
        let at = self.0.partition_point(|&(begins, _)| begins < from);
        self.0.insert(at, (from, to));
    }

    /// How much of this time lies in none of them.
    fn free(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        let within = self.0.iter().map(|&(begins, ends)| {
            let inside = ends.min(to).duration_since(begins.max(from));
            inside.max(SignedDuration::ZERO)
        });
        to.duration_since(from) - within.sum::<SignedDuration>()
    }

    /// The time from which so much of what passed until `to` lies in none of them.
    fn back(&self, to: Timestamp, free: SignedDuration) -> Timestamp {
        let (mut from, mut left) = (to, free);
        for &(begins, ends) in self.0.iter().rev().filter(|(begins, _)| *begins < to) {
            let between = from.duration_since(ends.min(from));
            if between > left {
                break;
            }
            left -= between;
            from = begins;
        }
        from.saturating_sub(left).unwrap_or(Timestamp::MIN)
    }
}

fn after(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn periods() -> Periods {
        let mut periods = Periods::default();
        for (from, to) in [(40, 50), (10, 20), (15, 25), (60, 60)] {
            periods.add(at(from), at(to));
        }
        periods
    }

    #[test]
    fn what_overlaps_counts_once() {
        assert_eq!(
            periods().0,
            [(at(10), at(25)), (at(40), at(50)), (at(60), at(60))]
        );
        let free = |from, to| periods().free(at(from), at(to)).as_secs();
        assert_eq!(
            [free(0, 30), free(12, 45), free(26, 39), free(41, 42)],
            [15, 15, 13, 0]
        );
    }

    #[test]
    fn what_hit_one_request_excuses_no_other() {
        let mut allowances = Allowances::new(Expectations {
            lateness: Some(SignedDuration::from_secs(1)),
            ..Expectations::default()
        });
        allowances.change(Some("shop/r0"), |hit| hit.fault(at(10)));
        let late =
            |allowances: &Allowances, request: &str| allowances.of(request).is_late(at(10), at(13));
        assert!(!late(&allowances, "shop/r0") && late(&allowances, "shop/r1"));
        assert_eq!(allowances.of("shop/r1").faults, 0);
        allowances.change(None, |all| all.pause(at(10), at(12)));
        assert!(!late(&allowances, "shop/r1"));
        allowances.change(None, |all| all.fault(at(11)));
        let faults = ["shop/r0", "shop/r1"].map(|request| allowances.of(request).faults);
        assert_eq!(faults, [2, 1]);
    }

    #[test]
    fn the_earliest_view_lies_before_what_held_it_up() {
        let back = |to, free| periods().back(at(to), SignedDuration::from_secs(free));
        assert_eq!(back(9, 1), at(8));
        assert_eq!(back(25, 1), at(9));
        assert_eq!(back(45, 16), at(9));
        assert_eq!(back(45, 14), at(26));
        assert_eq!(back(58, 3), at(55));
    }
}
