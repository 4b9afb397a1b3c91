//! The checker of the promises: lives of the real operator on the simulated API server break none, and each canary
//! breaks just its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit_log;
mod broken;
mod canaries;
mod claims;
#[path = "../committed/mod.rs"]
mod committed;
mod ends;
mod good;
mod more;
mod page;
mod recorded;
mod tale;
