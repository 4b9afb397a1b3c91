//! What one process remembers of a request between two decisions: which calls were refused, and when status
//! was last written. Only hints: losing them in a restart costs an early retry, and lets what may be held up for thirty
//! seconds begin them anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::children::ChildKey;
use crate::error::{Category, Cause, backoff};
use crate::text;
use crate::time::{GoDuration, Time};

/// So many passes in a row may be outrun by other writers before status counts as refused.
const RACES: u32 = 3;

/// What a call was for; refusals are counted for each errand by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Errand {
    /// Creating this child.
    Create(ChildKey),
    /// Recording the status.
    Record,
    /// Reading this child.
    Read(ChildKey),
    /// Giving this child its owner reference back.
    RestoreOwnership(ChildKey),
    /// Deleting this child.
    DeleteChild(ChildKey),
    /// Deleting the request.
    DeleteRequest,
}

/// A call that was refused, perhaps several times in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What went wrong, the last time.
    pub cause: Cause,
    /// What the API server said, cleaned.
    pub message: String,
    /// How often in a row.
    pub tries: u32,
    /// When it was refused first, in that row.
    pub first: Timestamp,
    /// Whether a decision has come to rest since that does not wait for it: the next refusal begins a new row.
    pub interrupted: bool,
    /// When it was refused last.
    pub last: Timestamp,
    /// When it may be tried again.
    pub next_try: Timestamp,
}

impl Refusal {
    /// Whether it may be tried again at `now`. A clock that went backwards since proves nothing: then it may.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.next_try || now < self.last
    }
}

/// What one process remembers of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Calls that were refused and have not succeeded since.
    pub refusals: BTreeMap<Errand, Refusal>,
    /// When status was last written.
    pub last_record: Option<Timestamp>,
    /// How many passes in a row ended because somebody else wrote status first, each time.
    pub outrun: u32,
}

impl Memory {
    /// Takes note of a refusal at `now` and computes when to try again.
    pub fn refuse(
        &mut self,
        errand: Errand,
        cause: Cause,
        message: &str,
        retry_after: Option<GoDuration>,
        who: &str,
        now: Timestamp,
    ) {
        let before = self.refusals.get(&errand);
        let before = before.filter(|refusal| !refusal.interrupted);
        let tries = before.map_or(0, |refusal| refusal.tries).saturating_add(1);
        let first = before.map_or(now, |refusal| refusal.first.min(now));
        let wait = backoff(tries, retry_after, who);
        self.refusals.insert(
            errand,
            Refusal {
                cause,
                message: text::clean(message, text::MESSAGE),
                tries,
                first,
                interrupted: false,
                last: now,
                next_try: Time::at(now).plus(wait).moment(),
            },
        );
    }

    /// Takes note that somebody else wrote status first whenever a pass tried. Whether that was so often that nobody is racing,
    /// and the API server says so whatever is written: then it is to be refused, with a backoff.
    pub fn is_outrun_for_good(&mut self) -> bool {
        self.outrun = self.outrun.saturating_add(1);
        self.outrun >= RACES
    }

    /// Takes note that a decision came to rest at `now`, until `wake` at the latest. What was refused and is not waited for is
    /// another story when it is refused again; its pause counts all the same. What was refused for good stays known, and while
    /// status cannot be written nothing tells what is waited for behind it.
    pub fn rest(&mut self, wake: Option<Timestamp>, now: Timestamp) {
        let waits_for = |refusal: &Refusal| wake.is_some_and(|wake| wake <= refusal.next_try);
        let record = self.refusal(&Errand::Record);
        let hidden = record.is_some_and(|record| !record.is_over(now) && waits_for(record));
        self.refusals.retain(|_, refusal| {
            let for_good = refusal.cause.category() == Category::C;
            let awaited = hidden || for_good || waits_for(refusal);
            refusal.interrupted |= !awaited;
            awaited || !refusal.is_over(now)
        });
        if !self.refusals.contains_key(&Errand::Record) {
            self.outrun = 0;
        }
    }

    /// Takes note that a call succeeded.
    pub fn succeed(&mut self, errand: &Errand) {
        self.refusals.remove(errand);
        if *errand == Errand::Record {
            self.outrun = 0;
        }
    }

    /// The API server answers again after an outage: what was waiting for it may be tried at once.
    pub fn end_backoffs(&mut self, now: Timestamp) {
        for refusal in self.refusals.values_mut() {
            if !refusal.cause.server_said_no() {
                refusal.next_try = refusal.next_try.min(now);
            }
        }
    }

    /// The refusal of this errand.
    #[must_use]
    pub fn refusal(&self, errand: &Errand) -> Option<&Refusal> {
        self.refusals.get(errand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(memory: &mut Memory, cause: Cause, now: Timestamp) -> Refusal {
        memory.refuse(Errand::Record, cause, "", None, "u-1", now);
        memory.refusal(&Errand::Record).unwrap().clone()
    }

    #[test]
    fn what_is_waited_for_is_refused_in_a_row_however_late_it_is_tried() {
        let (start, mut memory) = (Timestamp::UNIX_EPOCH, Memory::default());
        let once = refuse(&mut memory, Cause::Unavailable, start);
        memory.rest(Some(once.next_try), start);
        let hour = once.next_try + jiff::SignedDuration::from_hours(1);
        let twice = refuse(&mut memory, Cause::Unavailable, hour);
        assert_eq!((twice.tries, twice.first), (2, start));
    }

    #[test]
    fn what_nobody_waits_for_keeps_its_pause_and_is_then_refused_for_the_first_time() {
        let (start, mut memory) = (Timestamp::UNIX_EPOCH, Memory::default());
        let once = refuse(&mut memory, Cause::Unavailable, start);
        let nano = jiff::SignedDuration::from_nanos(1);
        for wake in [None, Some(once.next_try + nano)] {
            let mut memory = memory.clone();
            memory.rest(wake, once.next_try - nano);
            let kept = memory.refusal(&Errand::Record).unwrap();
            assert!(!kept.is_over(once.next_try - nano), "{wake:?}");
            let again = refuse(&mut memory, Cause::Unavailable, once.next_try);
            assert_eq!((again.tries, again.first), (1, once.next_try), "{wake:?}");
            memory.rest(None, again.next_try);
            assert_eq!(memory, Memory::default(), "{wake:?}");
        }
    }

    #[test]
    fn what_was_refused_for_good_stays_known() {
        let (start, mut memory) = (Timestamp::UNIX_EPOCH, Memory::default());
        let refused = refuse(&mut memory, Cause::Invalid, start);
        memory.rest(None, refused.next_try);
        assert_eq!(memory.refusal(&Errand::Record), Some(&refused));
    }

    #[test]
    fn what_succeeded_is_refused_for_the_first_time_when_it_is_refused_again() {
        let (now, mut memory) = (Timestamp::UNIX_EPOCH, Memory::default());
        refuse(&mut memory, Cause::Unavailable, now);
        assert_eq!(refuse(&mut memory, Cause::Unavailable, now).tries, 2);
        memory.succeed(&Errand::Record);
        assert_eq!(memory.refusal(&Errand::Record), None);
        assert_eq!(refuse(&mut memory, Cause::Unavailable, now).tries, 1);
    }
}
