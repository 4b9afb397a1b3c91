//! Stopping the world at one call: the proxy holds it while the test kills or pauses the process that made it.

use tokio::sync::oneshot;

use super::Call;

/// On which side of the call the world stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The call was made and is never applied.
    Before,
    /// The call was applied and its answer never arrives.
    After,
    /// The call is applied some time later, when another process may be at work.
    Late,
    /// The call is applied, and answered, once the world goes on.
    Held,
}

impl Place {
    /// Where a process that made the call can die.
    pub(crate) const OF_DEATH: [Self; 3] = [Self::Before, Self::After, Self::Late];
}

/// Springs once, at the first call that matches.
pub(super) struct Trap {
    pub(super) matches: Box<dyn FnMut(&Call) -> bool + Send>,
    pub(super) place: Place,
    pub(super) caught: oneshot::Sender<Caught>,
}

/// The world stands still at a call, until this is dropped.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(crate) call: Call,
    /// Dropping it lets the proxy go on.
    pub(super) _release: oneshot::Sender<()>,
}
