//! Real crashes: the real binary on a real control plane, killed again and again behind a proxy that makes things go
//! wrong, and the question whether every promise held.
//!
//! On demand: `CRASHES_LIFECYCLES` (default 120), `CRASHES_AT_ONCE` (default 24), `CRASHES_SEED` (default 1),
//! `CRASHES_SECONDS` (how long new lifecycles are begun at most to see every fault and every kill, default 240).
//!
//! They need what the whole-system tests need: see tests/system/main.rs.

#[path = "../system/harness/mod.rs"]
mod harness;

mod campaign;
mod canaries;
mod check;
mod cluster;
mod crew;
mod judge;
mod kills;
mod lifecycles;
mod proxy;
mod random;
mod recorder;
mod replicas;
mod silence;
mod story;
mod user;
