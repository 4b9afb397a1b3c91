//! Adapters around the remediation core.
