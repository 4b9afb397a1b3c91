//! Time: what the core is told as `now`, and how long a wake-up is slept for.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Where the time comes from. The operator asks nobody else, so that a simulation can own it.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
    /// Returns at this moment, or at once if it has passed. Never returns early.
    fn sleep_until(&self, moment: Timestamp) -> BoxFuture<'static, ()>;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The longest sleep in one piece: a wall clock that is set forward (or a machine that was suspended) makes a
/// wake-up at most this late.
const LONGEST_NAP: SignedDuration = SignedDuration::from_secs(1);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, moment: Timestamp) -> BoxFuture<'static, ()> {
        async move {
            loop {
                let left = moment.duration_since(Timestamp::now());
                if !left.is_positive() {
                    return;
                }
                tokio::time::sleep(unsigned(left.min(LONGEST_NAP))).await;
            }
        }
        .boxed()
    }
}

/// A clock that starts at a given moment and runs with tokio's own: it never jumps, and it stands still or
/// leaps when tokio's time is paused. The clock of simulations, and of leases.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    start: Timestamp,
    origin: Instant,
}

impl SteadyClock {
    /// A clock that shows this moment now. To be called within a tokio runtime.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            origin: Instant::now(),
        }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn sleep_until(&self, moment: Timestamp) -> BoxFuture<'static, ()> {
        let deadline = self.origin + unsigned(moment.duration_since(self.start));
        tokio::time::sleep_until(deadline).boxed()
    }
}

/// The duration, or none if it is negative. Held below ten years, which every timer can express.
fn unsigned(duration: SignedDuration) -> Duration {
    const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    Duration::try_from(duration)
        .unwrap_or(Duration::ZERO)
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_steady_clock_wakes_exactly_at_the_moment() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = SteadyClock::starting_at(start);
        let moment = start + SignedDuration::from_mins(90);
        clock.sleep_until(moment).await;
        assert_eq!(clock.now(), moment);
        clock.sleep_until(start).await;
        assert_eq!(
            clock.now(),
            moment,
            "a moment that has passed is not waited for"
        );
    }
}
