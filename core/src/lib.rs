//! The remediation state machine: what to do next, from what is seen.
//!
//! This crate makes no calls, reads no clock and draws no random numbers. [`decide::decide`] is a pure total
//! function of the request's [`decide::State`], its observed [`children::Children`] and `now`: the same input
//! gives the same actions, to the byte, whatever the input is. [`pass::Pass`] drives it: one API call a step,
//! each outcome learned before the next decision.

pub mod action;
pub mod children;
pub mod conditions;
pub mod deadline;
pub mod decide;
mod draft;
pub mod error;
mod housekeeping;
pub mod kind;
pub mod lease;
pub mod memory;
pub mod names;
mod notification;
pub mod page;
pub mod pass;
pub mod phase;
mod phases;
pub mod plan;
pub mod policy;
mod progress;
pub mod request;
pub mod rule;
pub mod status;
pub mod targeting;
pub mod text;
pub mod time;
mod view;
