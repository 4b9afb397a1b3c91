//! What a history is judged by: how much the cluster that it comes from may differ from a faultless one, and how it ended.

use jiff::{SignedDuration, Timestamp};

/// What is to be expected of the cluster that the history comes from. The default is one without faults.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// The most that a clock of the orchestrator's may differ from the server's.
    pub skew: SignedDuration,
    /// The most that a creation may be decided behind what is committed until it is asked for, but for the time in which
    /// the orchestrator was [held up](super::Promises::held_up).
    pub lag: SignedDuration,
    /// How late a passed deadline may be recorded, but for the time after a [fault](super::Promises::fault). None where more than
    /// the faults that are known may hold it up: then [`Promises::end`](super::Promises::end) alone judges.
    pub lateness: Option<SignedDuration>,
    /// Whether the executors obey the child contract, so that one that starts when it must not is a breach of S4.
    pub contract: bool,
    /// Whether the history begins with an empty cluster, so that what it never showed is not there.
    pub whole: bool,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            skew: SignedDuration::ZERO,
            lag: SignedDuration::from_secs(1),
            lateness: None,
            contract: false,
            whole: true,
        }
    }
}

/// What is known of the world when a history ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The server's time.
    pub now: Timestamp,
    /// The most that a clock of the orchestrator's still differs from the server's.
    pub skew: SignedDuration,
    /// Whether the faults ended long enough ago, with an orchestrator running, for everything that was due a second (and
    /// [`Ending::skew`]) ago to have been done. Otherwise no L is judged.
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
