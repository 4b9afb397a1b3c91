//! Whole runs of the operator in the simulated cluster.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod determinism;
