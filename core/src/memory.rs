//! What one process remembers of a request between two decisions: which calls were refused, and when status
//! was last written. Only hints: losing them in a restart costs an early retry, and lets what may be held up for thirty
//! seconds begin them anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::children::ChildKey;
use crate::error::{Cause, backoff};
use crate::text;
use crate::time::{GoDuration, Time};

/// A call that nobody made for so long although it might have been tried again: what was refused before is another story.
pub const FORGOTTEN_AFTER: GoDuration = GoDuration::from_secs(30);

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
    /// How often in a row; what was not tried again for [`FORGOTTEN_AFTER`] begins a new row.
    pub tries: u32,
    /// When it was refused first, in that row.
    pub first: Timestamp,
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
        let in_a_row = |refusal: &&Refusal| {
            !Time::at(refusal.next_try)
                .plus(FORGOTTEN_AFTER)
                .reached(now)
        };
        let before = self.refusals.get(&errand).filter(in_a_row);
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
                last: now,
                next_try: Time::at(now).plus(wait).moment(),
            },
        );
    }

    /// Takes note that a call succeeded.
    pub fn succeed(&mut self, errand: &Errand) {
        self.refusals.remove(errand);
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

    #[test]
    fn what_nobody_tried_for_thirty_seconds_is_refused_for_the_first_time() {
        let start = Timestamp::UNIX_EPOCH;
        let mut memory = Memory::default();
        let refuse = |memory: &mut Memory, now| {
            memory.refuse(Errand::Record, Cause::Unavailable, "", None, "u-1", now);
            let refusal = memory.refusal(&Errand::Record).unwrap();
            (refusal.tries, refusal.first, refusal.next_try)
        };
        let (_, _, next) = refuse(&mut memory, start);
        let forgotten = |next| Time::at(next).plus(FORGOTTEN_AFTER).moment();
        let just_in_time = forgotten(next) - jiff::SignedDuration::from_nanos(1);
        let (tries, first, next) = refuse(&mut memory, just_in_time);
        assert_eq!((tries, first), (2, start));
        let (tries, first, _) = refuse(&mut memory, forgotten(next));
        assert_eq!((tries, first), (1, forgotten(next)));
    }

    #[test]
    fn what_succeeded_is_refused_for_the_first_time_when_it_is_refused_again() {
        let now = Timestamp::UNIX_EPOCH;
        let mut memory = Memory::default();
        let refuse = |memory: &mut Memory| {
            memory.refuse(Errand::Record, Cause::Unavailable, "", None, "u-1", now);
        };
        refuse(&mut memory);
        refuse(&mut memory);
        assert_eq!(memory.refusal(&Errand::Record).map(|r| r.tries), Some(2));
        memory.succeed(&Errand::Record);
        assert_eq!(memory.refusal(&Errand::Record), None);
        refuse(&mut memory);
        assert_eq!(memory.refusal(&Errand::Record).map(|r| r.tries), Some(1));
    }
}
