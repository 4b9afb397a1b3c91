//! The checker of the promises (docs/reliability/promises.md): it reads every committed write of a cluster in the server's
//! order and says which promise a history breaks.
//!
//! It is written from the promises and not from the code: of the core it uses the names of kinds and the forms of times
//! and durations, and none of its rules. What a hand wrote is no breach of ours: each write of ours is judged by what
//! it found.

mod commit;
mod table;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

pub use commit::{Actor, Commit, Kind, Verb};
pub use table::{Entry, Layer, Promise, Shown, TABLE};

/// What is to be expected of the cluster that the history comes from. The default is one without faults.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// The most that a clock of the orchestrator's may differ from the server's.
    pub skew: SignedDuration,
    /// The most that a creation may be decided behind what is committed, and be under way, until it is committed: the
    /// lag of watches, and calls that are applied late.
    pub lag: SignedDuration,
    /// How late a passed deadline may be recorded. None where faults may hold it up: then [`Promises::end`] alone judges.
    pub lateness: Option<SignedDuration>,
    /// Whether the executors obey the child contract, so that one that starts when it must not is a breach of S4.
    pub contract: bool,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            skew: SignedDuration::ZERO,
            lag: SignedDuration::from_secs(1),
            lateness: None,
            contract: false,
        }
    }
}

/// What is known of the world when a history ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The server's time.
    pub now: Timestamp,
    /// Whether the faults ended long enough ago, with an orchestrator running, for everything that was due a second (and
    /// [`Expectations::skew`]) ago to have been done. Otherwise no L is judged.
    pub settled: bool,
    /// What is refused for good, and excuses what would need it.
    pub refused: Refused,
    /// Whether the garbage collector has done its work.
    pub collected: bool,
}

/// What the API server refuses for good.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refused {
    /// Creating children.
    pub creations: bool,
    /// Creating notifications.
    pub notifications: bool,
    /// Writing status.
    pub statuses: bool,
    /// Deleting.
    pub deletions: bool,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// Of which object: `namespace/name`.
    pub object: String,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// What was seen, and what should have been.
    pub story: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promise,
            object,
            at,
            story,
        } = self;
        write!(
            f,
            "{promise} {object} at {at}: {story} ({})",
            promise.statement()
        )
    }
}

/// The checker. It holds what it needs of each object, not the objects.
#[derive(Debug, Default)]
pub struct Promises {
    expectations: Expectations,
}

impl Promises {
    /// A checker of a history that has not begun.
    #[must_use]
    pub fn new(expectations: Expectations) -> Self {
        Self { expectations }
    }

    /// A fault was made at this time: a call refused or lost, a watch held, a crash. Each gives every request that is under
    /// way three writes more, and excuses what needs the call that it hit.
    pub fn fault(&mut self, at: Timestamp) {
        let _ = at;
    }

    /// Takes the next committed write, and says what it breaks.
    pub fn commit(&mut self, commit: &Commit) -> Vec<Violation> {
        let _ = (commit, &self.expectations);
        Vec::new()
    }

    /// Says what is missing at the end.
    pub fn end(&mut self, ending: &Ending) -> Vec<Violation> {
        let _ = ending;
        Vec::new()
    }
}
