//! The remediation orchestrator.
fn main() {}
