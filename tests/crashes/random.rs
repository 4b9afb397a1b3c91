//! What a run draws, from its seed.

use std::time::Duration;

use remediation_adapters::simulation::chance::SplitMix64;

/// A sequence of numbers that its seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// A sequence of its own for a part of the run, so that one part's draws do not move another's.
    pub(crate) fn fork(&self, part: &str) -> Self {
        let mixed = part.bytes().fold(self.0.state(), |mixed, byte| {
            mixed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let mut fork = Self::new(mixed);
        fork.next();
        fork
    }

    fn next(&mut self) -> u64 {
        self.0.number()
    }

    /// A number below `bound`; 0 where that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True so many times in a thousand.
    pub(crate) fn per_mille(&mut self, chance: u16) -> bool {
        self.below(1000) < u64::from(chance)
    }

    /// One of these; `None` where there is none.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let index = self.below(all.len() as u64);
        all.get(usize::try_from(index).unwrap_or(0))
    }

    /// A time between both, in milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most.saturating_sub(least) + 1))
    }

    /// Puts them in any order.
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            all.swap(last, other);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_sequence_and_parts_differ() {
    let drawn = |mut random: Random| [random.below(1000), random.below(1000), random.below(1000)];
    assert_eq!(drawn(Random::new(7)), drawn(Random::new(7)));
    assert_ne!(drawn(Random::new(7)), drawn(Random::new(8)));
    let whole = Random::new(7);
    assert_ne!(drawn(whole.fork("user")), drawn(whole.fork("kills")));
    assert_eq!(drawn(whole.fork("user")), drawn(whole.fork("user")));
}
