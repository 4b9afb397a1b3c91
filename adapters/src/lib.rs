//! What surrounds the remediation core: Kubernetes, telemetry, the clock, and (with the feature `simulation`)
//! an API server in this process.

pub mod clock;
pub mod kubernetes;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod snapshot;
pub mod telemetry;
