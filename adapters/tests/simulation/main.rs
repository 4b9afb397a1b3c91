//! Whole runs of the operator in the simulated cluster.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canaries;
#[path = "../committed/mod.rs"]
mod committed;
mod determinism;
mod every_fault;
mod excuses;
mod found;
mod reached;
mod seeds;
mod traces;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does this for each number below `count`, on all cores.
fn on_all_cores(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

/// What was found, in order.
fn sorted<T: Ord>(found: Mutex<Vec<T>>) -> Vec<T> {
    let mut found = found.into_inner().unwrap();
    found.sort();
    found
}

/// How many, by the environment.
fn asked(variable: &str, otherwise: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => otherwise,
    }
}
