//! How far many runs are, told on standard error from time to time.

use std::time::{Duration, Instant};

use super::memory;

pub(super) struct Progress {
    /// How many runs there are, where that is known.
    all: Option<usize>,
    began: Instant,
    told: Instant,
}

const EVERY: Duration = Duration::from_secs(5);

impl Progress {
    /// Of runs that begin now.
    pub(super) fn of(all: Option<usize>) -> Self {
        let began = Instant::now();
        Self {
            all,
            began,
            told: began,
        }
    }

    /// So many runs were made, and so many of them broke a promise. Says so where nothing was said lately.
    pub(super) fn tell(&mut self, runs: u64, broken: usize) {
        if self.told.elapsed() < EVERY {
            return;
        }
        self.told = Instant::now();
        eprintln!(
            "{}{}",
            line(runs, self.all, self.began.elapsed(), broken),
            memory::now().map_or(String::new(), |now| format!(", {now} MB"))
        );
    }
}

fn line(runs: u64, all: Option<usize>, passed: Duration, broken: usize) -> String {
    let of = all.map_or(String::new(), |all| format!(" of {all}"));
    let rate = runs as f64 / passed.as_secs_f64();
    format!("{runs}{of} runs, {rate:.0} a second, {broken} broke a promise")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_is_told_with_the_rate() {
        let passed = Duration::from_secs(10);
        assert_eq!(
            line(3_000, Some(4_287), passed, 1),
            "3000 of 4287 runs, 300 a second, 1 broke a promise"
        );
        assert_eq!(
            line(3_000, None, passed, 0),
            "3000 runs, 300 a second, 0 broke a promise"
        );
    }
}
