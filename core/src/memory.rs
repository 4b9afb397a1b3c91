//! What one process remembers of a request between two decisions: which calls were refused, and when status
//! was last written. Only hints: losing them in a restart costs an early retry and nothing else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::children::ChildKey;
use crate::error::{Cause, backoff};
use crate::text;
use crate::time::{GoDuration, Time};

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
    /// When it was refused first.
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
        let before = self.refusals.get(&errand);
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
