//! Whole runs of the operator in a simulated cluster, under virtual time, with everything that can go wrong.
//!
//! ```text
//! seed → Plan → run → Report: violations of promises, what was reached, what became of each request
//! ```
//!
//! The operator is the one that ships, with its watches, caches, queue and election; it speaks JSON to the API server
//! of [`super::api_server`] through [`kube::Client`]. A run has two parts: until [`Plan::safety_ms`] troubles happen;
//! then everything heals that is not said to last for ever, and every request must come to its end.
//!
//! The same plan gives the same run, to the byte: all chance is in the plan, all time is virtual, all tasks run on one
//! thread.

mod bounds;
mod clock;
mod cluster;
mod definitions;
mod expect;
mod faults;
mod hand;
mod hostile;
mod link;
mod panics;
mod people;
mod plan;
pub mod points;
mod random;
mod reach;
mod repeated;
mod replica;
mod shrink;
mod swarm;
mod template;
mod trace;
mod unusual;
mod webhook;
mod witness;

use std::collections::BTreeMap;

pub use super::children::OutOfBounds;
pub use super::promises::Violation;
pub use cluster::run;
pub use plan::{Asked, CallFault, Deed, InFlight, Plan, Stream, StreamFault, Trouble, When};
pub use reach::Reach;
pub use replica::Wrap;
pub use shrink::shrink;
pub use trace::{LARGEST_TRACE, TRACE_VERSION, Trace, TraceError};
pub use witness::End;

/// How a plan is run.
#[derive(Clone)]
pub struct Options {
    /// Stands between the operators and their calls; [`Options::default`] puts nothing there.
    pub wrap: Wrap,
    /// Whether every call and write is written down.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wrap: std::sync::Arc::new(|calls| calls),
            trace: false,
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Promises that were broken, in order.
    pub broken: Vec<Violation>,
    /// What was reached.
    pub reach: Reach,
    /// Every call and write, a line each, where that was asked for.
    pub trace: String,
    /// What became of each request.
    pub ends: BTreeMap<String, End>,
    /// How many remediations came to an end.
    pub lifecycles: u64,
    /// How many calls the operators made until everything healed, of each stream.
    pub calls: BTreeMap<Stream, u32>,
    /// How many of them they had made when the first remediation ended.
    pub calls_to_first_end: BTreeMap<Stream, u32>,
    /// How many events each watch showed that was opened before everything healed, by its number.
    pub events: Vec<u32>,
    /// How much virtual time it took, in milliseconds.
    pub lasted_ms: u64,
}
