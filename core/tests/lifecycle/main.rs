//! Whole lifecycles, driven through the pass that the operator drives, in a world in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ordinary;
#[path = "../world/mod.rs"]
mod world;
