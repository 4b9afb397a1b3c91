//! Whole lifecycles, driven through the pass that the operator drives, in a world in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod approval;
mod bounds;
mod clock;
mod crashes;
mod deadlines;
mod decisions;
mod deletion;
mod edited_status;
mod escalation;
mod hostile_payloads;
mod lost_children;
mod names_that_are_taken;
mod ordinary;
mod ownership;
mod phases;
mod plans;
mod policy;
mod progress;
mod refusals;
mod suspension;
mod transitions;
mod unknown_words;
#[path = "../world/mod.rs"]
mod world;
