//! A model checker for the real [`remediation_core::pass::Pass`] and `decide`: an API server, caches that lag,
//! processes that die, a second leader, child controllers, people and the clock, explored breadth first.
//!
//! ```text
//! World (compact) ── moves ──→ Move ── step ──→ World
//!    │ a pass in flight is a number: the log of what it saw and was answered
//!    └─ passes: log → replay the real Pass once → its next call, remembered
//! ```
//!
//! A state is some hundred bytes of numbers, so that millions of them can be told apart by a fingerprint. Statuses,
//! memories and passes are kept once each under a hash of their content; the real code runs when one is new.

#![allow(dead_code, reason = "the tests and the campaign use their part of it")]

pub(crate) mod checkpoint;
pub(crate) mod commits;
pub(crate) mod config;
pub(crate) mod decided;
pub(crate) mod fair;
pub(crate) mod hands;
pub(crate) mod mistakes;
pub(crate) mod moves;
pub(crate) mod passes;
pub(crate) mod process;
pub(crate) mod reach;
pub(crate) mod search;
pub(crate) mod server;
pub(crate) mod state;
pub(crate) mod statuses;
pub(crate) mod story;
pub(crate) mod table;
pub(crate) mod words;
