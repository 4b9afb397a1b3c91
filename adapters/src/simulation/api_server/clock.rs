//! Where the server's time and UIDs come from: nothing is read from the machine unless asked for.

use jiff::{SignedDuration, Timestamp};

use crate::simulation::chance::SplitMix64;

/// Tells the time that goes into `creationTimestamp` and `deletionTimestamp`.
pub trait Clock: Send + Sync {
    /// The time now; objects carry it in whole seconds.
    fn now(&self) -> Timestamp;
}

/// The machine's own time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Time that starts where it is told to and goes with tokio's, so that it stands still and jumps when that is paused.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: Timestamp,
    started: tokio::time::Instant,
}

impl TokioClock {
    /// It is `origin` now. Must be called within a tokio runtime.
    #[must_use]
    pub fn starting_at(origin: Timestamp) -> Self {
        Self {
            origin,
            started: tokio::time::Instant::now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let elapsed =
            SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.origin
            .saturating_add(elapsed)
            .unwrap_or(Timestamp::MAX)
    }
}

/// RFC 3339 in whole seconds, as Kubernetes writes times.
pub(crate) fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

/// UIDs in the form of a random UUID, from a seed and a counter.
#[derive(Debug)]
pub(crate) struct UidSource {
    sequence: SplitMix64,
}

impl UidSource {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            sequence: SplitMix64::new(seed),
        }
    }

    /// Every number of the seed's sequence is another one, so no UID comes twice.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.sequence.number()
    }

    pub(crate) fn next(&mut self) -> String {
        let (high, low) = (self.next_number(), self.next_number());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0x0fff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_uids() {
        let uids = |seed| {
            let mut source = UidSource::new(seed);
            (0..100).map(|_| source.next()).collect::<Vec<_>>()
        };
        assert_eq!(uids(7), uids(7));
        assert_ne!(uids(7), uids(8));
        assert!(
            uids(7)
                .iter()
                .all(|uid| uid.len() == 36 && uid.as_bytes()[14] == b'4')
        );
    }

    #[test]
    fn times_are_written_in_whole_seconds() {
        let time: Timestamp = "2026-01-02T03:04:05.678Z".parse().expect("a time");
        assert_eq!(whole_seconds(time), "2026-01-02T03:04:05Z");
    }
}
