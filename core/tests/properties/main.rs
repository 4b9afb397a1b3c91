//! What holds whatever happens: random lives in the world of the lifecycle tests, and decisions from any view.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any;
mod canaries;
mod total;
mod walks;
#[path = "../world/mod.rs"]
mod world;

use proptest::test_runner::{Config, RngSeed};

/// So many cases, the same ones each time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for more and for others.
fn cases(ordinary: u32) -> Config {
    let is_set = |name| std::env::var_os(name).is_some();
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if !is_set("PROPTEST_CASES") {
        config.cases = ordinary;
    }
    if !is_set("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}
