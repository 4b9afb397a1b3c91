//! The remediation state machine.
