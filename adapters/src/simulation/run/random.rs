//! What a simulation draws, from the seed.

use crate::simulation::chance::SplitMix64;

/// A sequence of numbers that its seed determines.
#[derive(Clone, Debug)]
pub(super) struct Random(SplitMix64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Seeds that lie side by side begin far apart.
        let mut random = Self(SplitMix64::new(seed ^ 0x5851_f42d_4c95_7f2d));
        random.next();
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.number()
    }

    /// From `low` to `high`, both included.
    pub(super) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Whether something of this likelihood happens, in percent.
    pub(super) fn percent(&mut self, likelihood: u64) -> bool {
        self.next() % 100 < likelihood
    }

    /// One of these, each as likely as the others.
    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = self.next() % all.len() as u64;
        &all[usize::try_from(index).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_within_their_bounds() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            (0..100).map(|_| random.within(3, 9)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        for bound in 3..=9 {
            assert!(numbers(1).contains(&bound));
        }
        assert!(numbers(1).iter().all(|number| (3..=9).contains(number)));
    }
}
