//! Adapters around the remediation core.

#[cfg(feature = "simulation")]
pub mod simulation;
