//! An operator's wall clock, which can be set and stopped.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::clock::{Clock, SteadyClock};
use crate::simulation::board::Board;

/// A clock that runs with the simulation's, but for what is done to it.
#[derive(Clone)]
pub(super) struct WallClock {
    steady: SteadyClock,
    state: Arc<Mutex<State>>,
    changed: Arc<Board<u64>>,
}

#[derive(Default)]
struct State {
    /// How far it is ahead of the simulation.
    ahead: SignedDuration,
    /// What it shows while it stands still.
    frozen: Option<Timestamp>,
}

impl WallClock {
    pub(super) fn new(steady: SteadyClock) -> Self {
        Self {
            steady,
            state: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// Sets it forward, or back.
    pub(super) fn set(&self, by_ms: i64) {
        self.change(|state, _| state.ahead += SignedDuration::from_millis(by_ms));
    }

    pub(super) fn freeze(&self) {
        self.change(|state, now| state.frozen = Some(now));
    }

    pub(super) fn thaw(&self) {
        self.change(|state, _| state.frozen = None);
    }

    /// Shows the simulation's time again.
    pub(super) fn heal(&self) {
        self.change(|state, _| *state = State::default());
    }

    fn change(&self, change: impl FnOnce(&mut State, Timestamp)) {
        let now = self.now();
        change(
            &mut self.state.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        );
        self.changed.change(|times| *times += 1);
    }
}

/// While the clock stands still it is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.frozen.unwrap_or_else(|| {
            let now = self.steady.now();
            now.saturating_add(state.ahead).unwrap_or(now)
        })
    }

    fn sleep_until(&self, moment: Timestamp) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        async move {
            loop {
                let times = clock.changed.look(|times| *times);
                let left = moment.duration_since(clock.now());
                if !left.is_positive() {
                    return;
                }
                let frozen = clock
                    .state
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .frozen
                    .is_some();
                let nap = if frozen {
                    LOOK_AGAIN
                } else {
                    Duration::try_from(left).unwrap_or(LOOK_AGAIN)
                };
                tokio::select! {
                    biased;
                    _ = clock.changed.until(|now| *now != times) => {}
                    () = tokio::time::sleep(nap) => {}
                }
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_forward_wakes_its_sleepers() {
        let start = Timestamp::UNIX_EPOCH;
        let clock = WallClock::new(SteadyClock::starting_at(start));
        let steady = clock.steady;
        let setter = clock.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            setter.set(3_600_000);
        });
        clock
            .sleep_until(start + SignedDuration::from_mins(50))
            .await;
        assert_eq!(steady.now(), start + SignedDuration::from_secs(1));
        clock.freeze();
        let frozen = clock.now();
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(clock.now(), frozen);
        clock.heal();
        assert_eq!(clock.now(), start + SignedDuration::from_secs(10));
    }
}
